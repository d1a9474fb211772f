#include "pg/damage.h"

#include <inttypes.h>
#include <stdlib.h>

#include "pg/damage_walk.h"
#include "pg/toast_read.h"

#define PG_CLASS 1259u
#define PG_DATABASE 1262u
#define CONTROL_FILE "global/pg_control"
#define SMALL_FILE_MAX 65536u
#define PARTIAL_SHARE 10u

struct ps_pg_damage {
    struct ps_pg_catalog *catalog;
    struct ps_pg_cluster *cluster;
    bool all;
    bool cluster_done;
    uint32_t db, relation_at, file_at;     /* of all: what comes next */
    const struct ps_pg_relation *asked;    /* the one to begin with */
    const struct ps_pg_relation *relation; /* whose forks are walked; NULL: files without one */
    uint32_t fork;                         /* the next */
    struct ps_pg_walk *walk;               /* NULL: between two */
    struct ps_pg_toast_reader *toast;      /* of the walk */
    struct ps_pg_toaster toaster;
    bool lacks_known, lacks_files; /* may database lacks_db lack files? */
    uint32_t lacks_db;
    struct ps_pg_damage_counts counts;
};

/* --- the cluster itself -------------------------------------------------------------------- */

static void add_line(struct ps_pg_damage *d, const char *relation, const char *file, bool fault,
                     const char *word, const char *text, struct ps_text *out)
{
    ps_text_printf(out, "%s\t%s\t-\t-\t%s\t%s\t%s\n", relation, file, fault ? "fault" : "suspect",
                   word, text);
    if (fault)
        d->counts.faults++;
    else
        d->counts.suspects++;
}

/* A small file that could not be made use of: damaged, or not there, as in a part of a cluster? */
static void add_small_file(struct ps_pg_damage *d, const char *path, const char *word,
                           struct ps_text *out)
{
    uint8_t *bytes = NULL;
    size_t len;
    bool there = ps_pg_read_file(d->cluster, path, SMALL_FILE_MAX, &bytes, &len) != PS_ERR_NOENT;

    free(bytes);
    add_line(d, "-", path, there, word, there ? "damaged, or of an unknown version" : "missing",
             out);
}

static void check_maps(struct ps_pg_damage *d, struct ps_text *out)
{
    for (uint32_t i = 0; i < ps_pg_db_count(d->cluster); i++) {
        ps_oid db = ps_pg_db_oid(d->cluster, i);
        char path[64] = "global/pg_filenode.map";

        if (ps_pg_mapped_node(d->cluster, db, db == 0 ? PG_DATABASE : PG_CLASS) != 0)
            continue;
        if (db != 0)
            snprintf(path, sizeof(path), "base/%" PRIu32 "/pg_filenode.map", db);
        add_small_file(d, path, "map", out);
    }
}

struct note_ctx {
    struct ps_pg_damage *d;
    struct ps_text *out;
};

static void add_note(void *ctx, const char *line)
{
    const struct note_ctx *c = ctx;

    add_line(c->d, "-", "-", false, "note", line, c->out);
}

static void check_cluster(struct ps_pg_damage *d, struct ps_text *out)
{
    struct note_ctx ctx = {d, out};

    d->cluster_done = true;
    ps_pg_notes(d->cluster, add_note, &ctx);
    if (ps_pg_is_file(d->cluster))
        return;
    if (!ps_pg_control(d->cluster)->known)
        add_small_file(d, CONTROL_FILE, "control", out);
    check_maps(d, out);
}

/* --- what is known of a file --------------------------------------------------------------- */

static const struct ps_pg_file *main_file_of(struct ps_pg_damage *d, uint32_t db, ps_oid oid)
{
    const struct ps_pg_relation *r = ps_pg_relation_by_oid(d->catalog, db, oid);

    return r && !r->file_missing ? ps_pg_file_by_id(d->cluster, r->files[PS_PG_MAIN]) : NULL;
}

