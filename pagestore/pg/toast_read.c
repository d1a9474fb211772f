/*
 * toast_read.c - chunks of one value after the other, by the index or by one scan of the relation.
 */
#include "pg/toast_read.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/mem.h"
#include "pg/heap_page.h"
#include "pg/toast_index.h"

#define NO_PAGE UINT64_MAX
#define CHUNKS_A_PAGE 4u
#define CHUNK_FIELDS 12u /* bytes of chunk_id, chunk_seq and chunk_data's length */

/* Blocks that a value's chunks lie in. */
struct span {
    ps_oid value;
    uint32_t first, last;
};

struct ps_pg_toast_reader {
    struct ps_pg_catalog *catalog;
    uint32_t db;
    struct ps_cancel *cancel;
    uint32_t page_size;

    ps_oid relation; /* whose these are; 0: of none */
    struct ps_table *table;
    struct ps_pg_toast_index index; /* table NULL: spans serve */
    struct span *spans;
    uint32_t span_count, span_cap;

    uint8_t *page;
    uint64_t page_at; /* the block in page */
};

struct chunk {
    ps_oid value;
    uint32_t seq;
    const uint8_t *data;
    uint32_t len;
};

/* What one value needs while its chunks are found. */
struct fetch {
    struct ps_pg_toast_reader *reader;
    const struct ps_pg_external *external;
    struct ps_text *out;
    uint32_t next_seq, chunk_count, chunk_max;
};

/* TOAST_MAX_CHUNK_SIZE: this many tuples fill a page, each with an OID, a number and a length. */
static uint32_t chunk_max(uint32_t page_size)
{
    const uint32_t room = page_size - PS_PG_HEADER_LEN - CHUNKS_A_PAGE * PS_PG_LP_LEN;
    const uint32_t tuple = room / CHUNKS_A_PAGE / PS_ITEM_ALIGN * PS_ITEM_ALIGN;

    return tuple - PS_PG_TUPLE_LEN_MIN - CHUNK_FIELDS;
}

/* --- chunks --------------------------------------------------------------------------------- */

static ps_err parse_chunk(const uint8_t *bytes, uint32_t len, struct chunk *ret)
{
    struct ps_pg_value values[PS_PG_CHUNK_COLUMNS];
    struct ps_pg_tuple tuple;
    uint32_t good, i;
    ps_err err = ps_pg_tuple_parse(bytes, len, &tuple);

    if (!err)
        err = ps_pg_tuple_values(&tuple, &ps_pg_toast_desc, values, &good);
    if (err)
        return err;
    for (i = 0; i < PS_PG_CHUNK_COLUMNS; i++)
        if (values[i].form != PS_PG_PLAIN)
            return ps_fail(PS_ERR_CORRUPT, "%s of a toast chunk is null or compressed",
                           ps_pg_toast_desc.attrs[i].name);
    ret->value = ps_get32_at(values[PS_PG_CHUNK_ID].data);
    ret->seq = ps_get32_at(values[PS_PG_CHUNK_SEQ].data);
    ret->data = values[PS_PG_CHUNK_DATA].data;
    ret->len = values[PS_PG_CHUNK_DATA].len;
    return PS_OK;
}

static ps_err load_page(struct ps_pg_toast_reader *r, uint32_t block)
{
    ps_err err;

    if (r->page_at == block)
        return PS_OK;
    r->page_at = NO_PAGE;
    err = ps_page_copy(r->table, block, r->cancel, r->page);
    if (!err)
        r->page_at = block;
    return err;
}

/* The chunk at a place of the page that is loaded; false: there is none. */
static bool chunk_at(const struct ps_pg_toast_reader *r, uint32_t slot, struct chunk *ret)
{
    struct ps_lp lp;

    if (slot < 1 || slot > ps_pg_slots(r->page, r->page_size))
        return false;
    lp = ps_pg_lp_of(r->page, slot);
    return lp.flags == PS_LP_NORMAL && ps_pg_lp_fits(&lp, r->page_size) &&
           !parse_chunk(r->page + lp.off, lp.len, ret);
}

static uint32_t chunk_len(const struct fetch *f, uint32_t seq)
{
    return seq + 1 < f->chunk_count ? f->chunk_max : f->external->stored_len - seq * f->chunk_max;
}

