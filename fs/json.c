#include "fs/json.h"

#include <string.h>

#include "fs/utf8.h"

static void add_ascii(struct pfs_text *t, unsigned char c)
{
    if (c == '"' || c == '\\')
        pfs_text_printf(t, "\\%c", c);
    else if (c < 0x20)
        pfs_text_printf(t, "\\u%04x", c);
    else
        pfs_text_add(t, &c, 1);
}

void pfs_json_string(struct pfs_text *t, const char *s)
{
    const unsigned char *at = (const unsigned char *)s;
    size_t left = strlen(s);

    pfs_text_add(t, "\"", 1);
    while (left > 0) {
        size_t len = pfs_utf8_len(at, left);

        if (len == 1)
            add_ascii(t, *at);
        else if (len > 1)
            pfs_text_add(t, at, len);
        else
            pfs_text_add(t, "\xef\xbf\xbd", 3);
        len = len > 0 ? len : 1;
        at += len;
        left -= len;
    }
    pfs_text_add(t, "\"", 1);
}
