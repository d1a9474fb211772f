/*
 * schema_load.c - the catalogs that only schema.sql asks: constraints, defaults, indexes,
 * sequences, and which of those belong to identity columns.
 */
#include <stdlib.h>

#include "pg/schema_internal.h"

#define EXPRESSION_MAX (256u * 1024u)

/* --- values ------------------------------------------------------------------------------- */

/* NULL: there is none, it is kept elsewhere, or nobody would want to read it. */
static ps_err keep_text(struct ps_pgc_db *db, const struct ps_pgc_row *row, unsigned column,
                        const char **ret)
{
    struct ps_text text = {0};
    bool there;
    ps_err err = ps_pgc_text(row, column, &text, &there);

    *ret = NULL;
    if (!err && there && text.len > 0 && text.len <= EXPRESSION_MAX) {
        *ret = ps_pgc_keep(&db->strings, text.data, text.len);
        if (!*ret)
            err = ps_fail(PS_ERR_NOMEM, "no memory for expressions");
    }
    ps_text_deinit(&text);
    return err;
}

/* --- pg_constraint ------------------------------------------------------------------------ */

enum {
    CON_OID,
    CON_NAME,
    CON_TYPE,
    CON_RELID,
    CON_TYPID,
    CON_DEFERRABLE,
    CON_DEFERRED,
    CON_NO_INHERIT,
    CON_VALIDATED,
    CON_PERIOD,
    CON_INDEX,
    CON_KEY,
    CON_BIN
};
static const char *const constraint_columns[] = {
    "oid",           "conname",     "contype",      "conrelid",     "contypid",
    "condeferrable", "condeferred", "connoinherit", "convalidated", "conperiod",
    "conindid",      "conkey",      "conbin"};
static const struct ps_pgc_spec constraint_spec = {
    .oid = PS_PGC_CONSTRAINT,
    .name = "pg_constraint",
    .lost = "constraints",
    .columns = constraint_columns,
    .column_count = PS_PGC_COUNT(constraint_columns),
};

static ps_err add_constraint(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    ps_oid relation = ps_pgc_oid(row, CON_RELID);
    struct ps_pgc_constraint *c;
    ps_err err;

    err = ps_pgc_list_add(relation ? &db->schema->constraints : &db->schema->type_constraints,
                          sizeof(*c), relation ? relation : ps_pgc_oid(row, CON_TYPID),
                          ps_pgc_oid(row, CON_OID), row->sure, &c);
    if (err)
        return err;
    c->type = ps_pgc_char(row, CON_TYPE);
    c->deferrable = ps_pgc_bool(row, CON_DEFERRABLE);
    c->deferred = ps_pgc_bool(row, CON_DEFERRED);
    c->no_inherit = ps_pgc_bool(row, CON_NO_INHERIT);
    c->validated = ps_pgc_bool(row, CON_VALIDATED);
    c->without_overlaps = ps_pgc_bool(row, CON_PERIOD);
    c->index = ps_pgc_oid(row, CON_INDEX);
    err = ps_pgc_vector(row, CON_KEY, 2, c->keys, PS_PGC_INDEX_KEYS_MAX, &c->key_count);
    if (!err)
        err = ps_pgc_keep_name(db, row, CON_NAME, &c->name);
    return err ? err : keep_text(db, row, CON_BIN, &c->expression);
}

/* --- pg_attrdef --------------------------------------------------------------------------- */

static const char *const default_columns[] = {"adrelid", "adnum", "adbin"};
static const struct ps_pgc_spec default_spec = {
    .oid = PS_PGC_ATTRDEF,
    .name = "pg_attrdef",
    .lost = "defaults of columns",
    .columns = default_columns,
    .column_count = PS_PGC_COUNT(default_columns),
};

static ps_err add_default(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_default *d;
    ps_err err;

    err = ps_pgc_list_add(&db->schema->defaults, sizeof(*d), ps_pgc_oid(row, 0),
                          (ps_oid)ps_pgc_int16(row, 1), row->sure, &d);
    return err ? err : keep_text(db, row, 2, &d->expression);
}

/* --- pg_index, pg_opclass ----------------------------------------------------------------- */