/* Takes a chunk if it is the one that comes next. */
static ps_err take_chunk(struct fetch *f, const struct chunk *c)
{
    if (c->value != f->external->value || c->seq != f->next_seq || c->seq >= f->chunk_count)
        return PS_OK;
    if (c->len != chunk_len(f, c->seq))
        return ps_fail(PS_ERR_CORRUPT,
                       "chunk %" PRIu32 " of toast value %" PRIu32 " in relation %" PRIu32
                       " has %" PRIu32 " bytes, not %" PRIu32,
                       c->seq, c->value, f->external->relation, c->len, chunk_len(f, c->seq));
    ps_text_add(f->out, c->data, c->len);
    f->next_seq++;
    return PS_OK;
}

static ps_err take_place(void *ctx, uint32_t seq, struct ps_pg_tid tid)
{
    struct fetch *f = ctx;
    struct chunk c = {0};
    ps_err err;

    if (seq != f->next_seq)
        return PS_OK;
    err = load_page(f->reader, tid.block);
    if (err)
        return err;
    return chunk_at(f->reader, tid.slot, &c) ? take_chunk(f, &c) : PS_OK;
}

/* --- without an index ------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static ps_err note_value(struct ps_pg_toast_reader *r, ps_oid value, uint32_t block)
{
    struct span *last = r->span_count ? &r->spans[r->span_count - 1] : NULL;

    if (last && last->value == value) {
        last->last = block;
        return PS_OK;
    }
    if (r->span_count == r->span_cap) {
        uint32_t cap = r->span_cap ? r->span_cap * 2 : 256;
        struct span *spans = realloc(r->spans, cap * sizeof(*spans));

        if (!spans)
            return ps_fail(PS_ERR_NOMEM, "no memory for %" PRIu32 " values of relation %" PRIu32,
                           cap, r->relation);
        r->spans = spans;
        r->span_cap = cap;
    }
    r->spans[r->span_count++] = (struct span){.value = value, .first = block, .last = block};
    return PS_OK;
}

/* Of each value one span, from its first block to its last. */
static void merge_spans(struct ps_pg_toast_reader *r)
{
    uint32_t i, count = 0;

    if (r->span_count == 0)
        return;
    qsort(r->spans, r->span_count, sizeof(*r->spans), by_value);
    for (i = 1; i < r->span_count; i++) {
        if (r->spans[i].value == r->spans[count].value)
            r->spans[count].last = r->spans[i].last;
        else
            r->spans[++count] = r->spans[i];
    }
    r->span_count = count + 1;
}

/* One scan of the relation. Damaged pages are left out, and their chunks will be missed. */
static ps_err find_spans(struct ps_pg_toast_reader *r)
{
    struct ps_table_info info;
    uint64_t block;
    struct chunk c = {0};
    ps_err err = ps_table_info(r->table, &info);

    block = err ? 0 : ps_pg_first_block(&info);
    while (!err && block < info.pages_end) {
        uint32_t slot, slots;

        err = load_page(r, (uint32_t)block);
        if (err == PS_ERR_CORRUPT) {
            err = PS_OK;
            block++;
            continue;
        }
        slots = err ? 0 : ps_pg_slots(r->page, r->page_size);
        for (slot = 1; slot <= slots && !err; slot++)
            if (chunk_at(r, slot, &c))
                err = note_value(r, c.value, (uint32_t)block);
        if (!err)
            block = ps_foreign_page_after(r->table, block, r->page, info.pages_end);
    }
    merge_spans(r);
    return err;
}

static ps_err take_span(struct fetch *f)
{
    struct ps_pg_toast_reader *r = f->reader;
    const struct span key = {.value = f->external->value};
    uint32_t low = 0, high = r->span_count, block, slot, before;
    struct chunk c = {0};
    ps_err err = PS_OK;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (r->spans[mid].value < key.value)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == r->span_count || r->spans[low].value != key.value)
        return PS_OK;
    do { /* again, while chunks lie in another order than their numbers */
        before = f->next_seq;
        for (block = r->spans[low].first; block <= r->spans[low].last && !err; block++) {
            err = load_page(r, block);
            if (err == PS_ERR_CORRUPT) {
                err = PS_OK;
                continue;
            }
            for (slot = 1; !err && slot <= ps_pg_slots(r->page, r->page_size); slot++)
                if (chunk_at(r, slot, &c))
                    err = take_chunk(f, &c);
        }
    } while (!err && f->next_seq > before && f->next_seq < f->chunk_count);
    return err;
}

/* --- one relation after the other ----------------------------------------------------------- */

static void leave_relation(struct ps_pg_toast_reader *r)
{
    ps_table_unref(r->table);
    ps_table_unref(r->index.table);
    r->table = NULL;
    r->index.table = NULL;
    r->relation = 0;
    r->span_count = 0;
    r->page_at = NO_PAGE;
}

