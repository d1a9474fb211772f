/*
 * rows.c - scans of a relation for CSV: its rows that are visible, dead or undecided.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "pg/heap_page.h"
#include "pg/output.h"
#include "pg/rows.h"
#include "pg/toast_read.h"
#include "pg/visibility.h"

#define NO_COLUMN UINT32_MAX

struct ps_pg_scan {
    struct ps_pg_catalog *catalog;
    struct ps_pg_cluster *cluster;
    uint32_t db;
    enum ps_pg_rows what;
    bool skip;
    bool header_done;
    const struct ps_pg_desc *desc; /* of the relation that was asked for */

    /* The relations whose pages are read: that one itself, or its leaves. */
    const struct ps_pg_relation **heaps;
    uint32_t heap_count, heap_at;

    /* Of the one that is read now. */
    struct ps_table *table; /* NULL: none is */
    uint64_t block, pages_end;
    const struct ps_pg_desc *heap_desc;
    uint32_t *column_of; /* of each column of desc: which of heap_desc it is; NULL: the same */
    struct ps_pg_value *values; /* of heap_desc */
    struct ps_pg_value *row;    /* of desc */

    /* The damage that the scan has come to: it goes no further. */
    ps_err failed;
    char failure[256];

    uint32_t page_size;
    uint8_t *page;
    struct ps_pg_toast_reader *toast;
    struct ps_pg_printer *printer;
};

/* --- from relation to relation -------------------------------------------------------------- */

static void leave_heap(struct ps_pg_scan *s)
{
    ps_table_unref(s->table);
    s->table = NULL;
    free(s->column_of);
    free(s->values);
    s->column_of = NULL;
    s->values = NULL;
}

static uint32_t column_named(const struct ps_pg_desc *desc, const char *name)
{
    uint32_t i;

    for (i = 0; i < desc->count; i++)
        if (!desc->attrs[i].dropped && strcmp(desc->attrs[i].name, name) == 0)
            return i;
    return NO_COLUMN;
}

/* A partition's columns may be in another order than its parent's. */
static ps_err map_columns(struct ps_pg_scan *s)
{
    uint32_t i;

    if (s->heap_desc == s->desc)
        return PS_OK;
    s->column_of = malloc((s->desc->count + 1) * sizeof(*s->column_of));
    if (!s->column_of)
        return ps_fail(PS_ERR_NOMEM, "no memory for %" PRIu32 " columns", s->desc->count);
    for (i = 0; i < s->desc->count; i++)
        s->column_of[i] = s->desc->attrs[i].dropped
                              ? NO_COLUMN
                              : column_named(s->heap_desc, s->desc->attrs[i].name);
    return PS_OK;
}

static ps_err enter_heap(struct ps_pg_scan *s, const struct ps_pg_relation *heap)
{
    struct ps_table_info info;
    ps_err err = ps_table_get(ps_pg_store(s->cluster), heap->files[PS_PG_MAIN], &s->table);

    if (!err)
        err = ps_table_info(s->table, &info);
    if (err)
        return err;
    s->block = ps_pg_first_block(&info);
    s->pages_end = info.pages_end;
    if (heap->file_missing)
        return ps_fail(PS_ERR_CORRUPT, "%s: its file %" PRIu32 " is missing", heap->dir,
                       heap->node);
    err = ps_pg_relation_desc(s->catalog, s->db, heap, &s->heap_desc);
    if (err)
        return err;
    s->values = calloc(s->heap_desc->count + 1, sizeof(*s->values));
    if (!s->values)
        return ps_fail(PS_ERR_NOMEM, "no memory for %" PRIu32 " values", s->heap_desc->count);
    return map_columns(s);
}

/* --- a row ---------------------------------------------------------------------------------- */

static const struct ps_pg_value *row_of(struct ps_pg_scan *s)
{
    uint32_t i;

    if (!s->column_of)
        return s->values;
    for (i = 0; i < s->desc->count; i++)
        s->row[i] = s->column_of[i] == NO_COLUMN ? (struct ps_pg_value){.form = PS_PG_NULL}
                                                 : s->values[s->column_of[i]];
    return s->row;
}

