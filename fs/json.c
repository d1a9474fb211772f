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
    const unsigned char *at = (const unsigned char *)s;
    size_t left = strlen(s);

    ps_text_add(t, "\"", 1);
    while (left > 0) {
        size_t len = ps_utf8_len(at, left);

        if (len == 1)
            add_ascii(t, *at);
        else if (len > 1)
            ps_text_add(t, at, len);
        else
            ps_text_add(t, "\xef\xbf\xbd", 3);
        len = len > 0 ? len : 1;
        at += len;
        left -= len;
    }
    ps_text_add(t, "\"", 1);
}