static ps_err open_index(struct ps_pg_toast_reader *r, const struct ps_pg_relation *relation)
{
    const struct ps_pg_relation *index =
        ps_pg_relation_by_oid(r->catalog, r->db, relation->toast_index);
    struct ps_table_info info;
    ps_err err;

    if (!index || index->kind != 'i' || index->file_missing)
        return PS_ERR_NOENT;
    err = ps_table_get(ps_table_store(r->table), index->files[PS_PG_MAIN], &r->index.table);
    if (!err)
        err = ps_table_info(r->index.table, &info);
    r->index.pages_end = err ? 0 : info.pages_end;
    return err;
}

static ps_err enter_relation(struct ps_pg_toast_reader *r, ps_oid relation)
{
    const struct ps_pg_relation *rel = ps_pg_relation_by_oid(r->catalog, r->db, relation);
    ps_err err;

    if (r->relation == relation)
        return PS_OK;
    leave_relation(r);
    if (!rel || rel->file_missing)
        return ps_fail(PS_ERR_NOENT, "toast relation %" PRIu32 " is not there", relation);
    err = ps_table_get(ps_pg_store(ps_pg_catalog_cluster(r->catalog)), rel->files[PS_PG_MAIN],
                       &r->table);
    if (err)
        return err;
    r->relation = relation;
    if (open_index(r, rel)) {
        ps_table_unref(r->index.table);
        r->index.table = NULL;
        err = find_spans(r);
    }
    if (err)
        leave_relation(r);
    return err;
}

static ps_err find_chunks(struct fetch *f)
{
    struct ps_pg_toast_reader *r = f->reader;
    ps_err err;

    if (!r->index.table)
        return take_span(f);
    err = ps_pg_toast_index_find(&r->index, f->external->value, r->cancel, take_place, f);
    if (err != PS_ERR_CORRUPT || f->next_seq == f->chunk_count)
        return err;
    /* The index, or a page of the relation, is damaged: look everywhere. */
    ps_table_unref(r->index.table);
    r->index.table = NULL;
    err = find_spans(r);
    return err ? err : take_span(f);
}

static ps_err fetch(void *ctx, const struct ps_pg_external *external, struct ps_text *out)
{
    struct ps_pg_toast_reader *r = ctx;
    struct fetch f = {
        .reader = r, .external = external, .out = out, .chunk_max = chunk_max(r->page_size)};
    ps_err err = enter_relation(r, external->relation);

    if (err)
        return err;
    f.chunk_count = external->stored_len / f.chunk_max + (external->stored_len % f.chunk_max != 0);
    err = find_chunks(&f);
    if (err)
        return err;
    if (f.next_seq < f.chunk_count)
        return ps_fail(PS_ERR_NOENT,
                       "toast value %" PRIu32 " of relation %" PRIu32 ": chunk %" PRIu32
                       " of %" PRIu32 " is missing",
                       external->value, external->relation, f.next_seq, f.chunk_count);
    return ps_text_err(out);
}

/* --- opening -------------------------------------------------------------------------------- */

ps_err ps_pg_toast_reader_new(struct ps_pg_catalog *catalog, uint32_t db,
                              struct ps_pg_toast_reader **ret)
{
    struct ps_pg_toast_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return ps_fail(PS_ERR_NOMEM, "no memory to read toast relations");
    r->catalog = catalog;
    r->db = db;
    r->page_size = ps_store_page_size(ps_pg_store(ps_pg_catalog_cluster(catalog)));
    r->page_at = NO_PAGE;
    r->page = ps_buf_alloc(r->page_size);
    r->index.page = ps_buf_alloc(r->page_size);
    r->index.page_size = r->page_size;
    if (!r->page || !r->index.page) {
        ps_pg_toast_reader_free(r);
        return ps_fail(PS_ERR_NOMEM, "no memory to read toast relations");
    }
    *ret = r;
    return PS_OK;
}

void ps_pg_toast_reader_free(struct ps_pg_toast_reader *r)
{
    if (!r)
        return;
    leave_relation(r);
    ps_buf_free(r->page);
    ps_buf_free(r->index.page);
    free(r->spans);
    free(r);
}

void ps_pg_toast_reader_cancel(struct ps_pg_toast_reader *r, struct ps_cancel *cancel)
{
    r->cancel = cancel;
}

struct ps_pg_toaster ps_pg_toast_reader_toaster(struct ps_pg_toast_reader *r)
{
    return (struct ps_pg_toaster){.fetch = fetch, .ctx = r};
}
