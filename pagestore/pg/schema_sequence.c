/*
 * schema_sequence.c - CREATE SEQUENCE, sequences of identity columns, and where they stand.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "pg/schema_internal.h"

struct state {
    bool known;
    int64_t last_value;
    bool is_called;
};

enum { LAST_VALUE, IS_CALLED };
static const char *const state_columns[] = {"last_value", "is_called"};

static ps_err take_state(void *ctx, const struct ps_pgc_row *row)
{
    struct state *s = ctx;

    s->known = true;
    s->last_value = ps_pgc_int64(row, LAST_VALUE);
    s->is_called = ps_pgc_bool(row, IS_CALLED);
    return PS_OK;
}

/* A sequence's relation has one row. What cannot be read is not known. */
static ps_err read_state(struct ps_pgc_writer *w, const struct ps_pg_relation *rel,
                         struct state *ret)
{
    static const struct ps_pgc_spec spec = {
        .columns = state_columns,
        .column_count = PS_PGC_COUNT(state_columns),
    };
    const struct ps_pgc_columns *columns = ps_pgc_columns(w->db, rel->oid);
    struct ps_pgc_met met;

    *ret = (struct state){0};
    if (!columns || rel->file_missing)
        return PS_OK;
    return ps_pgc_read_as(w->db, &spec, &columns->desc, rel->files[PS_PG_MAIN], take_state, ret,
                          &met);
}

static void add_state(struct ps_pgc_writer *w, const struct ps_pg_relation *rel,
                      const struct state *state)
{
    ps_pgc_write(w, "SELECT pg_catalog.setval(");
    ps_pgc_write_relation_literal(w, rel);
    ps_text_printf(w->out, ", %" PRId64 ", %s);\n", state->last_value,
                   state->is_called ? "true" : "false");
}

static void add_properties(struct ps_pgc_writer *w, const struct ps_pgc_sequence *s)
{
    ps_text_printf(w->out,
                   " INCREMENT BY %" PRId64 " MINVALUE %" PRId64 " MAXVALUE %" PRId64
                   " START WITH %" PRId64 " CACHE %" PRId64 "%s",
                   s->increment, s->min, s->max, s->start, s->cache, s->cycle ? " CYCLE" : "");
}

ps_err ps_pgc_write_sequence_state(struct ps_pgc_writer *w, const struct ps_pg_relation *rel)
{
    struct state state;
    ps_err err = read_state(w, rel, &state);

    if (!err && state.known)
        add_state(w, rel, &state);
    return err;
}

void ps_pgc_write_identity(struct ps_pgc_writer *w, const struct ps_pg_relation *rel)
{
    const struct ps_pgc_sequence *s = ps_pgc_list_find(&w->schema->sequences, rel->oid, 0);

    ps_pgc_write(w, " (SEQUENCE NAME ");
    ps_pgc_write_relation_name(w, rel);
    if (s)
        add_properties(w, s);
    ps_pgc_write(w, ")");
}

ps_err ps_pgc_write_sequence(struct ps_pgc_writer *w, const struct ps_pg_relation *rel)
{
    const struct ps_pgc_relation *full = ps_pgc_list_find(&w->db->relations, rel->oid, 0);
    const struct ps_pgc_sequence *s = ps_pgc_list_find(&w->schema->sequences, rel->oid, 0);
    bool first;
    ps_err err;

    err = ps_pgc_write_once(w, PS_PGC_WRITTEN_RELATION, rel->oid, &first);
    if (err || !first)
        return err;
    err = full ? ps_pgc_write_schema(w, full->schema) : PS_OK;
    if (err)
        return err;
    ps_pgc_write(w, "CREATE SEQUENCE IF NOT EXISTS ");
    ps_pgc_write_relation_name(w, rel);
    if (s) {
        ps_pgc_write(w, " AS ");
        ps_pgc_write_type_name(w, s->type, -1);
        add_properties(w, s);
    }
    ps_pgc_write(w, ";\n");
    return ps_pgc_write_sequence_state(w, rel);
}