enum {
    IND_RELID,
    IND_OID,
    IND_UNIQUE,
    IND_NULLS_NOT_DISTINCT,
    IND_VALID,
    IND_KEYS,
    IND_KEY_COUNT,
    IND_COLLATION,
    IND_CLASS,
    IND_OPTION,
    IND_EXPRS,
    IND_PRED
};
static const char *const index_columns[] = {
    "indrelid",    "indexrelid",   "indisunique", "indnullsnotdistinct", "indisvalid", "indkey",
    "indnkeyatts", "indcollation", "indclass",    "indoption",           "indexprs",   "indpred"};
static const struct ps_pgc_spec index_spec = {
    .oid = PS_PGC_INDEX,
    .name = "pg_index",
    .lost = "columns of indexes",
    .columns = index_columns,
    .column_count = PS_PGC_COUNT(index_columns),
};

static ps_err add_index(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_index *x;
    int16_t key_count = ps_pgc_int16(row, IND_KEY_COUNT);
    uint32_t classes = 0, collations = 0, options = 0;
    ps_err err;

    err = ps_pgc_list_add(&db->schema->indexes, sizeof(*x), ps_pgc_oid(row, IND_RELID),
                          ps_pgc_oid(row, IND_OID), row->sure, &x);
    if (err)
        return err;
    x->unique = ps_pgc_bool(row, IND_UNIQUE);
    x->nulls_not_distinct = ps_pgc_bool(row, IND_NULLS_NOT_DISTINCT);
    x->valid = ps_pgc_bool(row, IND_VALID);
    x->plain = !ps_pgc_value(row, IND_EXPRS) && !ps_pgc_value(row, IND_PRED);
    err = ps_pgc_vector(row, IND_KEYS, 2, x->columns, PS_PGC_INDEX_KEYS_MAX, &x->column_count);
    if (!err)
        err = ps_pgc_vector(row, IND_CLASS, 4, x->classes, PS_PGC_INDEX_KEYS_MAX, &classes);
    if (!err)
        err =
            ps_pgc_vector(row, IND_COLLATION, 4, x->collations, PS_PGC_INDEX_KEYS_MAX, &collations);
    if (!err)
        err = ps_pgc_vector(row, IND_OPTION, 2, x->options, PS_PGC_INDEX_KEYS_MAX, &options);
    x->key_count = key_count > 0 && (uint32_t)key_count < x->column_count ? (uint32_t)key_count
                                                                          : x->column_count;
    if (classes < x->key_count || collations < x->key_count || options < x->key_count)
        x->plain = false;
    return err;
}

static const char *const opclass_columns[] = {"oid", "opcname", "opcnamespace", "opcdefault"};
static const struct ps_pgc_spec opclass_spec = {
    .oid = PS_PGC_OPCLASS,
    .name = "pg_opclass",
    .lost = "operator classes of indexes",
    .columns = opclass_columns,
    .column_count = PS_PGC_COUNT(opclass_columns),
};

static ps_err add_opclass(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_opclass *o;
    ps_err err;

    err = ps_pgc_list_add(&db->schema->opclasses, sizeof(*o), ps_pgc_oid(row, 0), 0, row->sure, &o);
    if (err)
        return err;
    o->schema = ps_pgc_oid(row, 2);
    o->is_default = ps_pgc_bool(row, 3);
    return ps_pgc_keep_name(db, row, 1, &o->name);
}

/* --- pg_sequence -------------------------------------------------------------------------- */

enum { SEQ_RELID, SEQ_TYPE, SEQ_START, SEQ_INCREMENT, SEQ_MAX, SEQ_MIN, SEQ_CACHE, SEQ_CYCLE };
static const char *const sequence_columns[] = {"seqrelid", "seqtypid", "seqstart", "seqincrement",
                                               "seqmax",   "seqmin",   "seqcache", "seqcycle"};
static const struct ps_pgc_spec sequence_spec = {
    .oid = PS_PGC_SEQUENCE,
    .name = "pg_sequence",
    .lost = "properties of sequences",
    .columns = sequence_columns,
    .column_count = PS_PGC_COUNT(sequence_columns),
};

static ps_err add_sequence(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    struct ps_pgc_sequence *s;
    ps_err err;

    err = ps_pgc_list_add(&db->schema->sequences, sizeof(*s), ps_pgc_oid(row, SEQ_RELID), 0,
                          row->sure, &s);
    if (err)
        return err;
    s->type = ps_pgc_oid(row, SEQ_TYPE);
    s->start = ps_pgc_int64(row, SEQ_START);
    s->increment = ps_pgc_int64(row, SEQ_INCREMENT);
    s->max = ps_pgc_int64(row, SEQ_MAX);
    s->min = ps_pgc_int64(row, SEQ_MIN);
    s->cache = ps_pgc_int64(row, SEQ_CACHE);
    s->cycle = ps_pgc_bool(row, SEQ_CYCLE);
    return PS_OK;
}

