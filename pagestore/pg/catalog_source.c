/*
 * catalog_source.c - the rows of a catalog, by whichever layout and from whichever file they can be
 * had.
 */
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "pg/catalog_internal.h"
#include "pg/heap_page.h"

/* --- reading ------------------------------------------------------------------------------ */

void ps_pgc_note_damage(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                        const struct ps_pgc_met *met)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;

    if (met->bad_pages > 0)
        ps_pg_note(cluster,
                   "%s: %s: %" PRIu64 " pages cannot be read, the first is %" PRIu32
                   ": what they say of %s is not known",
                   db->dir, spec->name, met->bad_pages, met->first_bad_page, spec->lost);
    if (met->bad_rows > 0)
        ps_pg_note(cluster,
                   "%s: %s: %" PRIu64 " rows are damaged: what they say of %s is not known",
                   db->dir, spec->name, met->bad_rows, spec->lost);
    if (met->unsure_rows > 0)
        ps_pg_note(cluster,
                   "%s: %s: nothing is known of the transactions of %" PRIu64
                   " rows; they are believed",
                   db->dir, spec->name, met->unsure_rows);
}

static void note_setting(void *ctx, const char *name, const char *value, bool changeable)
{
    bool *serves = ctx;

    (void)changeable;
    if (strcmp(name, "on_corrupt") == 0)
        *serves = strcmp(value, "serve") == 0;
}

static bool serves_corrupt(struct ps_store *store)
{
    bool serves = false;

    ps_store_settings(store, note_setting, &serves);
    return serves;
}

ps_err ps_pgc_read_as(struct ps_pgc_db *db, const struct ps_pgc_spec *spec,
                      const struct ps_pg_desc *desc, uint32_t table_id, ps_pgc_row_fn row,
                      void *ctx, struct ps_pgc_met *ret_met)
{
    struct ps_store *store = ps_pg_store(db->catalog->cluster);
    struct ps_pgc_reader r = {.desc = desc,
                              .names = spec->columns,
                              .name_count = spec->column_count,
                              .enough = spec->enough,
                              .xacts = db->catalog->xacts,
                              .row = row,
                              .ctx = ctx};
    struct ps_table *table;
    ps_err err;

    err = ps_table_get(store, table_id, &table);
    if (err)
        return err;
    err = ps_pgc_reader_init(&r);
    if (!err)
        err = ps_pgc_read_table(&r, table, serves_corrupt(store));
    ps_pgc_reader_deinit(&r);
    ps_table_unref(table);
    *ret_met = r.met;
    return err;
}

ps_err ps_pgc_optional(ps_err err)
{
    return err == PS_ERR_NOENT ? PS_OK : err;
}

/* --- files -------------------------------------------------------------------------------- */

/* Without pg_class: by the map, or by the OID, which is the filenode until something rewrites the
 * catalog. */
static uint32_t guess_file(const struct ps_pgc_db *db, ps_oid catalog, bool shared)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;
    ps_oid db_oid = shared ? 0 : db->pub.oid;
    uint32_t node = ps_pg_mapped_node(cluster, db_oid, catalog);
    const struct ps_pg_file *file;

    file = ps_pg_file_find(cluster, db_oid, shared ? PS_PG_GLOBAL_SPACE : 0, node ? node : catalog,
                           PS_PG_MAIN);
    return file ? file->id : 0;
}

static uint32_t file_of(const struct ps_pgc_db *db, const struct ps_pgc_spec *spec)
{
    const struct ps_pgc_relation *rel = ps_pgc_list_find(&db->relations, spec->oid, 0);

    if (!rel || spec->shared)
        return guess_file(db, spec->oid, spec->shared);
    return rel->pub.file_missing ? 0 : rel->pub.files[PS_PG_MAIN];
}

ps_err ps_pgc_read(struct ps_pgc_db *db, const struct ps_pgc_spec *spec, ps_pgc_row_fn row,
                   void *ctx, bool *ret_whole)
{
    uint32_t table = file_of(db, spec);
    struct ps_pgc_met met = {0};
    const struct ps_pg_desc *desc;
    struct ps_pg_desc built;
    ps_err err;

    if (ret_whole)
        *ret_whole = false;
    err = ps_pgc_catalog_desc(db, spec->oid, &built, &desc);
    if (err == PS_ERR_NOENT) /* pg_attribute is lost, which was noted */
        return err;
    if (!err && table == 0) {
        ps_pg_note(db->catalog->cluster, "%s: %s is missing: %s are not known", db->dir, spec->name,
                   spec->lost);
        err = ps_fail(PS_ERR_NOENT, "%s: %s is missing", db->dir, spec->name);
    }
    if (!err)
        err = ps_pgc_read_as(db, spec, desc, table, row, ctx, &met);
    ps_pgc_note_damage(db, spec, &met);
    if (ret_whole)
        *ret_whole = !err && met.bad_pages == 0 && met.bad_rows == 0;
    ps_pg_desc_deinit(&built);
    return err;
}

/* --- looking for the first catalogs ------------------------------------------------------- */

struct probing {
    const struct ps_pgc_probe *probe;
    bool found;
};

static ps_err probe_row(void *ctx, const struct ps_pgc_row *row)
{
    struct probing *p = ctx;
    char name[PS_PGC_NAME_MAX + 1];

    ps_pgc_name(row, 1, name);
    p->found = ps_pgc_oid(row, 0) == p->probe->oid && strcmp(name, p->probe->name) == 0;
    return p->found ? PS_ERR_EXIST : PS_OK; /* enough was read */
}

/* Past the pool: of most files nothing else is read, and what is remembered of a table that had
 * pages there takes more than a page. */
