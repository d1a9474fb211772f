#include "fs/json.h"

#include <string.h>

#include "base/utf8.h"

static void add_ascii(struct ps_text *t, unsigned char c)
{
    if (c == '"' || c == '\\')
        ps_text_printf(t, "\\%c", c);
    else if (c < 0x20)
        ps_text_printf(t, "\\u%04x", c);
    else
        ps_text_add(t, &c, 1);
}

void pfs_json_string(struct ps_text *t, const char *s)
{
    struct ps_utf8 c = ps_utf8_of(s, strlen(s));

    ps_text_add(t, "\"", 1);
    while (ps_utf8_next(&c)) {
        if (!c.sound)
            ps_text_printf(t, PS_UTF8_NONE);
        else if (c.len == 1)
            add_ascii(t, *c.at);
        else
            ps_text_add(t, c.at, c.len);
    }
    ps_text_add(t, "\"", 1);
}
