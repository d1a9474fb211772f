/*
 * catalog_columns.c - columns of relations, from pg_attribute, which must describe itself as its
 * built-in layout does.
 */
#include <stdlib.h>
#include <string.h>

#include "pg/catalog_internal.h"

enum {
    ATTRELID,
    ATTNAME,
    ATTTYPID,
    ATTLEN,
    ATTNUM,
    ATTTYPMOD,
    ATTALIGN,
    ATTNOTNULL,
    ATTHASDEF,
    ATTHASMISSING,
    ATTIDENTITY,
    ATTGENERATED,
    ATTISDROPPED,
    ATTCOLLATION,
    ATTMISSINGVAL,
};
static const char *const column_names[] = {
    "attrelid",    "attname",      "atttypid",     "attlen",       "attnum",
    "atttypmod",   "attalign",     "attnotnull",   "atthasdef",    "atthasmissing",
    "attidentity", "attgenerated", "attisdropped", "attcollation", "attmissingval",
};
static const struct ps_pgc_spec spec = {
    .oid = PS_PGC_ATTRIBUTE,
    .name = "pg_attribute",
    .lost = "columns",
    .columns = column_names,
    .column_count = PS_PGC_COUNT(column_names),
};

struct attr_item { /* by relation and attnum */
    struct ps_pgc_key key;
    struct ps_pg_attr attr;
};

struct loading {
    struct ps_pgc_db *db;
    struct ps_pgc_list items;
};

/* --- rows --------------------------------------------------------------------------------- */

/* A missing value is stored as an array of one element: a varlena whose element lies behind its
 * header, the dimension and lower bound. */
#define ARRAY_ELEMENT_AT 24u

static ps_err set_missing(struct loading *l, const struct ps_pgc_row *row, struct ps_pg_attr *attr)
{
    static const uint8_t varlena_header[4];
    struct ps_text array = {0};
    struct ps_pg_value value;
    uint32_t at = ARRAY_ELEMENT_AT;
    bool there;
    ps_err err;

    ps_text_add(&array, varlena_header, sizeof(varlena_header));
    err = ps_pgc_text(row, ATTMISSINGVAL, &array, &there);
    if (!err && there && array.len > ARRAY_ELEMENT_AT &&
        ps_pg_value_take(attr, (const uint8_t *)array.data, (uint32_t)array.len, &at, &value) ==
            PS_OK) {
        attr->missing_len = at - ARRAY_ELEMENT_AT;
        attr->missing = (uint8_t *)ps_pgc_keep(&l->db->strings, array.data + ARRAY_ELEMENT_AT,
                                               attr->missing_len);
        if (!attr->missing)
            err = ps_fail(PS_ERR_NOMEM, "no memory for what columns were in older rows");
    }
    ps_text_deinit(&array);
    return err;
}

static ps_err set_attr(struct loading *l, const struct ps_pgc_row *row, struct ps_pg_attr *attr)
{
    char name[PS_PGC_NAME_MAX + 1];

    ps_pgc_name(row, ATTNAME, name);
    *attr = (struct ps_pg_attr){
        .name = ps_pgc_keep(&l->db->strings, name, strlen(name)),
        .type = ps_pgc_oid(row, ATTTYPID),
        .typmod = ps_pgc_int32(row, ATTTYPMOD),
        .num = ps_pgc_int16(row, ATTNUM),
        .len = ps_pgc_int16(row, ATTLEN),
        .align = ps_pgc_char(row, ATTALIGN),
        .generated = ps_pgc_char(row, ATTGENERATED),
        .identity = ps_pgc_char(row, ATTIDENTITY),
        .not_null = ps_pgc_bool(row, ATTNOTNULL),
        .has_default = ps_pgc_bool(row, ATTHASDEF),
        .has_missing = ps_pgc_bool(row, ATTHASMISSING),
        .dropped = ps_pgc_bool(row, ATTISDROPPED),
        .collation = ps_pgc_oid(row, ATTCOLLATION),
    };
    if (!attr->name)
        return ps_fail(PS_ERR_NOMEM, "no memory for names of columns");
    if (attr->has_missing && ps_pg_layout_valid(attr->len, attr->align))
        return set_missing(l, row, attr);
    return PS_OK;
}

static ps_err add_row(void *ctx, const struct ps_pgc_row *row)
{
    struct loading *l = ctx;
    int16_t num = ps_pgc_int16(row, ATTNUM);
    struct attr_item *item;
    ps_err err;

    if (num <= 0) /* ctid, xmin, ... */
        return PS_OK;
    err = ps_pgc_list_add(&l->items, sizeof(*item), ps_pgc_oid(row, ATTRELID), (ps_oid)num,
                          row->sure, &item);
    return err ? err : set_attr(l, row, &item->attr);
}

/* --- which version ------------------------------------------------------------------------ */

/* pg_attribute describes itself: are there such rows, and do they agree with the layout? */
static bool describes_itself(const struct loading *l, const struct ps_pg_desc *layout,
                             uint32_t *ret_count)
{
    uint32_t i = ps_pgc_list_first(&l->items, PS_PGC_ATTRIBUTE);
    const struct attr_item *item;
    const struct ps_pg_attr *built;

    *ret_count = 0;
    for (; i < l->items.count; i++) {
        item = ps_pgc_list_at(&l->items, i);
        if (item->key.a != PS_PGC_ATTRIBUTE)
            break;
        if (item->key.b > layout->count)
            return false;
        built = &layout->attrs[item->key.b - 1];
        if (strcmp(item->attr.name, built->name) != 0 || item->attr.len != built->len ||
            item->attr.align != built->align)
            return false;
        ++*ret_count;
    }
    return true;
}