/* A file by itself may be without its toast relation's. */
static bool has_toast(struct ps_pg_damage *d, const struct ps_pg_relation *r)
{
    return !ps_pg_is_file(d->cluster) || ps_pg_relation_by_oid(d->catalog, d->db, r->toast) != NULL;
}

/* What the catalog cannot tell is left out: it costs only the checks that need it. */
static ps_err know_relation(struct ps_pg_damage *d, const struct ps_pg_relation *r,
                            struct ps_pg_subject *s)
{
    ps_err err = ps_pg_relation_desc(d->catalog, d->db, r, &s->desc);

    s->relation = r->dir;
    s->orders_bytes = ps_pg_database(d->catalog, d->db)->orders_bytes;
    s->kind = ps_pg_page_kind(r->am_name, r->kind, s->file->fork);
    if (err == PS_ERR_NOMEM)
        return err;
    if (err)
        s->desc = NULL;
    if (r->files[PS_PG_VM] != 0)
        s->vm = ps_pg_file_by_id(d->cluster, r->files[PS_PG_VM]);
    if (r->kind == 'i' && s->file->fork == PS_PG_MAIN)
        s->heap = main_file_of(d, d->db, r->owner);
    if (s->kind != PS_PG_PAGE_HEAP || !has_toast(d, r))
        return PS_OK;
    err = ps_pg_toast_reader_new(d->catalog, d->db, &d->toast);
    if (err)
        return err;
    d->toaster = ps_pg_toast_reader_toaster(d->toast);
    s->toaster = &d->toaster;
    return PS_OK;
}

static void leave_walk(struct ps_pg_damage *d)
{
    ps_pg_walk_close(d->walk);
    d->walk = NULL;
    if (d->toast)
        ps_pg_toast_reader_free(d->toast);
    d->toast = NULL;
}

static ps_err enter_file(struct ps_pg_damage *d, const struct ps_pg_file *file, struct ps_text *out)
{
    struct ps_pg_subject s = {.file = file, .kind = ps_pg_page_kind("", 0, file->fork)};
    ps_err err = d->relation ? know_relation(d, d->relation, &s) : PS_OK;

    if (!err)
        err = ps_pg_walk_open(d->cluster, ps_pg_catalog_xacts(d->catalog), &s, &d->walk);
    if (!err || err == PS_ERR_NOMEM || err == PS_ERR_INTERRUPTED)
        return err;
    leave_walk(d);
    add_line(d, s.relation ? s.relation : "-", file->path, true, "read", ps_message(), out);
    return PS_OK;
}

/* --- from file to file --------------------------------------------------------------------- */

/* The next fork of the relation that has a file; false: there is none. */
static bool next_fork(struct ps_pg_damage *d, const struct ps_pg_file **ret)
{
    while (d->relation && d->fork < PS_PG_FORKS) {
        uint32_t id = d->relation->files[d->fork++];

        *ret = id != 0 ? ps_pg_file_by_id(d->cluster, id) : NULL;
        if (*ret)
            return true;
    }
    return false;
}

/* Where more than a tenth of the files are missing somebody took a part of a directory on purpose;
 * where the log was not replayed, files may come and go with it. Else a missing file is lost. */
static bool may_lack_files(struct ps_pg_damage *d)
{
    uint32_t i, count = ps_pg_relation_count(d->catalog, d->db), missing = 0;

    if (d->lacks_known && d->lacks_db == d->db)
        return d->lacks_files;
    for (i = 0; i < count; i++)
        missing += ps_pg_relation(d->catalog, d->db, i)->file_missing;
    d->lacks_files = missing > count / PARTIAL_SHARE || ps_pg_not_recovered(d->cluster);
    d->lacks_db = d->db;
    d->lacks_known = true;
    return d->lacks_files;
}

static void see_relation(struct ps_pg_damage *d, const struct ps_pg_relation *r,
                         struct ps_text *out)
{
    const bool not_followed =
        !ps_pg_opts(d->cluster)->follow_links && !ps_pg_has_space(d->cluster, r->space);
    char text[96];