static bool read_first_page(struct ps_table *table, uint8_t *page)
{
    bool sound;

    ps_foreign_read_run(table, 0, 1, page, &sound);
    return sound || ps_page_copy(table, 0, NULL, page) == PS_OK;
}

/* Has the first row of the first page, which is read into `page`, as many columns as the catalog's?
 */
static bool is_plausible(const struct ps_pgc_probe *probe, struct ps_table *table, uint8_t *page)
{
    uint32_t page_size = ps_store_page_size(ps_table_store(table));
    struct ps_pg_tuple tuple;
    uint32_t slot, slots;
    struct ps_lp lp;

    slots = read_first_page(table, page) ? ps_pg_slots(page, page_size) : 0;
    for (slot = 1; slot <= slots; slot++) {
        lp = ps_pg_lp_of(page, slot);
        if (lp.flags != PS_LP_NORMAL)
            continue;
        return ps_pg_lp_fits(&lp, page_size) &&
               ps_pg_tuple_parse(page + lp.off, lp.len, &tuple) == PS_OK &&
               tuple.natts == probe->desc->count;
    }
    return false;
}

static ps_err probe_table(struct ps_pgc_db *db, const struct ps_pgc_probe *probe,
                          struct ps_table *table, uint8_t *page, bool *ret)
{
    struct probing p = {.probe = probe};
    struct ps_pgc_reader r = {.desc = probe->desc,
                              .names = probe->spec->columns,
                              .name_count = probe->spec->column_count,
                              .xacts = db->catalog->xacts,
                              .row = probe_row,
                              .ctx = &p};
    ps_err err;

    *ret = false;
    if (!is_plausible(probe, table, page))
        return PS_OK;
    err = ps_pgc_reader_init(&r);
    if (!err)
        err = ps_pgc_read_table(&r, table, false);
    ps_pgc_reader_deinit(&r);
    *ret = p.found;
    return err == PS_ERR_EXIST ? PS_OK : err;
}

static ps_err probe_file(struct ps_pgc_db *db, const struct ps_pgc_probe *probe, uint32_t id,
                         uint8_t *page, bool *ret)
{
    struct ps_table *table;
    ps_err err;

    *ret = false;
    err = ps_table_get(ps_pg_store(db->catalog->cluster), id, &table);
    if (err)
        return err == PS_ERR_NOMEM ? err : PS_OK; /* gone, or cannot be opened: not this one */
    err = probe_table(db, probe, table, page, ret);
    ps_table_unref(table);
    return err;
}

static ps_err search_files(struct ps_pgc_db *db, const struct ps_pgc_probe *probe, uint8_t *page,
                           uint32_t *ret_table)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;
    uint32_t i, count = ps_pg_file_count(cluster);
    const struct ps_pg_file *file;
    bool found = false;
    ps_err err = PS_OK;

    *ret_table = 0;
    for (i = ps_pg_file_first(cluster, db->pub.oid); !err && !found && i < count; i++) {
        file = ps_pg_file(cluster, i);
        if (file->db != db->pub.oid)
            break;
        if (file->fork == PS_PG_MAIN)
            err = probe_file(db, probe, file->id, page, &found);
        if (found)
            *ret_table = file->id;
    }
    return err;
}

/* One page's memory serves for all files: each one's own would leave a gap between what is kept of
 * the files, too small for the next. */
static ps_err find_by_rows(struct ps_pgc_db *db, const struct ps_pgc_probe *probe, uint32_t guess,
                           uint32_t *ret_table)
{
    const uint32_t page_size = ps_store_page_size(ps_pg_store(db->catalog->cluster));
    uint8_t *page = ps_buf_alloc(page_size);
    bool found = false;
    ps_err err = PS_OK;

    if (!page)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page of %u bytes", page_size);
    *ret_table = guess;
    if (guess != 0)
        err = probe_file(db, probe, guess, page, &found);
    if (!err && !found)
        err = search_files(db, probe, page, ret_table);
    ps_buf_free(page);
    return err;
}

ps_err ps_pgc_find_file(struct ps_pgc_db *db, const struct ps_pgc_probe *probe, uint32_t *ret_table)
{
    struct ps_pg_cluster *cluster = db->catalog->cluster;
    const struct ps_pgc_spec *spec = probe->spec;
    const uint32_t guess = guess_file(db, spec->oid, false);
    ps_err err;

    *ret_table = guess;
    if (guess != 0 && ps_pg_mapped_node(cluster, db->pub.oid, spec->oid) != 0)
        return PS_OK;
    err = find_by_rows(db, probe, guess, ret_table);
    if (err || *ret_table == 0 || *ret_table == guess)
        return err;
    ps_pg_note(cluster, "%s: the map does not tell where %s is; found by its rows in %s", db->dir,
               spec->name, ps_pg_file_by_id(cluster, *ret_table)->path);
    return PS_OK;
}

ps_err ps_pgc_read_first(struct ps_pgc_db *db, const struct ps_pgc_spec *spec, ps_oid row_oid,
                         ps_pgc_row_fn row, bool *ret_whole)
{
    struct ps_pgc_met met = {0};
    struct ps_pg_desc built;
    struct ps_pgc_probe probe = {.spec = spec, .oid = row_oid, .name = spec->name};
    uint32_t table = 0;
    ps_err err = ps_pgc_catalog_desc(db, spec->oid, &built, &probe.desc);

    if (!err)
        err = ps_pgc_find_file(db, &probe, &table);
    if (!err && table != 0)
        err = ps_pgc_read_as(db, spec, probe.desc, table, row, db, &met);
    ps_pg_desc_deinit(&built);
    ps_pgc_note_damage(db, spec, &met);
    *ret_whole = table != 0 && met.bad_pages == 0 && met.bad_rows == 0;
    return err;
}
