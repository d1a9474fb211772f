#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_FIRST 256u

void ps_text_deinit(struct ps_text *t)
{
    free(t->data);
    *t = (struct ps_text){0};
}

void ps_text_clear(struct ps_text *t)
{
    t->len = 0;
    t->failed = false;
}

char *ps_text_grow(struct ps_text *t, size_t len)
{
    size_t cap = t->cap > 0 ? t->cap : CAP_FIRST;
    char *data;

    while (cap - t->len < len)
        cap *= 2;
    if (cap > t->cap) {
        data = realloc(t->data, cap);
        if (!data) {
            t->failed = true;
            return NULL;
        }
        t->data = data;
        t->cap = cap;
    }
    return t->data + t->len;
}

void ps_text_add(struct ps_text *t, const void *data, size_t len)
{
    char *to;

    if (len == 0)
        return;
    to = ps_text_room(t, len);
    if (!to)
        return;
    memcpy(to, data, len);
    t->len += len;
}

void ps_text_printf(struct ps_text *t, const char *fmt, ...)
{
    va_list args;
    char *to;
    int len;

    va_start(args, fmt);
    len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(len >= 0);
    to = ps_text_room(t, (size_t)len + 1);
    if (!to)
        return;
    va_start(args, fmt);
    vsnprintf(to, (size_t)len + 1, fmt, args);
    va_end(args);
    t->len += (size_t)len;
}

ps_err ps_text_err(const struct ps_text *t)
{
    return t->failed ? ps_fail(PS_ERR_NOMEM, "no memory for a text of %zu bytes", t->len) : PS_OK;
}

void ps_text_stream_open(struct ps_text_stream *s)
{
    *s = (struct ps_text_stream){0};
    s->file = open_memstream(&s->data, &s->len);
}

void ps_text_stream_close(struct ps_text_stream *s, struct ps_text *t)
{
    if (s->file && fclose(s->file) == 0)
        ps_text_add(t, s->data, s->len);
    else
        t->failed = true;
    free(s->data);
}
