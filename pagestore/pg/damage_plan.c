/* The files to walk, in the order of their lines: the cluster itself, each relation with all its
 * forks, then files that no catalog names. */
#include "pg/damage_plan.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pg/catalog_builtin.h"

#define CONTROL_FILE "global/pg_control"
#define SMALL_FILE_MAX 65536u
#define PARTIAL_SHARE 10u

void ps_pg_damage_line(struct ps_pg_out *out, const char *relation, const char *file, bool fault,
                       const char *word, const char *text)
{
    ps_text_printf(out->text, "%s\t%s\t-\t-\t%s\t%s\t%s\n", relation, file,
                   fault ? "fault" : "suspect", word, text);
    if (fault)
        out->counts->faults++;
    else
        out->counts->suspects++;
}

void ps_pg_damage_unread(struct ps_pg_out *out, const struct ps_pg_subject *s)
{
    ps_pg_damage_line(out, s->relation ? s->relation : "-", s->file->path, true, "read",
                      ps_message());
}

/* --- the cluster itself -------------------------------------------------------------------- */

/* A small file that could not be made use of: damaged, or not there, as in a part of a cluster? */
static void add_small_file(struct ps_pg_plan *p, const char *path, const char *word,
                           struct ps_pg_out *out)
{
    uint8_t *bytes = NULL;
    size_t len;
    bool there = ps_pg_read_file(p->cluster, path, SMALL_FILE_MAX, &bytes, &len) != PS_ERR_NOENT;

    free(bytes);
    ps_pg_damage_line(out, "-", path, there, word,
                      there ? "damaged, or of an unknown version" : "missing");
}

static void check_maps(struct ps_pg_plan *p, struct ps_pg_out *out)
{
    for (uint32_t i = 0; i < ps_pg_db_count(p->cluster); i++) {
        ps_oid db = ps_pg_db_oid(p->cluster, i);
        char path[64] = "global/pg_filenode.map";

        if (ps_pg_mapped_node(p->cluster, db, db == 0 ? PS_PGC_DATABASE : PS_PGC_CLASS) != 0)
            continue;
        if (db != 0)
            snprintf(path, sizeof(path), "base/%" PRIu32 "/pg_filenode.map", db);
        add_small_file(p, path, "map", out);
    }
}

static void add_note(void *ctx, const char *line)
{
    ps_pg_damage_line(ctx, "-", "-", false, "note", line);
}

static void check_cluster(struct ps_pg_plan *p, struct ps_pg_out *out)
{
    p->cluster_done = true;
    ps_pg_notes(p->cluster, add_note, out);
    if (ps_pg_is_file(p->cluster))
        return;
    if (!ps_pg_control(p->cluster)->known)
        add_small_file(p, CONTROL_FILE, "control", out);
    check_maps(p, out);
}

/* --- what is known of a file --------------------------------------------------------------- */

static const struct ps_pg_file *main_file_of(struct ps_pg_plan *p, uint32_t db, ps_oid oid)
{
    const struct ps_pg_relation *r = ps_pg_relation_by_oid(p->catalog, db, oid);

    return r && !r->file_missing ? ps_pg_file_by_id(p->cluster, r->files[PS_PG_MAIN]) : NULL;
}

/* A file by itself may be without its toast relation's. */
static bool has_toast(struct ps_pg_plan *p, const struct ps_pg_relation *r)
{
    return !ps_pg_is_file(p->cluster) || ps_pg_relation_by_oid(p->catalog, p->db, r->toast) != NULL;
}

/* What the catalog cannot tell is left out: it costs only the checks that need it. */
static ps_err know_relation(struct ps_pg_plan *p, const struct ps_pg_relation *r,
                            struct ps_pg_piece *piece)
{
    struct ps_pg_subject *s = &piece->subject;
    ps_err err = ps_pg_relation_desc(p->catalog, p->db, r, &s->desc);