static bool wanted(const struct ps_pg_scan *s, enum ps_pg_seen seen)
{
    switch (s->what) {
    case PS_PG_ROWS:
        return seen == PS_PG_SEEN;
    case PS_PG_DEAD_ROWS:
        return seen == PS_PG_DEAD;
    default:
        return seen == PS_PG_UNDECIDED;
    }
}

/* What became of a row that is dead; a newer version has another place. */
static const char *why(const struct ps_pg_tuple *t, const struct ps_pg_verdict *v, uint32_t block,
                       uint32_t slot)
{
    bool itself = t->ctid_block == block && t->ctid_slot == slot;

    return strcmp(v->why, "deleted") == 0 && !itself ? "updated" : v->why;
}

static ps_err add_row(struct ps_pg_scan *s, uint32_t block, uint32_t slot, struct ps_text *out)
{
    struct ps_lp lp = ps_pg_lp_of(s->page, slot);
    struct ps_pg_verdict v;
    struct ps_pg_tuple t;
    uint32_t good;
    ps_err err;

    if (lp.flags != PS_LP_NORMAL)
        return PS_OK;
    if (!ps_pg_lp_fits(&lp, s->page_size))
        return ps_fail(PS_ERR_CORRUPT, "line pointer names bytes %" PRIu32 " to %" PRIu32, lp.off,
                       lp.off + lp.len);
    err = ps_pg_tuple_parse(s->page + lp.off, lp.len, &t);
    if (err)
        return err;
    v = ps_pg_visible(&t, ps_pg_catalog_xacts(s->catalog));
    if (!wanted(s, v.seen))
        return PS_OK;
    err = ps_pg_tuple_values(&t, s->heap_desc, s->values, &good);
    if (err)
        return err;
    if (s->what != PS_PG_ROWS)
        ps_text_printf(out, "\"(%" PRIu32 ",%" PRIu32 ")\",%" PRIu32 ",%" PRIu32 ",%s,", block,
                       slot, t.xmin, t.xmax, why(&t, &v, block, slot));
    return ps_pg_csv_row(s->printer, s->desc, row_of(s), out);
}

/* --- a page --------------------------------------------------------------------------------- */

static bool is_damage(ps_err err)
{
    return err == PS_ERR_CORRUPT || err == PS_ERR_NOENT;
}

/* Appends what there is before the first damage, and its error. */
static ps_err add_page(struct ps_pg_scan *s, uint32_t block, struct ps_text *out)
{
    uint32_t slot, slots = ps_pg_slots(s->page, s->page_size);

    for (slot = 1; slot <= slots; slot++) {
        size_t len = out->len;
        ps_err err;

        err = add_row(s, block, slot, out);
        if (!err)
            continue;
        out->len = len;
        if (!s->skip || !is_damage(err))
            return ps_fail_in(err, "block %" PRIu32 ", line pointer %" PRIu32, block, slot);
    }
    return PS_OK;
}

/* Where the header cannot be, what seem to be line pointers may be anything: a server refuses the
 * page, too, whatever its checksum says. */
static ps_err read_page(struct ps_pg_scan *s, uint32_t block, struct ps_cancel *cancel)
{
    const struct ps_page_ident who = {.page_size = s->page_size, .page_no = block};
    ps_err err = ps_page_copy(s->table, block, cancel, s->page);

    return err ? err : ps_format_postgres.verify_header(s->page, &who);
}

static ps_err next_page(struct ps_pg_scan *s, struct ps_cancel *cancel, struct ps_text *out)
{
    uint32_t block = (uint32_t)s->block;
    const ps_err damage = read_page(s, block, cancel);
    ps_err err;

    if (damage && !(damage == PS_ERR_CORRUPT && s->skip))
        return damage;
    err = damage ? PS_OK : add_page(s, block, out);
    if (err)
        return err;
    s->block =
        damage ? s->block + 1 : ps_foreign_page_after(s->table, s->block, s->page, s->pages_end);
    return PS_OK;
}

/* Rows before the damage are given first; whoever asks for more gets the error, and again. */
static ps_err fail_for_good(struct ps_pg_scan *s, ps_err err, bool any_text)
{
    if (!is_damage(err))
        return err;
    s->failed = err;
    (void)snprintf(s->failure, sizeof(s->failure), "%s", ps_message());
    return any_text ? PS_OK : err;
}

