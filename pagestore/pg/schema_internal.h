/*
 * schema_internal.h - what the parts of ps_pg_schema_sql() share.
 *
 * Flow       schema.c (relations) -> schema_types.c (types) -> schema_expr.c (expressions);
 *            schema_load.c: the catalogs that only this asks
 * Ownership  the lists belong to the database; a writer to one call of ps_pg_schema_sql().
 * Locking    the lists are read when first asked for, and constant afterwards.
 * Errors     a catalog that cannot be read is a note, and what needs it is left out or becomes a
 *            comment; want of memory is remembered by the text (base/text.h).
 * Promise    what cannot be expressed becomes a comment, never a statement that is wrong.
 */
#ifndef PS_PG_SCHEMA_INTERNAL_H
#define PS_PG_SCHEMA_INTERNAL_H

#include <string.h>

#include "pg/catalog_names.h"
#include "pg/output.h"
#include "pg/schema_node.h"

/* --- lists ------------------------------------------------------------------------------------ */

struct ps_pgc_constraint { /* by relation, or type, and OID */
    struct ps_pgc_key key;
    const char *name;
    char type; /* c f p u x t n */
    bool deferrable, deferred, no_inherit, validated;
    bool without_overlaps; /* of a key: its last column is a range, and none may overlap */
    ps_oid index;          /* of a key: the index that enforces it */
    uint32_t key_count;
    uint32_t keys[PS_PGC_INDEX_KEYS_MAX]; /* attnums */
    const char *expression;               /* NULL: none */
};
struct ps_pgc_default { /* by relation and attnum */
    struct ps_pgc_key key;
    const char *expression; /* NULL: it cannot be read */
};
struct ps_pgc_index { /* by OIDs of the table and the index */
    struct ps_pgc_key key;
    bool unique, plain; /* plain: of columns only, and of all rows */
    bool nulls_not_distinct, valid;
    uint32_t column_count, key_count;
    uint32_t columns[PS_PGC_INDEX_KEYS_MAX], classes[PS_PGC_INDEX_KEYS_MAX],
        collations[PS_PGC_INDEX_KEYS_MAX], options[PS_PGC_INDEX_KEYS_MAX];
};
struct ps_pgc_opclass { /* by OID */
    struct ps_pgc_key key;
    const char *name;
    ps_oid schema;
    bool is_default;
};
struct ps_pgc_sequence { /* by OID of the relation */
    struct ps_pgc_key key;
    ps_oid type;
    int64_t start, increment, max, min, cache;
    bool cycle;
};
struct ps_pgc_identity { /* by table and attnum: the sequence that makes the column's values */
    struct ps_pgc_key key;
    ps_oid sequence;
};

struct ps_pgc_schema {
    struct ps_pgc_list constraints, type_constraints, defaults, indexes, opclasses, sequences,
        identities;
};
/* NULL: it cannot be read, and the note was made. */
const struct ps_pgc_schema *ps_pgc_schema(struct ps_pgc_db *db);

/* --- writing ---------------------------------------------------------------------------------- */

struct ps_pgc_writer {
    struct ps_pgc_db *db;
    const struct ps_pgc_schema *schema;
    const struct ps_pgc_names *names;
    struct ps_pg_printer *printer;
    const struct ps_pg_desc *desc; /* whose columns expressions mean; NULL: none */
    struct ps_text *out;
    struct ps_text needs;    /* comments before all statements: what must be created first */
    struct ps_pgc_list done; /* what was written, by OID and enum ps_pgc_written */
    uint32_t depth;          /* of types in types, of expressions in expressions */
};