    s->relation = r->dir;
    s->orders_bytes = ps_pg_database(p->catalog, p->db)->orders_bytes;
    s->own_class = r->own_class;
    s->kind = ps_pg_page_kind(r->am_name, r->kind, s->file->fork);
    if (err == PS_ERR_NOMEM)
        return err;
    if (err)
        s->desc = NULL;
    if (r->files[PS_PG_VM] != 0)
        s->vm = ps_pg_file_by_id(p->cluster, r->files[PS_PG_VM]);
    if (r->kind == 'i' && s->file->fork == PS_PG_MAIN)
        s->heap = main_file_of(p, p->db, r->owner);
    piece->has_toast = s->kind == PS_PG_PAGE_HEAP && has_toast(p, r);
    return PS_OK;
}

/* --- pieces of a file ---------------------------------------------------------------------- */

static ps_err add_lore(struct ps_pg_plan *p, struct ps_pg_piece *piece)
{
    struct ps_pg_lore *lore;
    ps_err err = ps_pg_lore_new(&lore);

    if (err)
        return err;
    lore->next = p->lores;
    p->lores = piece->lore = lore;
    return PS_OK;
}

static ps_err add_links(struct ps_pg_plan *p, struct ps_pg_piece *piece)
{
    struct ps_pg_links *links;
    ps_err err = ps_pg_links_new(piece->to, &links);

    if (err)
        return err;
    links->next = p->links;
    p->links = piece->subject.links = links;
    return PS_OK;
}

/* The whole file is one piece, yet to be cut up. */
static ps_err enter_file(struct ps_pg_plan *p, const struct ps_pg_file *file, struct ps_pg_out *out)
{
    struct ps_pg_piece all = {.subject = {.file = file, .kind = ps_pg_page_kind("", 0, file->fork)},
                              .db = p->db};
    const struct ps_pg_subject *s = &all.subject;
    ps_err err = p->relation ? know_relation(p, p->relation, &all) : PS_OK;

    if (!err)
        err = ps_pg_subject_measure(p->cluster, &all.subject);
    if (ps_pg_walk_ends(err))
        return err;
    if (err) {
        ps_pg_damage_unread(out, s);
        return PS_OK;
    }
    all.from = s->first_block;
    all.to = s->pages_end;
    if (s->kind == PS_PG_PAGE_BTREE && all.to - all.from > ps_pg_walk_piece(p->cluster))
        err = add_lore(p, &all);
    if (s->kind == PS_PG_PAGE_SPGIST && all.from == 0 && all.to > 0)
        err = add_links(p, &all);
    p->rest = all;
    return err;
}

/* Where the file's next data lies, in what is left of it. */
static uint64_t next_data(const struct ps_pg_plan *p)
{
    const struct ps_pg_piece *rest = &p->rest;
    uint64_t block = rest->from;
    struct ps_table *table;

    if (ps_table_get(ps_pg_store(p->cluster), rest->subject.file->id, &table))
        return block; /* who walks it tells */
    block = ps_foreign_next_data(table, block, rest->to);
    ps_table_unref(table);
    return block;
}

/* A hole, which costs nothing to walk, is one piece of any length. */
static void cut_piece(struct ps_pg_plan *p, struct ps_pg_piece *ret)
{
    const uint64_t piece = ps_pg_walk_piece(p->cluster);
    const uint64_t data = next_data(p);

    *ret = p->rest;
    if (data - ret->from > piece)
        ret->to = data;
    else if (ret->to - ret->from > piece)
        ret->to = ret->from + piece;
    p->rest.from = ret->to;
    if (p->rest.from == p->rest.to)
        p->rest.subject.file = NULL;
}

/* --- from file to file --------------------------------------------------------------------- */

/* The next fork of the relation that has a file; false: there is none. */
static bool next_fork(struct ps_pg_plan *p, const struct ps_pg_file **ret)
{
    while (p->relation && p->fork < PS_PG_FORKS) {
        uint32_t id = p->relation->files[p->fork++];

        *ret = id != 0 ? ps_pg_file_by_id(p->cluster, id) : NULL;
        if (*ret)
            return true;
    }
    return false;
}

/* Temporary relations lose their files when a server crashes, and their rows in pg_class stay until
 * another session takes the schema; a base backup has of unlogged ones only what recovery makes
 * them of. Nothing is wrong then. */
static bool is_lost(const struct ps_pg_plan *p, const struct ps_pg_relation *r)
{
    if (r->persistence == 't' || (r->persistence == 'u' && ps_pg_not_recovered(p->cluster)))
        return false;
    return r->file_missing;
}