/* --- the scan --------------------------------------------------------------------------------- */

static void add_header(struct ps_pg_scan *s, struct ps_text *out)
{
    static const char place[] = "ctid,xmin,xmax,why,";

    s->header_done = true;
    if (s->what != PS_PG_ROWS)
        ps_text_add(out, place, sizeof(place) - 1);
    ps_pg_csv_header(s->desc, out);
}

ps_err ps_pg_scan_step(struct ps_pg_scan *s, struct ps_cancel *cancel, struct ps_text *out,
                       bool *ret_done)
{
    size_t len = out->len;
    ps_err err = PS_OK;

    *ret_done = false;
    if (s->failed)
        return ps_fail(s->failed, "%s", s->failure);
    ps_pg_toast_reader_cancel(s->toast, cancel);
    if (!s->header_done)
        add_header(s, out);
    while (s->heap_at < s->heap_count) {
        err = s->table ? PS_OK : enter_heap(s, s->heaps[s->heap_at]);
        if (!err && s->block < s->pages_end) {
            err = next_page(s, cancel, out);
            if (!err)
                err = ps_text_err(out);
            return err ? fail_for_good(s, err, out->len > len) : PS_OK;
        }
        if (err && !(s->skip && is_damage(err)))
            return fail_for_good(s, err, out->len > len);
        leave_heap(s);
        s->heap_at++;
    }
    *ret_done = true;
    return ps_text_err(out);
}

static void tell_unknown(void *ctx, ps_oid type)
{
    struct ps_pg_scan *s = ctx;

    ps_pg_catalog_unknown_type(s->catalog, s->db, type);
}

static ps_err open_printer(struct ps_pg_scan *s)
{
    struct ps_pg_toaster toaster;
    ps_err err = ps_pg_toast_reader_new(s->catalog, s->db, &s->toast);

    if (err)
        return err;
    toaster = ps_pg_toast_reader_toaster(s->toast);
    return ps_pg_printer_new(ps_pg_catalog_types(s->catalog, s->db), &toaster, tell_unknown, s,
                             &s->printer);
}

static ps_err open_heaps(struct ps_pg_scan *s, const struct ps_pg_relation *relation)
{
    if (relation->kind == 'p')
        return ps_pg_relation_leaves(s->catalog, s->db, relation, &s->heaps, &s->heap_count);
    s->heaps = malloc(sizeof(const struct ps_pg_relation *));
    if (!s->heaps)
        return ps_fail(PS_ERR_NOMEM, "no memory for a scan");
    s->heaps[0] = relation;
    s->heap_count = 1;
    return PS_OK;
}

ps_err ps_pg_scan_open(struct ps_pg_catalog *catalog, uint32_t db,
                       const struct ps_pg_relation *relation, enum ps_pg_rows what, bool skip,
                       struct ps_pg_scan **ret)
{
    struct ps_pg_scan *s = calloc(1, sizeof(*s));
    ps_err err;

    if (!s)
        return ps_fail(PS_ERR_NOMEM, "no memory for a scan");
    s->catalog = catalog;
    s->cluster = ps_pg_catalog_cluster(catalog);
    s->db = db;
    s->what = what;
    s->skip = skip;
    s->page_size = ps_store_page_size(ps_pg_store(s->cluster));
    s->page = ps_buf_alloc(s->page_size);
    err = s->page ? open_heaps(s, relation) : ps_fail(PS_ERR_NOMEM, "no memory for a page");
    if (!err)
        err = ps_pg_relation_desc(catalog, db, relation, &s->desc);
    if (!err) {
        s->row = calloc(s->desc->count + 1, sizeof(*s->row));
        err = s->row ? open_printer(s) : ps_fail(PS_ERR_NOMEM, "no memory for a row");
    }
    if (err) {
        ps_pg_scan_close(s);
        return err;
    }
    *ret = s;
    return PS_OK;
}

void ps_pg_scan_close(struct ps_pg_scan *s)
{
    if (!s)
        return;
    leave_heap(s);
    ps_pg_printer_free(s->printer);
    ps_pg_toast_reader_free(s->toast);
    ps_buf_free(s->page);
    free(s->heaps);
    free(s->row);
    free(s);
}
