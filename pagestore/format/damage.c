#include "format/damage.h"

#include <stdarg.h>

void ps_damage_add(struct ps_damage *d, const char *word, uint32_t lp, const char *fmt, ...)
{
    char text[200];
    va_list args;

    d->count++;
    if (!d->report)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    d->report(d->ctx, word, (int)lp, text);
}

void ps_first_damage_keep(void *ctx, const char *word, int lp, const char *text)
{
    struct ps_first_damage *first = ctx;

    (void)word;
    (void)lp;
    if (first->text[0] == '\0')
        snprintf(first->text, sizeof(first->text), "%s", text);
}

ps_err ps_damage_verify(const void *page, const struct ps_page_ident *who,
                        void (*check)(const void *page, const struct ps_page_ident *who,
                                      struct ps_damage *d))
{
    struct ps_first_damage first = {0};
    struct ps_damage d = {ps_first_damage_keep, &first, 0};

    check(page, who, &d);
    if (d.count == 0)
        return PS_OK;
    return ps_fail(PS_ERR_CORRUPT, "page %u of table %u: %s", who->page_no, who->table_id,
                   first.text);
}
