#include "format_exercise.h"

#include <stdlib.h>
#include <string.h>

#include "must.h"

/* A line pointer of 4 bytes can name a tuple whose null bitmap is 2,048 digits, with all flags. */
#define TEXT_PER_BYTE_MAX 700u

struct subject {
    const struct ps_format *fmt;
    unsigned char *page;
    unsigned char *before;
    uint32_t page_size;
    bool sound;
};

/* A call on the subject returned err: was that allowed, and did a failure leave the page alone? */
static void judge(struct subject *s, ps_err err)
{
    if (err)
        MUST(memcmp(s->page, s->before, s->page_size) == 0);
    if (s->sound)
        MUST(err != PS_ERR_CORRUPT);
    memcpy(s->before, s->page, s->page_size);
}

static void read_items(const struct subject *s)
{
    struct ps_item item;
    uint32_t slots;

    if (ps_slotted_slots(s->fmt, s->page, s->page_size, &slots) != PS_OK)
        return;
    for (uint32_t slot = 0; slot <= slots + 1; slot++) {
        const unsigned char *data;

        if (ps_slotted_get(s->fmt, s->page, s->page_size, slot, &item) != PS_OK)
            continue;
        data = item.data;
        MUST(data >= s->page && item.len <= s->page_size);
        MUST(data + item.len <= s->page + s->page_size);
    }
}

static void change_items(struct subject *s)
{
    static const unsigned char bytes[64];
    uint32_t room = ps_slotted_room(s->fmt, s->page, s->page_size);
    uint32_t slot = 0;
    ps_err err;

    err = ps_slotted_insert(s->fmt, s->page, s->page_size, bytes, sizeof(bytes), &slot);
    if (s->sound)
        MUST((err == PS_OK) <= (room >= sizeof(bytes)));
    judge(s, err);
    for (slot = 1; slot <= 4; slot++) {
        judge(s, ps_slotted_replace(s->fmt, s->page, s->page_size, slot, bytes, sizeof(bytes)));
        judge(s, ps_slotted_delete(s->fmt, s->page, s->page_size, slot));
    }
    judge(s, ps_slotted_compact(s->fmt, s->page, s->page_size));
}

void exercise_page(const struct ps_format *fmt, unsigned char *page, uint32_t page_size)
{
    struct ps_page_ident who = {.page_size = page_size};
    struct subject s = {fmt, page, malloc(page_size), page_size, false};
    char *text = NULL;
    size_t text_len = 0;
    FILE *out = open_memstream(&text, &text_len);
    uint32_t stored, computed;
    bool none;

    MUST(s.before && out);
    memcpy(s.before, page, page_size);
    fmt->describe(page, &who, out);
    MUST(fclose(out) == 0 && text_len > 0 && text_len <= page_size * TEXT_PER_BYTE_MAX);
    free(text);
    fmt->checksum(page, &who, &stored, &computed, &none);
    MUST((fmt->verify(page, &who) == PS_OK) <= (none || stored == computed));
    s.sound = fmt->check(page, &who, NULL, NULL) == 0;
    MUST(memcmp(page, s.before, page_size) == 0);

    read_items(&s);
    change_items(&s);
    if (s.sound)
        MUST(fmt->check(page, &who, NULL, NULL) == 0);
    fmt->stamp(page, &who);
    fmt->seal(page, &who);
    MUST(fmt->verify(page, &who) == PS_OK || ps_page_is_zero(page, page_size));
    free(s.before);
}
