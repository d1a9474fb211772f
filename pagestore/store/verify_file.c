/*
 * verify_file.c - a file of native pages that belongs to no store.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/native_layout.h"
#include "store/verify_internal.h"

#define GUESS_PAGES 4u /* any of the first ones may be damaged */

/* True if one of the first pages of that size is sound; *ret_table is the table id on it. */
static bool begins_with_pages(struct ps_window *w, uint32_t page_size, uint64_t file_bytes,
                              uint32_t *ret_table)
{
    struct ps_page_ident who = {.page_size = page_size};
    const uint8_t *page;

    for (; who.page_no < GUESS_PAGES; who.page_no++) {
        if ((who.page_no + (uint64_t)1) * page_size > file_bytes ||
            ps_window_read(w, (uint64_t)who.page_no * page_size, page_size, &page) != PS_OK)
            return false;
        who.table_id = ps_get32(((const struct ps_native_hdr *)page)->table_id);
        if (ps_format_native.verify(page, &who) == PS_OK) {
            *ret_table = who.table_id;
            return true;
        }
    }
    return false;
}

/* Finds out the page size if it is 0, and the table id. With a page size given, a file without a
 * sound page among the first ones is held against table id 0. */
static ps_err find_shape(struct ps_window *w, const char *path, uint64_t file_bytes,
                         struct ps_page_ident *who)
{
    uint32_t size;

    if (who->page_size != 0) {
        (void)begins_with_pages(w, who->page_size, file_bytes, &who->table_id);
        return PS_OK;
    }
    for (size = PS_PAGE_SIZE_MIN; size <= PS_PAGE_SIZE_MAX; size *= 2) {
        if (begins_with_pages(w, size, file_bytes, &who->table_id)) {
            who->page_size = size;
            return PS_OK;
        }
    }
    return ps_fail(PS_ERR_UNSUPPORTED, "%s does not begin with native pages of any size", path);
}

/* Zero pages are a fault, but for those at the file's end: room that was taken in advance. */
struct file_scan {
    struct ps_verifier *v;
    struct ps_window *w;
    const char *name;
    struct ps_page_ident who; /* the page that is looked at */
    uint64_t zeros_first;     /* a run of zero pages that ends just before it */
    uint64_t zeros_count;
};

static struct ps_place page_place(const struct file_scan *s, uint64_t page_no)
{
    return (struct ps_place){
        .file = s->name, .page = (int64_t)page_no, .offset = page_no * s->who.page_size};
}

static void report_structure(void *ctx, const char *word, int lp, const char *text)
{
    const struct file_scan *s = ctx;
    const struct ps_place place = page_place(s, s->who.page_no);

    (void)lp; /* the text names it */
    ps_verify_report(s->v, PS_FAULT, &place, word, "%s", text);
}

/* The run of zero pages did not reach the file's end. */
static void report_zeros(struct file_scan *s)
{
    for (; s->zeros_count > 0; s->zeros_count--, s->zeros_first++) {
        const struct ps_place place = page_place(s, s->zeros_first);

        ps_verify_report(s->v, PS_FAULT, &place, "zero", "every byte is zero");
    }
}

static void check_page(struct file_scan *s)
{
    const struct ps_place place = page_place(s, s->who.page_no);
    const uint8_t *page;
    ps_err err;

    s->v->result.pages++;
    ps_verify_progress(s->v, s->name, s->who.page_size);
    err = ps_window_read(s->w, place.offset, s->who.page_size, &page);
    if (!err && ps_page_is_zero(page, s->who.page_size)) {
        if (s->zeros_count++ == 0)
            s->zeros_first = s->who.page_no;
        return;
    }
    report_zeros(s);
    if (err)
        ps_verify_report(s->v, PS_FAULT, &place, "io", "%s", ps_message());
    else if (ps_format_native.verify(page, &s->who) != PS_OK)
        ps_verify_report(s->v, PS_FAULT, &place, ps_verify_word(&ps_format_native, page, &s->who),
                         "%s", ps_message());
    else
        ps_format_native.check(page, &s->who, report_structure, s);
}

static void check_end(struct file_scan *s, uint64_t file_bytes)
{
    const uint64_t rest = file_bytes % s->who.page_size;
    struct ps_place place = page_place(s, s->zeros_first);

    if (s->zeros_count > 0)
        ps_verify_report(s->v, PS_SUSPECT, &place, "leftover",
                         "it and all %" PRIu64 " pages to the file's end are zero", s->zeros_count);
    place.page = -1;
    place.offset = file_bytes - rest;
    if (rest > 0)
        ps_verify_report(s->v, PS_FAULT, &place, "trailing",
                         "%" PRIu64 " bytes at the end are no whole page", rest);
}

static ps_err check_file(struct file_scan *s)
{
    struct ps_io_stat st;
    uint64_t page_no;
    ps_err err;

    err = s->w->file->io->ops->stat(s->w->file, &st);
    if (!err)
        err = find_shape(s->w, s->name, st.size, &s->who);
    if (err)
        return err;
    s->v->bytes_total = st.size;
    for (page_no = 0; page_no < st.size / s->who.page_size; page_no++) {
        s->who.page_no = (uint32_t)page_no;
        check_page(s);
    }
    check_end(s, st.size);
    return PS_OK;
}

/* Splits path into the folder, which takes the place of a store's, and the file in it. */
static ps_err open_folder(const char *path, struct ps_io *given, const char **ret_name,
                          struct ps_io **ret)
{
    const char *slash = strrchr(path, '/');
    char *folder;
    ps_err err;

    *ret_name = given || !slash ? path : slash + 1;
    if (given || !slash)
        return ps_verify_open_io(".", given, ret);
    folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
    if (!folder)
        return ps_fail(PS_ERR_NOMEM, "no memory for a path");
    err = ps_verify_open_io(folder, NULL, ret);
    free(folder);
    return err;
}

ps_err ps_verify_file(const char *path, uint32_t page_size, const struct ps_verify_options *opts,
                      struct ps_verify_result *ret)
{
    struct ps_verifier v = {.opts = opts};
    struct ps_window w = {0};
    struct file_scan s = {.v = &v, .w = &w, .who = {.page_size = page_size}};
    ps_err err;

    err = open_folder(path, opts->io_given, &s.name, &v.io);
    if (err)
        return err;
    err = ps_window_open(&w, v.io, s.name, PS_PAGE_SIZE_MAX);
    if (!err)
        err = check_file(&s);
    ps_window_close(&w);
    if (!opts->io_given)
        ps_io_destroy(v.io);
    if (err)
        return err;
    *ret = v.result;
    return PS_OK;
}
