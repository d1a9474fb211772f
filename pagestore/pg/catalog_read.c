/*
 * catalog_read.c - pages of a catalog, their rows, and the wanted columns of a row.
 */
#include "pg/catalog_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "base/mem.h"
#include "pagestore/foreign.h"
#include "pg/heap_page.h"

/* --- values ------------------------------------------------------------------------------- */

const struct ps_pg_value *ps_pgc_value(const struct ps_pgc_row *row, unsigned column)
{
    const struct ps_pg_value *v;

    if (row->columns[column] < 0)
        return NULL;
    v = &row->values[row->columns[column]];
    return v->form == PS_PG_NULL ? NULL : v;
}

/* Up to 8 bytes of a fixed-length value, little-endian. */
static uint64_t fixed(const struct ps_pgc_row *row, unsigned column, uint32_t len)
{
    const struct ps_pg_value *v = ps_pgc_value(row, column);
    ps_le64 bytes = {{0}};

    if (!v || v->form != PS_PG_PLAIN || v->len < len)
        return 0;
    memcpy(bytes.b, v->data, len);
    return ps_get64(bytes);
}

ps_oid ps_pgc_oid(const struct ps_pgc_row *row, unsigned column)
{
    return (ps_oid)fixed(row, column, 4);
}

int64_t ps_pgc_int64(const struct ps_pgc_row *row, unsigned column)
{
    return (int64_t)fixed(row, column, 8);
}

int32_t ps_pgc_int32(const struct ps_pgc_row *row, unsigned column)
{
    return (int32_t)fixed(row, column, 4);
}

int16_t ps_pgc_int16(const struct ps_pgc_row *row, unsigned column)
{
    return (int16_t)fixed(row, column, 2);
}

bool ps_pgc_bool(const struct ps_pgc_row *row, unsigned column)
{
    return fixed(row, column, 1) != 0;
}

char ps_pgc_char(const struct ps_pgc_row *row, unsigned column)
{
    return (char)fixed(row, column, 1);
}

void ps_pgc_name(const struct ps_pgc_row *row, unsigned column, char buf[PS_PGC_NAME_MAX + 1])
{
    const struct ps_pg_value *v = ps_pgc_value(row, column);
    size_t len = 0;

    if (v && v->form == PS_PG_PLAIN)
        len = strnlen((const char *)v->data, v->len < PS_PGC_NAME_MAX ? v->len : PS_PGC_NAME_MAX);
    if (len > 0)
        memcpy(buf, v->data, len);
    buf[len] = '\0';
}

ps_err ps_pgc_text(const struct ps_pgc_row *row, unsigned column, struct ps_text *out,
                   bool *ret_there)
{
    const struct ps_pg_value *v = ps_pgc_value(row, column);
    struct ps_text buf = {0};
    const uint8_t *data;
    uint32_t len;
    ps_err err;

    *ret_there = false;
    if (!v)
        return PS_OK;
    err = ps_pg_detoast(v, NULL, &buf, &data, &len);
    if (!err) {
        *ret_there = true;
        ps_text_add(out, data, len);
        err = ps_text_err(out);
    }
    ps_text_deinit(&buf);
    return err == PS_ERR_NOMEM ? err : PS_OK;
}

/* After the varlena header: dimensions, offset of the data (0: no nulls), element type; then for
 * each dimension its length, for each its lower bound. */
#define VECTOR_HEADER 20u

static uint32_t elements_of(const struct ps_text *array, uint32_t elem_len, uint32_t *ret,
                            uint32_t max)
{
    const uint8_t *at = (const uint8_t *)array->data;
    uint32_t i, count;

    if (array->len < VECTOR_HEADER || ps_get32_at(at) != 1 || ps_get32_at(at + 4) != 0)
        return 0;
    count = ps_get32_at(at + 12);
    if (count > max || count > (array->len - VECTOR_HEADER) / elem_len)
        return 0;
    at += VECTOR_HEADER;
    for (i = 0; i < count; i++, at += elem_len)
        ret[i] = elem_len == 2 ? ps_get16_at(at) : ps_get32_at(at);
    return count;
}

ps_err ps_pgc_vector(const struct ps_pgc_row *row, unsigned column, uint32_t elem_len,
                     uint32_t *ret, uint32_t max, uint32_t *ret_count)
{
    struct ps_text array = {0};
    bool there;
    ps_err err = ps_pgc_text(row, column, &array, &there);

    *ret_count = !err && there ? elements_of(&array, elem_len, ret, max) : 0;
    ps_text_deinit(&array);
    return err;
}

