/*
 * view_items.c - the items of a slotted table, a line each; lines appended become new items.
 *
 * Bytes that are not text are shown as \xHH: control characters but the tab, and what is not
 * UTF-8. Text is shown as it is, so that lines written come back the same.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

/* --- showing ------------------------------------------------------------------------------ */

static bool is_control(const struct ps_utf8 *c)
{
    if (c->len == 1)
        return (c->at[0] < 0x20 && c->at[0] != '\t') || c->at[0] == 0x7f;
    return c->len == 2 && c->at[0] == 0xc2 && c->at[1] < 0xa0;
}

static void add_item(const struct ps_item *item, struct ps_text *out)
{
    struct ps_utf8 c = ps_utf8_of(item->data, item->len);

    while (ps_utf8_next(&c)) {
        if (c.sound && !is_control(&c)) {
            ps_text_add(out, c.at, c.len);
            continue;
        }
        for (size_t i = 0; i < c.len; i++)
            ps_text_printf(out, "\\x%02x", c.at[i]);
    }
    ps_text_add(out, "\n", 1);
}

static ps_err add_items(const struct ps_format *fmt, const void *page, uint32_t page_size,
                        struct ps_text *out)
{
    struct ps_item item;
    uint32_t slots = 0;
    ps_err err = ps_slotted_slots(fmt, page, page_size, &slots);

    for (uint32_t slot = 1; slot <= slots && !err; slot++) {
        err = ps_slotted_get(fmt, page, page_size, slot, &item);
        if (!err)
            add_item(&item, out);
        else if (err == PS_ERR_NOENT)
            err = PS_OK; /* a free slot */
    }
    return err == PS_ERR_WRONG_TYPE ? PS_OK : err;
}

/* A step is a page: what it gives is consistent. */
static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    uint32_t page_size = ps_store_page_size(c->subject.fs->store);
    struct ps_table_info info;
    struct ps_page_info page;
    uint32_t count = 0;
    void *buf = NULL;
    ps_err err = ps_table_info(c->subject.table, &info);

    if (!err)
        err = ps_page_list(c->subject.table, c->at, &page, 1, &count);
    c->done = !err && count == 0;
    if (err || c->done)
        return err;
    buf = ps_buf_alloc(page_size);
    if (!buf)
        return ps_fail(PS_ERR_NOMEM, "no memory for a copy of a page");
    err = ps_page_copy(c->subject.table, page.page_no, c->cancel, buf);
    if (!err)
        err = add_items(ps_format_by_id(info.format), buf, page_size, out);
    if (!err || err == PS_ERR_NOENT)
        c->at = (uint64_t)page.page_no + 1;
    ps_buf_free(buf);
    return err == PS_ERR_NOENT ? PS_OK : err;
}

/* --- appending ---------------------------------------------------------------------------- */

static size_t count_lines(const char *buf, size_t len)
{
    size_t lines = 0;

    for (size_t i = 0; i < len; i++)
        lines += buf[i] == '\n';
    return lines;
}

/* Appends the lines of text as items, all or none; *ret_len is how much of text they were. */
static ps_err append_lines(const struct pfs_subject *s, const char *text, size_t len,
                           struct ps_cancel *cancel, size_t *ret_len)
{
    size_t lines = count_lines(text, len);
    struct ps_item *items;
    const char *at = text;
    ps_err err;

    *ret_len = 0;
    if (lines == 0)
        return PS_OK;
    items = calloc(lines, sizeof(*items));
    if (!items)
        return ps_fail(PS_ERR_NOMEM, "no memory for %zu items", lines);
    for (size_t i = 0; i < lines; i++) {
        const char *end = memchr(at, '\n', len - (size_t)(at - text));

        items[i] = (struct ps_item){.data = at, .len = (uint32_t)(end - at)};
        at = end + 1;
    }
    err = ps_items_append(s->table, items, (uint32_t)lines, 0, cancel);
    if (!err)
        *ret_len = (size_t)(at - text);
    free(items);
    return err;
}

/* The beginning of a line waits in pending for its end, but only up to a limit. */
static ps_err check_rest(const struct pfs_subject *s, size_t len)
{
    if (len > ps_store_page_size(s->fs->store))
        return ps_fail(PS_ERR_RANGE, "an item of more than %u bytes fits no page",
                       ps_store_page_size(s->fs->store));
    return PS_OK;
}

static ps_err write_lines(const struct pfs_subject *s, struct ps_text *pending, const char *buf,
                          size_t len, struct ps_cancel *cancel)
{
    size_t before = pending->len, used = 0;
    ps_err err;

    ps_text_add(pending, buf, len);
    err = ps_text_err(pending);
    if (!err)
        err = append_lines(s, pending->data, pending->len, cancel, &used);
    if (!err && used == 0)
        err = check_rest(s, pending->len);
    if (err) {
        pending->len = before; /* a failed write wrote nothing */
        pending->failed = false;
        return err;
    }
    if (used > 0)
        memmove(pending->data, pending->data + used, pending->len - used);
    pending->len -= used;
    return PS_OK;
}

static ps_err flush(const struct pfs_subject *s, struct ps_text *pending, struct ps_cancel *cancel)
{
    if (pending->len == 0)
        return PS_OK;
    return write_lines(s, pending, "\n", 1, cancel);
}

const struct pfs_view pfs_view_items = {PFS_SIZE_STREAM, .step = step, .write = write_lines,
                                        .flush = flush, .append_only = true};