static ps_err find_file_as(struct ps_pgc_db *db, uint32_t version, uint32_t *ret_table)
{
    struct ps_pg_desc layout;
    struct ps_pgc_probe probe = {
        .spec = &spec, .desc = &layout, .oid = PS_PGC_ATTRIBUTE, .name = column_names[0]};
    ps_err err;

    err = ps_pgc_layout(PS_PGC_ATTRIBUTE, version, &layout);
    if (err)
        return err;
    err = ps_pgc_find_file(db, &probe, ret_table);
    ps_pg_desc_deinit(&layout);
    return err;
}

/* Reads pg_attribute as of the version. *ret_good: its rows agree; where those about itself are
 * lost, `believe` decides. */
static ps_err load_as(struct loading *l, uint32_t table, uint32_t version, bool believe,
                      bool *ret_good)
{
    struct ps_pgc_met met = {0};
    struct ps_pg_desc layout;
    uint32_t found = 0;
    ps_err err;

    ps_pgc_list_deinit(&l->items);
    err = ps_pgc_layout(PS_PGC_ATTRIBUTE, version, &layout);
    if (err)
        return err;
    err = ps_pgc_read_as(l->db, &spec, &layout, table, add_row, l, &met);
    ps_pgc_list_settle(&l->items);
    *ret_good = !err && l->items.count > 0 && describes_itself(l, &layout, &found) &&
                (found > 0 || (believe && met.bad_pages + met.bad_rows > 0));
    if (*ret_good)
        ps_pgc_note_damage(l->db, &spec, &met);
    ps_pg_desc_deinit(&layout);
    return err;
}

static ps_err load_any(struct loading *l)
{
    uint32_t version = ps_pg_version(l->db->catalog->cluster);
    const uint32_t *other;
    uint32_t table = 0;
    bool good = false;
    ps_err err;

    err = find_file_as(l->db, version, &table);
    for (other = ps_pgc_attribute_versions; !err && table == 0 && *other != 0; other++)
        err = find_file_as(l->db, *other, &table);
    if (err || table == 0)
        return err;
    if (version != 0)
        err = load_as(l, table, version, true, &good);
    for (other = ps_pgc_attribute_versions; !err && !good && *other != 0; other++)
        err = load_as(l, table, *other, false, &good);
    if (!good)
        ps_pgc_list_deinit(&l->items);
    return err;
}

/* --- lists -------------------------------------------------------------------------------- */

/* The columns of one relation, from items[first] on; returns how many there are. */
static uint32_t take_columns(struct ps_pgc_db *db, const struct ps_pgc_list *items, uint32_t first,
                             struct ps_pgc_columns *ret)
{
    const struct attr_item *item;
    uint32_t count = 0;

    ret->desc.attrs = db->attrs + first;
    ret->sound = true;
    for (; first + count < items->count; count++) {
        item = ps_pgc_list_at(items, first + count);
        if (item->key.a != ret->key.a)
            break;
        db->attrs[first + count] = item->attr;
        ret->sound &=
            item->key.b == count + 1 && ps_pg_layout_valid(item->attr.len, item->attr.align);
    }
    ret->sound &= count <= PS_PG_ATTRS_MAX;
    ret->desc.count = count;
    return count;
}

static ps_err keep_columns(struct ps_pgc_db *db, const struct ps_pgc_list *items)
{
    const struct attr_item *item;
    struct ps_pgc_columns *columns;
    uint32_t first = 0;
    ps_err err;

    db->attrs = calloc(items->count + 1u, sizeof(*db->attrs));
    if (!db->attrs)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u columns", items->count);
    while (first < items->count) {
        item = ps_pgc_list_at(items, first);
        err = ps_pgc_list_add(&db->columns, sizeof(*columns), item->key.a, 0, true, &columns);
        if (err)
            return err;
        first += take_columns(db, items, first, columns);
    }
    ps_pgc_list_settle(&db->columns);
    return PS_OK;
}

ps_err ps_pgc_load_columns(struct ps_pgc_db *db)
{
    struct loading l = {.db = db};
    ps_err err = load_any(&l);

    if (!err && l.items.count == 0)
        ps_pg_note(db->catalog->cluster,
                   "%s: pg_attribute cannot be read: columns, and most catalogs, are not known",
                   db->dir);
    if (!err)
        err = keep_columns(db, &l.items);
    ps_pgc_list_deinit(&l.items);
    return err;
}

const struct ps_pgc_columns *ps_pgc_columns(const struct ps_pgc_db *db, ps_oid relation)
{
    const struct ps_pgc_columns *columns = ps_pgc_list_find(&db->columns, relation, 0);

    return columns && columns->sound ? columns : NULL;
}

ps_err ps_pgc_catalog_desc(const struct ps_pgc_db *db, ps_oid catalog, struct ps_pg_desc *built,
                           const struct ps_pg_desc **ret)
{
    const struct ps_pgc_columns *columns = ps_pgc_columns(db, catalog);
    ps_err err;

    *built = (struct ps_pg_desc){0};
    *ret = built;
    err = ps_pgc_layout(catalog, ps_pg_version(db->catalog->cluster), built);
    if (columns && (err == PS_ERR_NOENT || (!err && columns->desc.count >= built->count))) {
        *ret = &columns->desc;
        return PS_OK;
    }
    return err;
}