/* --- rows --------------------------------------------------------------------------------- */

static int column_of(const struct ps_pg_desc *desc, const char *name)
{
    uint32_t i;

    for (i = 0; i < desc->count; i++)
        if (!desc->attrs[i].dropped && strcmp(desc->attrs[i].name, name) == 0)
            return (int)i;
    return -1;
}

ps_err ps_pgc_reader_init(struct ps_pgc_reader *r)
{
    uint32_t i;

    r->columns = calloc(r->name_count + 1u, sizeof(*r->columns));
    r->values = calloc(r->desc->count + 1u, sizeof(*r->values));
    if (!r->columns || !r->values) {
        ps_pgc_reader_deinit(r);
        return ps_fail(PS_ERR_NOMEM, "no memory to read a catalog");
    }
    for (i = 0; i < r->name_count; i++)
        r->columns[i] = column_of(r->desc, r->names[i]);
    return PS_OK;
}

void ps_pgc_reader_deinit(struct ps_pgc_reader *r)
{
    free(r->columns);
    free(r->values);
    r->columns = NULL;
    r->values = NULL;
}

/* The tuple's values; false: it has too few that are good. */
static bool read_values(struct ps_pgc_reader *r, const struct ps_pg_tuple *tuple)
{
    uint32_t good;

    if (!ps_pg_tuple_values(tuple, r->desc, r->values, &good))
        return true;
    if (r->enough == 0 || good < r->enough)
        return false;
    for (; good < r->desc->count; good++)
        r->values[good] = (struct ps_pg_value){.form = PS_PG_NULL};
    return true;
}

static ps_err read_row(struct ps_pgc_reader *r, const uint8_t *item, uint32_t len)
{
    struct ps_pgc_row row = {.values = r->values, .columns = r->columns, .sure = true};
    struct ps_pg_verdict verdict;
    struct ps_pg_tuple tuple;

    if (ps_pg_tuple_parse(item, len, &tuple)) {
        r->met.bad_rows++;
        return PS_OK;
    }
    verdict = ps_pg_visible(&tuple, r->xacts);
    if (verdict.seen == PS_PG_DEAD)
        return PS_OK;
    if (tuple.natts > r->desc->count) /* built-in layouts know no more than they need */
        tuple.natts = (uint16_t)r->desc->count;
    if (!read_values(r, &tuple)) {
        r->met.bad_rows++;
        return PS_OK;
    }
    if (verdict.seen == PS_PG_UNDECIDED) {
        r->met.unsure_rows++;
        row.sure = false;
    }
    return r->row(r->ctx, &row);
}

/* Rows of one page, whatever its bytes are. */
static ps_err read_page(struct ps_pgc_reader *r, const uint8_t *page, uint32_t page_size)
{
    uint32_t slot, slots = ps_pg_slots(page, page_size);
    struct ps_lp lp;
    ps_err err = PS_OK;

    for (slot = 1; !err && slot <= slots; slot++) {
        lp = ps_pg_lp_of(page, slot);
        if (lp.flags != PS_LP_NORMAL)
            continue;
        if (ps_pg_lp_fits(&lp, page_size))
            err = read_row(r, page + lp.off, lp.len);
        else
            r->met.bad_rows++;
    }
    return err;
}

static void count_bad_page(struct ps_pgc_reader *r, uint32_t page_no)
{
    if (r->met.bad_pages++ == 0)
        r->met.first_bad_page = page_no;
}

ps_err ps_pgc_read_table(struct ps_pgc_reader *r, struct ps_table *table, bool serve)
{
    uint32_t page_size = ps_store_page_size(ps_table_store(table));
    struct ps_table_info info;
    uint64_t page_no = 0;
    uint8_t *page;
    ps_err err;

    err = ps_table_info(table, &info);
    if (err)
        return err;
    page = ps_buf_alloc(page_size);
    if (!page)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page of %u bytes", page_size);
    while (!err && page_no < info.pages_end) {
        const ps_err damage = ps_page_copy(table, (uint32_t)page_no, NULL, page);

        if (damage)
            count_bad_page(r, (uint32_t)page_no);
        if (!damage || (damage == PS_ERR_CORRUPT && serve))
            err = read_page(r, page, page_size);
        page_no =
            damage ? page_no + 1 : ps_foreign_page_after(table, page_no, page, info.pages_end);
    }
    ps_buf_free(page);
    return err;
}
