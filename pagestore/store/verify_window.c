/*
 * verify_window.c - a file read in large steps: neighbours in a table cost one request, lone pages
 * do not cost more.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/verify_internal.h"

#define WINDOW_BYTES (1024u * 1024u)

ps_err ps_window_open(struct ps_window *w, struct ps_io *io, const char *path, uint32_t page_size)
{
    struct ps_io_file *file = NULL;
    size_t cap = page_size > WINDOW_BYTES ? page_size : WINDOW_BYTES;
    uint8_t *buf;
    ps_err err;

    err = io->ops->open(io, path, PS_IO_RDONLY, &file);
    if (err)
        return err;
    buf = ps_buf_alloc(cap);
    if (!buf) {
        ps_io_close(file);
        return ps_fail(PS_ERR_NOMEM, "no memory to read %s", path);
    }
    *w = (struct ps_window){.file = file, .buf = buf, .cap = cap};
    return PS_OK;
}

void ps_window_close(struct ps_window *w)
{
    ps_io_close(w->file);
    ps_buf_free(w->buf);
    *w = (struct ps_window){0};
}

static ps_err fill(struct ps_window *w, uint64_t off, size_t len)
{
    size_t got = 0;
    ps_err err;

    w->len = 0;
    err = ps_io_read(w->file, w->buf, len, off, &got);
    if (err)
        return err;
    memset(w->buf + got, 0, len - got);
    w->off = off;
    w->len = len;
    return PS_OK;
}

ps_err ps_window_read(struct ps_window *w, uint64_t off, size_t len, const uint8_t **ret)
{
    ps_err err;

    assert(len <= w->cap);
    if (off < w->off || off + len > w->off + w->len) {
        err = fill(w, off, w->cap);
        if (err) /* a bad spot further on must not cost this page */
            err = fill(w, off, len);
        if (err)
            return err;
    }
    *ret = w->buf + (off - w->off);
    return PS_OK;
}