/* --- pg_depend ---------------------------------------------------------------------------- */

enum { DEP_CLASS, DEP_OID, DEP_REF_CLASS, DEP_REF_OID, DEP_REF_COLUMN, DEP_TYPE };
static const char *const depend_columns[] = {"classid",  "objid",       "refclassid",
                                             "refobjid", "refobjsubid", "deptype"};
static const struct ps_pgc_spec depend_spec = {
    .oid = PS_PGC_DEPEND,
    .name = "pg_depend",
    .lost = "sequences of identity columns",
    .columns = depend_columns,
    .column_count = PS_PGC_COUNT(depend_columns),
};

/* A sequence that is a part of a column (type i) makes its identity. */
static ps_err add_identity(void *ctx, const struct ps_pgc_row *row)
{
    struct ps_pgc_db *db = ctx;
    ps_oid oid = ps_pgc_oid(row, DEP_OID);
    ps_oid column = (ps_oid)ps_pgc_int32(row, DEP_REF_COLUMN);
    const struct ps_pgc_relation *sequence;
    struct ps_pgc_identity *item;
    ps_err err;

    if (ps_pgc_char(row, DEP_TYPE) != 'i' || ps_pgc_oid(row, DEP_CLASS) != PS_PGC_CLASS ||
        ps_pgc_oid(row, DEP_REF_CLASS) != PS_PGC_CLASS || column == 0)
        return PS_OK;
    sequence = ps_pgc_list_find(&db->relations, oid, 0);
    if (!sequence || sequence->pub.kind != 'S')
        return PS_OK;
    err = ps_pgc_list_add(&db->schema->identities, sizeof(*item), ps_pgc_oid(row, DEP_REF_OID),
                          column, row->sure, &item);
    if (!err)
        item->sequence = oid;
    return err;
}

/* --- all of it ---------------------------------------------------------------------------- */

static ps_err load(struct ps_pgc_db *db)
{
    static const struct {
        const struct ps_pgc_spec *spec;
        ps_pgc_row_fn add;
    } all[] = {
        {&constraint_spec, add_constraint}, {&default_spec, add_default},
        {&index_spec, add_index},           {&opclass_spec, add_opclass},
        {&sequence_spec, add_sequence},     {&depend_spec, add_identity},
    };
    struct ps_pgc_schema *s = calloc(1, sizeof(*s));
    ps_err err = PS_OK;
    size_t i;

    if (!s)
        return ps_fail(PS_ERR_NOMEM, "no memory for definitions of relations");
    db->schema = s;
    for (i = 0; !err && i < PS_PGC_COUNT(all); i++)
        err = ps_pgc_optional(ps_pgc_read(db, all[i].spec, all[i].add, db, NULL));
    ps_pgc_list_settle(&s->constraints);
    ps_pgc_list_settle(&s->type_constraints);
    ps_pgc_list_settle(&s->defaults);
    ps_pgc_list_settle(&s->indexes);
    ps_pgc_list_settle(&s->opclasses);
    ps_pgc_list_settle(&s->sequences);
    ps_pgc_list_settle(&s->identities);
    return err;
}

const struct ps_pgc_schema *ps_pgc_schema(struct ps_pgc_db *db)
{
    if (db->schema_loaded)
        return db->schema;
    ps_mutex_lock(&db->catalog->load_mtx);
    if (!db->schema_loaded) {
        if (load(db)) {
            ps_pg_note(db->catalog->cluster, "%s: definitions of relations cannot be read: %s",
                       db->dir, ps_message());
            ps_pgc_schema_free(db->schema);
            db->schema = NULL;
        }
        db->schema_loaded = true;
    }
    ps_mutex_unlock(&db->catalog->load_mtx);
    return db->schema;
}

void ps_pgc_schema_free(struct ps_pgc_schema *s)
{
    if (!s)
        return;
    ps_pgc_list_deinit(&s->constraints);
    ps_pgc_list_deinit(&s->type_constraints);
    ps_pgc_list_deinit(&s->defaults);
    ps_pgc_list_deinit(&s->indexes);
    ps_pgc_list_deinit(&s->opclasses);
    ps_pgc_list_deinit(&s->sequences);
    ps_pgc_list_deinit(&s->identities);
    free(s);
}
