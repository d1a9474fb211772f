#include "pagestore/format.h"

#include <string.h>

static const struct ps_format *const formats[] = {&ps_format_native, &ps_format_postgres};

const struct ps_format *ps_format_by_id(unsigned id)
{
    return id < sizeof(formats) / sizeof(formats[0]) ? formats[id] : NULL;
}

const struct ps_format *ps_format_by_name(const char *name)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}

/* Comparing a page with itself one byte on says that all bytes are equal, at memcmp's speed. */
bool ps_page_is_zero(const void *page, size_t len)
{
    const unsigned char *bytes = page;

    return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}
