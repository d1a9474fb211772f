/*
 * verify_table.c - one table as verify reads it: the map's tree, and every page that it says was
 * written.
 *
 * A crashed store's files lag behind its log. What may differ from what recovery will make of it:
 * pages and map nodes of which the log has an image (recovery puts the image down whatever it
 * finds), and, where the map's root is among those, pages whose state changed without a record of
 * their own (freed ones, which are zeros on disk by then). Damage there is PS_NEEDS_RECOVERY, and
 * pages are not held against map entries that are about to change. All else must be right.
 */
#include <inttypes.h>
#include <string.h>

#include "store/verify_internal.h"

struct scan {
    struct ps_verifier *v;
    const struct ps_verify_table *table;
    const struct ps_format *fmt;
    struct ps_map map;
    struct ps_window data, map_file;
    char data_path[32], map_path[32];
    uint64_t data_bytes;
    bool states_changed;                   /* by the log, after what is on disk */
    uint64_t covered;                      /* the map has told about all pages below */
    const char *map_word;                  /* of the map page read last, NULL: it verified */
    uint64_t missing_first, missing_count; /* used pages past the file's end */
};

static struct ps_place page_place(const struct scan *s, uint64_t page_no)
{
    return (struct ps_place){.file = s->data_path,
                             .table = s->table->entry.name,
                             .page = (int64_t)page_no,
                             .offset = page_no * s->v->page_size};
}

static struct ps_place file_place(const struct scan *s, const char *path, uint64_t offset)
{
    return (struct ps_place){
        .file = path, .table = s->table->entry.name, .page = -1, .offset = offset};
}

static bool has_image(const struct scan *s, uint64_t page_no)
{
    return ps_pageset_has(&s->v->data_images, s->table->entry.table, (uint32_t)page_no);
}

/* --- pages -------------------------------------------------------------------------------- */

struct structure_ctx {
    struct scan *s;
    uint32_t page_no;
    enum ps_severity severity;
};

static void report_structure(void *ctx, const char *word, int lp, const char *text)
{
    struct structure_ctx *c = ctx;
    const struct ps_place place = page_place(c->s, c->page_no);

    (void)lp; /* the text names it */
    ps_verify_report(c->s->v, c->severity, &place, word, "%s", text);
}

/* Line pointers and the like. The pages of raw tables are their users' own: in the native format
 * nothing behind the header has a meaning, in PostgreSQL's what is wrong is worth a word. */
static void check_structure(struct scan *s, uint32_t page_no, const uint8_t *page)
{
    const struct ps_page_ident who = {s->v->page_size, page_no, s->table->entry.table};
    const bool raw = s->table->entry.type == PS_PAGE_RAW;
    struct structure_ctx ctx = {s, page_no, PS_FAULT};

    if (raw && s->fmt->id == PS_FORMAT_NATIVE)
        return;
    if (raw)
        ctx.severity = PS_SUSPECT;
    else if (has_image(s, page_no))
        ctx.severity = PS_NEEDS_RECOVERY;
    s->fmt->check(page, &who, report_structure, &ctx);
}

/* The page is the one that was sealed; is it the newest, and is it in order? */
static void check_sound_page(struct scan *s, uint32_t page_no, const uint8_t *page,
                             const struct ps_map_entry *entry)
{
    const struct ps_place place = page_place(s, page_no);
    const bool image = has_image(s, page_no);
    const uint64_t lsn = s->fmt->lsn(page);
    const bool zero = ps_page_is_zero(page, s->v->page_size);

    if (lsn > s->v->end_lsn)
        ps_verify_report(s->v, image ? PS_NEEDS_RECOVERY : PS_FAULT, &place, "lsn",
                         "its LSN %" PRIu64 " lies beyond the log's end %" PRIu64, lsn,
                         s->v->end_lsn);
    else if (entry && !image && (entry->state == PS_ZERO ? !zero : lsn != entry->lsn))
        ps_verify_report(s->v, zero && s->states_changed ? PS_NEEDS_RECOVERY : PS_FAULT, &place,
                         "lost-write",
                         "the page on disk is of LSN %" PRIu64 ", its last change was %" PRIu64,
                         lsn, entry->lsn);
    check_structure(s, page_no, page);
}