/* Where more than a tenth of the files are missing somebody took a part of a directory on purpose;
 * where the log was not replayed, files may come and go with it. Else a missing file is lost. */
static bool may_lack_files(struct ps_pg_plan *p)
{
    uint32_t i, count = ps_pg_relation_count(p->catalog, p->db), missing = 0;

    if (p->lacks_known && p->lacks_db == p->db)
        return p->lacks_files;
    for (i = 0; i < count; i++)
        missing += is_lost(p, ps_pg_relation(p->catalog, p->db, i));
    p->lacks_files = missing > count / PARTIAL_SHARE || ps_pg_not_recovered(p->cluster);
    p->lacks_db = p->db;
    p->lacks_known = true;
    return p->lacks_files;
}

static void see_relation(struct ps_pg_plan *p, const struct ps_pg_relation *r,
                         struct ps_pg_out *out)
{
    const bool not_followed =
        !ps_pg_opts(p->cluster)->follow_links && !ps_pg_has_space(p->cluster, r->space);
    char text[96];

    p->relation = r;
    p->fork = 0;
    if (!is_lost(p, r))
        return;
    if (not_followed)
        snprintf(text, sizeof(text),
                 "its file %" PRIu32 " lies in tablespace %" PRIu32 ", which is not at hand",
                 r->node, r->space);
    else
        snprintf(text, sizeof(text), "its file %" PRIu32 " is missing", r->node);
    ps_pg_damage_line(out, r->dir, "-", !not_followed && !may_lack_files(p), "missing", text);
}

static bool next_relation(struct ps_pg_plan *p, struct ps_pg_out *out)
{
    while (p->db < ps_pg_database_count(p->catalog)) {
        if (p->relation_at < ps_pg_relation_count(p->catalog, p->db)) {
            see_relation(p, ps_pg_relation(p->catalog, p->db, p->relation_at++), out);
            return true;
        }
        p->db++;
        p->relation_at = 0;
    }
    p->relation = NULL;
    return false;
}

/* Files that no catalog names. */
static bool next_orphan(struct ps_pg_plan *p, const struct ps_pg_file **ret)
{
    while (p->file_at < ps_pg_file_count(p->cluster)) {
        enum ps_pg_fork fork;
        uint32_t db;

        *ret = ps_pg_file(p->cluster, p->file_at++);
        if (!ps_pg_relation_of_table(p->catalog, (*ret)->id, &db, &fork))
            return true;
    }
    return false;
}

static ps_err next_file(struct ps_pg_plan *p, struct ps_pg_out *out, bool *ret_done)
{
    const struct ps_pg_file *file;

    if (p->asked) {
        see_relation(p, p->asked, out);
        p->asked = NULL;
    }
    if (next_fork(p, &file))
        return enter_file(p, file, out);
    if (p->all && next_relation(p, out))
        return PS_OK;
    if (p->all && next_orphan(p, &file))
        return enter_file(p, file, out);
    *ret_done = true;
    return PS_OK;
}

/* --- the plan ------------------------------------------------------------------------------ */

void ps_pg_plan_init(struct ps_pg_plan *p, struct ps_pg_catalog *catalog)
{
    *p = (struct ps_pg_plan){.catalog = catalog, .cluster = ps_pg_catalog_cluster(catalog)};
}

void ps_pg_plan_deinit(struct ps_pg_plan *p)
{
    while (p->lores) {
        struct ps_pg_lore *lore = p->lores;

        p->lores = lore->next;
        ps_pg_lore_free(lore);
    }
    while (p->links) {
        struct ps_pg_links *links = p->links;

        p->links = links->next;
        ps_pg_links_free(links);
    }
}

ps_err ps_pg_plan_next(struct ps_pg_plan *p, struct ps_pg_out *out, struct ps_pg_piece *ret,
                       bool *ret_done)
{
    ps_err err = PS_OK;

    *ret_done = false;
    ret->subject.file = NULL;
    if (p->all && !p->cluster_done)
        check_cluster(p, out);
    if (!p->rest.subject.file)
        err = next_file(p, out, ret_done);
    if (!err && p->rest.subject.file)
        cut_piece(p, ret);
    return err ? err : ps_text_err(out->text);
}