static inline void ps_pgc_write(struct ps_pgc_writer *w, const char *text)
{
    ps_text_add(w->out, text, strlen(text));
}
static inline void ps_pgc_write_type_name(struct ps_pgc_writer *w, ps_oid type, int32_t typmod)
{
    ps_pgc_format_type(w->db, type, typmod, PS_PGC_SCHEMA_SQL, w->out);
}
/* How much was written. What is written behind a mark can be taken back, with what it needs. */
struct ps_pgc_mark {
    size_t out, needs;
    uint32_t done;
};
static inline struct ps_pgc_mark ps_pgc_mark(const struct ps_pgc_writer *w)
{
    return (struct ps_pgc_mark){w->out->len, w->needs.len, w->done.count};
}
static inline void ps_pgc_take_back(struct ps_pgc_writer *w, struct ps_pgc_mark mark)
{
    w->out->len = mark.out;
    w->needs.len = mark.needs;
    w->done.count = mark.done;
}
/* The schema's name; NULL: pg_catalog, which need not be written. */
static inline const char *ps_pgc_written_schema(const struct ps_pgc_writer *w, ps_oid schema)
{
    return schema == PS_PGC_SCHEMA_CATALOG ? NULL : ps_pgc_schema_name(w->db, schema);
}
/* NAME, behind its schema's where that must be written. */
void ps_pgc_write_qualified(struct ps_pgc_writer *w, ps_oid schema, const char *name);
/* Statements refer to an object that they do not create: adds a comment to `needs`, once. kind is
 * PostgreSQL's word for it. PostgreSQL's own objects need none. */
void ps_pgc_need(struct ps_pgc_writer *w, const char *kind, ps_oid oid, ps_oid schema,
                 const char *name);

/* Appends the expression; false: there is something in it that is not known here, and nothing was
 * added. */
bool ps_pgc_write_expr(struct ps_pgc_writer *w, const char *expression);
/* OID of the sequence that the expression takes values from; 0: none. */
ps_oid ps_pgc_expr_sequence(const char *expression);

/* Statements for the type, those it rests on first; nothing for PostgreSQL's own. */
PS_MUST_USE ps_err ps_pgc_write_type(struct ps_pgc_writer *w, ps_oid type);
/* " COLLATE x", unless it is the type's own. */
void ps_pgc_write_collation(struct ps_pgc_writer *w, ps_oid type, ps_oid collation);
/* The same, of a column in an index, unless it is the column's own. false: its name is not known,
 * and nothing was added. */
bool ps_pgc_write_key_collation(struct ps_pgc_writer *w, ps_oid column, ps_oid collation);
/* CREATE SCHEMA, if it is not one that every database has; once. */
PS_MUST_USE ps_err ps_pgc_write_schema(struct ps_pgc_writer *w, ps_oid schema);
/* Is it the first time that this is asked? */
enum ps_pgc_written {
    PS_PGC_WRITTEN_SCHEMA,
    PS_PGC_WRITTEN_TYPE,
    PS_PGC_WRITTEN_RELATION,
    PS_PGC_WRITTEN_NEED,
};
PS_MUST_USE ps_err ps_pgc_write_once(struct ps_pgc_writer *w, enum ps_pgc_written what, ps_oid oid,
                                     bool *ret_first);
/* What a dropped column was like, as sql_schema.h reads it. */
void ps_pgc_write_dropped(struct ps_pgc_writer *w, const struct ps_pg_attr *attr);
/* A name inside a comment, which it cannot end. */
void ps_pgc_write_comment(struct ps_text *out, const char *name);
/* SCHEMA.NAME inside a comment, likewise. */
void ps_pgc_write_comment_qualified(struct ps_text *out, const char *schema, const char *name);
/* schema_sequence.c: CREATE SEQUENCE and where it stands; once. */
PS_MUST_USE ps_err ps_pgc_write_sequence(struct ps_pgc_writer *w,
                                         const struct ps_pg_relation *relation);
/* The sequence of an identity column: its name and properties, in parentheses; where it stands, a
 * statement. */
void ps_pgc_write_identity(struct ps_pgc_writer *w, const struct ps_pg_relation *sequence);
PS_MUST_USE ps_err ps_pgc_write_sequence_state(struct ps_pgc_writer *w,
                                               const struct ps_pg_relation *sequence);
/* schema_index.c: constraints and indexes of a table, each a statement; one index of it. */
void ps_pgc_write_constraints(struct ps_pgc_writer *w, const struct ps_pg_relation *table);
void ps_pgc_write_indexes(struct ps_pgc_writer *w, const struct ps_pg_relation *table);
void ps_pgc_write_index(struct ps_pgc_writer *w, const struct ps_pg_relation *table, ps_oid index);
/* SCHEMA.NAME of the relation; the same as a string constant. */
void ps_pgc_write_relation_name(struct ps_pgc_writer *w, const struct ps_pg_relation *relation);
void ps_pgc_write_relation_literal(struct ps_pgc_writer *w, const struct ps_pg_relation *relation);

#endif