static void check_page(struct scan *s, uint32_t page_no, const struct ps_map_entry *entry)
{
    const struct ps_page_ident who = {s->v->page_size, page_no, s->table->entry.table};
    const struct ps_place place = page_place(s, page_no);
    const bool image = has_image(s, page_no);
    const uint8_t *page;
    const char *word;
    bool repaired;

    s->v->result.pages++;
    ps_verify_progress(s->v, s->table->entry.name, who.page_size);
    if (ps_window_read(&s->data, place.offset, who.page_size, &page) != PS_OK) {
        ps_verify_report(s->v, PS_FAULT, &place, "io", "%s", ps_message());
        return;
    }
    if (s->fmt->verify(page, &who) == PS_OK) {
        check_sound_page(s, page_no, page, entry);
        return;
    }
    word = ps_verify_word(s->fmt, page, &who);
    repaired = image || (s->states_changed && strcmp(word, "zero") == 0);
    ps_verify_report(s->v, repaired ? PS_NEEDS_RECOVERY : PS_FAULT, &place, word, "%s",
                     ps_message());
}

/* Pages that the map could say nothing about: what is there must at least be intact. */
static void check_unknown_pages(struct scan *s, uint64_t first, uint64_t end)
{
    const uint64_t file_pages = s->data_bytes / s->v->page_size;
    const uint8_t *page;
    uint64_t page_no;

    for (page_no = first; page_no < end && page_no < file_pages; page_no++)
        if (ps_window_read(&s->data, page_no * s->v->page_size, s->v->page_size, &page) != PS_OK ||
            !ps_page_is_zero(page, s->v->page_size))
            check_page(s, (uint32_t)page_no, NULL);
}

static void cover(struct scan *s, uint64_t first, uint64_t count)
{
    if (first > s->covered)
        check_unknown_pages(s, s->covered, first);
    s->covered = first + count;
}

/* --- the map ------------------------------------------------------------------------------ */

static ps_err judge_map_page(struct scan *s, uint32_t map_page_no, const uint8_t *page)
{
    const struct ps_page_ident who = {s->v->page_size, map_page_no, s->table->entry.table};
    ps_err err;

    s->map_word = NULL;
    err = ps_format_native.verify(page, &who);
    if (err) {
        s->map_word = ps_verify_word(&ps_format_native, page, &who);
        return err;
    }
    if (ps_format_native.lsn(page) > s->v->end_lsn) {
        s->map_word = "lsn";
        return ps_fail(PS_ERR_CORRUPT, "its LSN %" PRIu64 " lies beyond the log's end %" PRIu64,
                       ps_format_native.lsn(page), s->v->end_lsn);
    }
    return PS_OK;
}

static ps_err read_map_page(void *ctx, uint32_t map_page_no, void *buf)
{
    struct scan *s = ctx;
    const uint8_t *page;
    ps_err err;

    err = ps_window_read(&s->map_file, (uint64_t)map_page_no * s->v->page_size, s->v->page_size,
                         &page);
    s->map_word = err ? "io" : NULL;
    if (err)
        return err;
    memcpy(buf, page, s->v->page_size);
    if (ps_page_is_zero(page, s->v->page_size))
        return PS_OK; /* never written; whether that can be is for its parent to say */
    return judge_map_page(s, map_page_no, page);
}

static void report_map_damage(void *ctx, uint32_t map_page_no, const char *text)
{
    struct scan *s = ctx;
    const struct ps_place place = {.file = s->map_path,
                                   .table = s->table->entry.name,
                                   .page = map_page_no,
                                   .offset = (uint64_t)map_page_no * s->v->page_size};
    const bool repaired =
        s->states_changed || ps_pageset_has(&s->v->map_images, s->table->entry.table, map_page_no);

    ps_verify_report(s->v, repaired ? PS_NEEDS_RECOVERY : PS_FAULT, &place,
                     s->map_word ? s->map_word : "map", "%s", text);
    s->map_word = NULL;
}

static ps_err check_entry(void *ctx, uint32_t page_no, const struct ps_map_entry *entry)
{
    struct scan *s = ctx;
    const uint64_t page_end = ((uint64_t)page_no + 1) * s->v->page_size;

    cover(s, page_no, 1);
    if (entry->state != PS_USED && entry->state != PS_ZERO)
        return PS_OK;
    if (page_end <= s->data_bytes || entry->state == PS_ZERO) {
        check_page(s, page_no, entry);
    } else if (!has_image(s, page_no)) {
        if (s->missing_count++ == 0)
            s->missing_first = page_no;
    }
    return PS_OK;
}

static ps_err cover_range(void *ctx, uint64_t first, uint64_t count,
                          const struct ps_map_entry *entry)
{
    (void)entry;
    cover(ctx, first, count);
    return PS_OK;
}

/* --- the files as a whole ----------------------------------------------------------------- */