    d->relation = r;
    d->fork = 0;
    if (!r->file_missing)
        return;
    if (not_followed)
        snprintf(text, sizeof(text),
                 "its file %" PRIu32 " lies in tablespace %" PRIu32 ", which is not at hand",
                 r->node, r->space);
    else
        snprintf(text, sizeof(text), "its file %" PRIu32 " is missing", r->node);
    add_line(d, r->dir, "-", !not_followed && !may_lack_files(d), "missing", text, out);
}

static bool next_relation(struct ps_pg_damage *d, struct ps_text *out)
{
    while (d->db < ps_pg_database_count(d->catalog)) {
        if (d->relation_at < ps_pg_relation_count(d->catalog, d->db)) {
            see_relation(d, ps_pg_relation(d->catalog, d->db, d->relation_at++), out);
            return true;
        }
        d->db++;
        d->relation_at = 0;
    }
    d->relation = NULL;
    return false;
}

/* Files that no catalog names. */
static bool next_orphan(struct ps_pg_damage *d, const struct ps_pg_file **ret)
{
    while (d->file_at < ps_pg_file_count(d->cluster)) {
        enum ps_pg_fork fork;
        uint32_t db;

        *ret = ps_pg_file(d->cluster, d->file_at++);
        if (!ps_pg_relation_of_table(d->catalog, (*ret)->id, &db, &fork))
            return true;
    }
    return false;
}

static ps_err next_file(struct ps_pg_damage *d, struct ps_text *out, bool *ret_done)
{
    const struct ps_pg_file *file;

    if (d->asked) {
        see_relation(d, d->asked, out);
        d->asked = NULL;
    }
    if (next_fork(d, &file))
        return enter_file(d, file, out);
    if (d->all && next_relation(d, out))
        return PS_OK;
    if (d->all && next_orphan(d, &file))
        return enter_file(d, file, out);
    *ret_done = true;
    return PS_OK;
}

/* --- the scan ------------------------------------------------------------------------------ */

static ps_err open_scan(struct ps_pg_catalog *catalog, struct ps_pg_damage **ret)
{
    *ret = calloc(1, sizeof(**ret));
    if (!*ret)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    (*ret)->catalog = catalog;
    (*ret)->cluster = ps_pg_catalog_cluster(catalog);
    return PS_OK;
}

ps_err ps_pg_damage_open(struct ps_pg_catalog *catalog, uint32_t db,
                         const struct ps_pg_relation *relation, struct ps_pg_damage **ret)
{
    ps_err err = open_scan(catalog, ret);

    if (err)
        return err;
    (*ret)->db = db;
    (*ret)->asked = relation;
    return PS_OK;
}

ps_err ps_pg_damage_open_all(struct ps_pg_catalog *catalog, struct ps_pg_damage **ret)
{
    ps_err err = open_scan(catalog, ret);

    if (!err)
        (*ret)->all = true;
    return err;
}

void ps_pg_damage_close(struct ps_pg_damage *d)
{
    if (!d)
        return;
    leave_walk(d);
    free(d);
}

ps_err ps_pg_damage_step(struct ps_pg_damage *d, struct ps_cancel *cancel, struct ps_text *out,
                         bool *ret_done)
{
    bool walk_done = false;
    ps_err err;

    *ret_done = false;
    if (d->all && !d->cluster_done)
        check_cluster(d, out);
    if (!d->walk) {
        err = next_file(d, out, ret_done);
        return err ? err : ps_text_err(out);
    }
    if (d->toast)
        ps_pg_toast_reader_cancel(d->toast, cancel);
    err = ps_pg_walk_step(d->walk, cancel, out, &d->counts, &walk_done);
    if (walk_done)
        leave_walk(d);
    return err;
}

struct ps_pg_damage_counts ps_pg_damage_counts(const struct ps_pg_damage *d)
{
    return d->counts;
}
