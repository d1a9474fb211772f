/*
 * view_pg.c - what only a PostgreSQL source has to show: rows, tuples, space, schema, notes.
 */
#include "fs/cluster.h"
#include "fs/pfs.h"
#include "fs/view.h"

#include "pg/damage.h"
#include "pg/rows.h"

#include <string.h>

#define SPACE_LINE_LEN 40u /* "dead_tuple_percent" and a number in 20 columns */
#define SPACE_LINES 10u
#define SCHEMA_GUESS 4096u

static const struct pfs_cluster *cluster_of(const struct pfs_cursor *c)
{
    return c->subject.fs->cluster;
}

static ps_err relation_of(const struct pfs_cursor *c, uint32_t *ret_db,
                          const struct ps_pg_relation **ret)
{
    *ret = pfs_cluster_relation(cluster_of(c), ps_table_id(c->subject.table), ret_db, NULL);
    return *ret ? PS_OK : ps_fail(PS_ERR_NOENT, "no catalog names this file");
}

/* What the catalogs do not tell is damage of the source; the file whose view needs it is there. */
static ps_err as_damage(ps_err err)
{
    return err == PS_ERR_NOENT ? PS_ERR_CORRUPT : err;
}

/* --- rows --------------------------------------------------------------------------------- */

static ps_err open_scan(struct pfs_cursor *c, enum ps_pg_rows what)
{
    const struct pfs_cluster *cluster = cluster_of(c);
    const struct ps_pg_relation *relation;
    struct ps_pg_scan *scan = NULL;
    uint32_t db = 0;
    ps_err err = relation_of(c, &db, &relation);

    if (!err)
        err = ps_pg_scan_open(cluster->catalog, db, relation, what, cluster->skip_corrupt, &scan);
    c->state = scan;
    return err;
}

/* An error ends the text there: what follows a damaged page is not to be taken for all there is. */
static ps_err step_scan(struct pfs_cursor *c, struct ps_text *out, enum ps_pg_rows what)
{
    ps_err err = c->state ? PS_OK : open_scan(c, what);

    if (!err)
        err = ps_pg_scan_step(c->state, c->cancel, out, &c->done);
    return as_damage(err);
}

static void end_scan(struct pfs_cursor *c)
{
    ps_pg_scan_close(c->state);
}

static ps_err step_tuples(struct pfs_cursor *c, struct ps_text *out)
{
    return ps_pg_tuples_step(c->subject.table, &c->at, cluster_of(c)->skip_corrupt, c->cancel, out,
                             &c->done);
}

static ps_err step_rows(struct pfs_cursor *c, struct ps_text *out)
{
    return step_scan(c, out, PS_PG_ROWS);
}

static ps_err step_dead(struct pfs_cursor *c, struct ps_text *out)
{
    return step_scan(c, out, PS_PG_DEAD_ROWS);
}

static ps_err step_undecided(struct pfs_cursor *c, struct ps_text *out)
{
    return step_scan(c, out, PS_PG_UNDECIDED_ROWS);
}

const struct pfs_view pfs_view_tuples = {PFS_SIZE_STREAM, .step = step_tuples};
const struct pfs_view pfs_view_rows = {PFS_SIZE_STREAM, .step = step_rows, .end = end_scan};
const struct pfs_view pfs_view_dead = {PFS_SIZE_STREAM, .step = step_dead, .end = end_scan};
const struct pfs_view pfs_view_undecided = {PFS_SIZE_STREAM, .step = step_undecided,
                                            .end = end_scan};

/* --- damage ------------------------------------------------------------------------------- */

static ps_err open_damage(struct pfs_cursor *c)
{
    struct ps_pg_catalog *catalog = cluster_of(c)->catalog;
    const struct ps_pg_relation *relation;
    struct ps_pg_damage *damage = NULL;
    uint32_t db = 0;
    ps_err err = relation_of(c, &db, &relation);

    if (!err)
        err = ps_pg_damage_open(catalog, db, relation, &damage);
    c->state = damage;
    return err;
}

static ps_err step_damage(struct pfs_cursor *c, struct ps_text *out)
{
    ps_err err = c->state ? PS_OK : open_damage(c);

    return err ? err : ps_pg_damage_step(c->state, c->cancel, out, &c->done);
}

static void end_damage(struct pfs_cursor *c)
{
    ps_pg_damage_close(c->state);
}

const struct pfs_view pfs_view_damage = {PFS_SIZE_STREAM, .step = step_damage, .end = end_damage};

/* --- of a relation ------------------------------------------------------------------------ */

static ps_err step_space(struct pfs_cursor *c, struct ps_text *out)
{
    c->done = true;
    return ps_pg_space(cluster_of(c)->catalog, c->subject.table, c->cancel, out);
}

static ps_err space_size(const struct pfs_subject *s, uint64_t *ret)
{
    (void)s;
    *ret = (uint64_t)SPACE_LINES * SPACE_LINE_LEN;
    return PS_OK;
}

static ps_err step_schema(struct pfs_cursor *c, struct ps_text *out)
{
    const struct ps_pg_relation *relation;
    uint32_t db = 0;
    ps_err err = relation_of(c, &db, &relation);

    c->done = true;
    if (!err)
        err = ps_pg_schema_sql(cluster_of(c)->catalog, db, relation, out);
    return as_damage(err);
}

static ps_err schema_size(const struct pfs_subject *s, uint64_t *ret)
{
    (void)s;
    *ret = SCHEMA_GUESS;
    return PS_OK;
}

const struct pfs_view pfs_view_space = {PFS_SIZE_SHAPE, .size = space_size, .step = step_space};
const struct pfs_view pfs_view_schema = {PFS_SIZE_OPEN, .size = schema_size, .step = step_schema};

/* --- of a database, of all ------------------------------------------------------------------ */

static ps_err step_orphans(struct pfs_cursor *c, struct ps_text *out)
{
    c->done = true;
    return ps_pg_orphans(cluster_of(c)->catalog, c->subject.page, out);
}

static void add_note(void *ctx, const char *line)
{
    ps_text_add(ctx, line, strlen(line));
    ps_text_add(ctx, "\n", 1);
}

static ps_err step_notes(struct pfs_cursor *c, struct ps_text *out)
{
    const char *why = ps_pg_not_recovered(cluster_of(c)->pg);

    if (why)
        ps_text_printf(out, "not recovered: %s\n", why);
    ps_pg_notes(cluster_of(c)->pg, add_note, out);
    c->done = true;
    return PS_OK;
}

const struct pfs_view pfs_view_orphans = {PFS_SIZE_RENDER, .step = step_orphans};
const struct pfs_view pfs_view_notes = {PFS_SIZE_RENDER, .step = step_notes};