static void check_length(struct scan *s)
{
    const uint64_t rest = s->data_bytes % s->v->page_size;
    struct ps_place place = file_place(s, s->data_path, s->data_bytes);

    if (s->missing_count > 0) {
        place.page = (int64_t)s->missing_first;
        ps_verify_report(s->v, s->states_changed ? PS_NEEDS_RECOVERY : PS_FAULT, &place, "missing",
                         "the file ends before it, and before %" PRIu64 " used pages in all",
                         s->missing_count);
    } else if (rest > 0) {
        place.offset -= rest;
        ps_verify_report(s->v, PS_SUSPECT, &place, "trailing",
                         "%" PRIu64 " bytes at the end are no whole page", rest);
    }
}

static void check_map_length(struct scan *s)
{
    struct ps_io_stat st;
    struct ps_place place = file_place(s, s->map_path, 0);
    uint64_t rest;

    if (s->map_file.file->io->ops->stat(s->map_file.file, &st) != PS_OK) {
        ps_verify_report(s->v, PS_FAULT, &place, "io", "%s", ps_message());
        return;
    }
    rest = st.size % s->v->page_size;
    place.offset = st.size - rest;
    if (rest > 0)
        ps_verify_report(s->v, PS_SUSPECT, &place, "trailing",
                         "%" PRIu64 " bytes at the end are no whole page", rest);
}

static bool page_is_zero(struct scan *s, uint64_t page_no)
{
    const uint8_t *page;

    return ps_window_read(&s->data, page_no * s->v->page_size, s->v->page_size, &page) == PS_OK &&
           ps_page_is_zero(page, s->v->page_size);
}

/* Behind the last page there should be only zeros. A crash can leave pages that were written there
 * but never became part of the table; nobody reads them. One report for each run of pages. */
static void check_leftover(struct scan *s, uint64_t pages_end)
{
    const uint64_t file_pages = s->data_bytes / s->v->page_size;
    uint64_t page_no, first;

    for (page_no = pages_end; page_no < file_pages; page_no++) {
        first = page_no;
        while (page_no < file_pages && !page_is_zero(s, page_no))
            page_no++;
        if (page_no > first) {
            const struct ps_place place = page_place(s, first);

            ps_verify_report(s->v, PS_SUSPECT, &place, "leftover",
                             "%" PRIu64 " pages that are not zero lie behind the table's end, page "
                             "%" PRIu64,
                             page_no - first, pages_end);
        }
    }
}

static ps_err walk(struct scan *s)
{
    const struct ps_map_source source = {.read = read_map_page,
                                         .damage = report_map_damage,
                                         .each = check_entry,
                                         .range = cover_range,
                                         .ctx = s};
    struct ps_map_summary summary;
    bool whole;
    ps_err err;

    err = ps_map_walk(&s->map, &source, &summary);
    if (err)
        return err;
    whole = s->covered >= PS_MAP_PAGES_MAX;
    cover(s, PS_MAP_PAGES_MAX, 0);
    check_length(s);
    check_map_length(s);
    if (whole && !s->v->crashed)
        check_leftover(s, summary.end);
    return PS_OK;
}

/* False where a file is not there or cannot be opened, which has been reported then. */
static ps_err open_files(struct scan *s, bool *ret_opened)
{
    const char *path = s->data_path;
    struct ps_io_stat st;
    ps_err err;

    *ret_opened = false;
    err = ps_window_open(&s->data, s->v->io, path, s->v->page_size);
    if (!err)
        err = s->data.file->io->ops->stat(s->data.file, &st);
    if (!err) {
        s->data_bytes = st.size;
        path = s->map_path;
        err = ps_window_open(&s->map_file, s->v->io, path, s->v->page_size);
    }
    if (err == PS_ERR_NOMEM)
        return err;
    if (err) {
        const struct ps_place place = file_place(s, path, 0);

        ps_verify_report(s->v, PS_FAULT, &place, err == PS_ERR_NOENT ? "missing" : "io", "%s",
                         ps_message());
    }
    *ret_opened = err == PS_OK;
    return PS_OK;
}

ps_err ps_verify_table(struct ps_verifier *v, const struct ps_verify_table *table)
{
    const uint32_t id = table->entry.table;
    struct scan s = {.v = v, .table = table, .fmt = ps_format_by_id(table->entry.format)};
    bool opened;
    ps_err err;

    ps_table_path(s.data_path, sizeof(s.data_path), id, "pages");
    ps_table_path(s.map_path, sizeof(s.map_path), id, "map");
    ps_map_init(&s.map, NULL, 0, id, v->page_size);
    s.states_changed =
        ps_pageset_has(&v->map_images, id, ps_map_node_page(&s.map, s.map.levels - 1, 0));
    err = open_files(&s, &opened);
    if (!err && opened)
        err = walk(&s);
    ps_window_close(&s.data);
    ps_window_close(&s.map_file);
    return err;
}
