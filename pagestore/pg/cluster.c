/*
 * cluster.c - opening a directory or file of PostgreSQL's, and what it gives out afterwards.
 */
#include "pg/cluster.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/cluster_internal.h"

/* --- strings ------------------------------------------------------------------------------ */

ps_err ps_cluster_keep(struct ps_cluster_texts *texts, char *text)
{
    const uint32_t cap = texts->cap ? 2 * texts->cap : 16;
    char **bigger;

    if (texts->count == texts->cap) {
        bigger = realloc(texts->text, cap * sizeof(*bigger));
        if (!bigger) {
            free(text);
            return ps_fail(PS_ERR_NOMEM, "no memory for %u lines", cap);
        }
        texts->text = bigger;
        texts->cap = cap;
    }
    texts->text[texts->count++] = text;
    return PS_OK;
}

void ps_cluster_texts_deinit(struct ps_cluster_texts *texts)
{
    for (uint32_t i = 0; i < texts->count; i++)
        free(texts->text[i]);
    free(texts->text);
}

/* Without memory a note is reported, but not kept. */
void ps_pg_note(struct ps_pg_cluster *c, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    char *kept;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    kept = strdup(text);
    ps_mutex_lock(&c->mtx);
    if (kept)
        (void)!ps_cluster_keep(&c->notes, kept);
    ps_mutex_unlock(&c->mtx);
    if (c->store_opts.message)
        c->store_opts.message(c->store_opts.ctx, PS_MSG_WARNING, text);
}

/* Notes stay, so that they can be told without the mutex. */
void ps_pg_notes(struct ps_pg_cluster *c, void (*each)(void *ctx, const char *line), void *ctx)
{
    uint32_t i = 0;

    for (;;) {
        const char *line = NULL;

        ps_mutex_lock(&c->mtx);
        if (i < c->notes.count)
            line = c->notes.text[i++];
        ps_mutex_unlock(&c->mtx);
        if (!line)
            return;
        each(ctx, line);
    }
}

/* --- small files -------------------------------------------------------------------------- */

static ps_err open_file(struct ps_pg_cluster *c, unsigned root, const char *path,
                        struct ps_io_file **ret, uint64_t *ret_len)
{
    struct ps_io *io = c->roots[root].io;
    struct ps_io_stat st = {0};
    ps_err err = io->ops->open(io, path, PS_IO_RDONLY | PS_IO_BUFFERED, ret);

    if (err)
        return err;
    err = io->ops->stat(*ret, &st);
    if (err)
        ps_io_close(*ret);
    *ret_len = st.size;
    return err;
}

ps_err ps_cluster_file_len(struct ps_pg_cluster *c, unsigned root, const char *path, uint64_t *ret)
{
    struct ps_io_file *file = NULL;
    ps_err err = open_file(c, root, path, &file, ret);

    if (!err)
        ps_io_close(file);
    return err;
}

/* The bytes are followed by a zero, so that text needs no copy. */
ps_err ps_cluster_read(struct ps_pg_cluster *c, unsigned root, const char *path, size_t max,
                       uint8_t **ret, size_t *ret_len)
{
    struct ps_io_file *file = NULL;
    uint8_t *bytes = NULL;
    uint64_t len = 0;
    size_t got = 0;
    ps_err err = open_file(c, root, path, &file, &len);

    if (err)
        return err;
    if (len > max)
        err = ps_fail(PS_ERR_RANGE, "%s: has %llu bytes, %zu at most can be", path,
                      (unsigned long long)len, max);
    if (!err) {
        bytes = malloc((size_t)len + 1);
        err = bytes ? ps_io_read(file, bytes, (size_t)len, 0, &got)
                    : ps_fail(PS_ERR_NOMEM, "no memory to read %s", path);
    }
    ps_io_close(file);
    if (err) {
        free(bytes);
        return err;
    }
    bytes[got] = 0;
    *ret = bytes;
    *ret_len = got;
    return PS_OK;
}

ps_err ps_pg_read_file(struct ps_pg_cluster *c, const char *path, size_t max, uint8_t **ret,
                       size_t *ret_len)
{
    return ps_cluster_read(c, 0, path, max, ret, ret_len);
}

/* --- options ------------------------------------------------------------------------------ */

/* Only one of them describes the file's relation; table= chooses the relation. */
static ps_err check_describers(const struct ps_pg_options *o)
{
    if (o->catalogs && o->schema)
        return ps_fail(PS_ERR_INVAL, "catalogs= and schema=: only one can describe a file");
    if (o->table && !o->catalogs && !o->schema)
        return ps_fail(PS_ERR_INVAL, "table=%s: needs catalogs= or schema=, where it is described",
                       o->table);
    return PS_OK;
}

/* A tablespace lies in one place, and the two that every cluster has in the cluster itself. */
static ps_err check_tablespaces(const struct ps_pg_options *o)
{
    for (uint32_t i = 0; i < o->tablespace_count; i++) {
        const ps_oid oid = o->tablespaces[i].oid;

        if (oid == PS_PG_DEFAULT_SPACE || oid == PS_PG_GLOBAL_SPACE)
            return ps_fail(PS_ERR_INVAL, "tablespace=%u: is %s/ of the data directory", oid,
                           oid == PS_PG_DEFAULT_SPACE ? "base" : "global");
        for (uint32_t k = 0; k < i; k++)
            if (o->tablespaces[k].oid == oid)
                return ps_fail(PS_ERR_INVAL, "tablespace=%u: is given twice", oid);
    }
    return PS_OK;
}

/* Can the options be, for what is opened? */
static ps_err check_options(const struct ps_pg_options *o, bool is_file)
{
    const uint32_t size_max = is_file ? PS_PAGE_SIZE_MAX : PS_PG_PAGE_SIZE_MAX;

    if (o->page_size && (o->page_size < PS_PAGE_SIZE_MIN || o->page_size > size_max ||
                         (o->page_size & (o->page_size - 1)) != 0))
        return ps_fail(PS_ERR_INVAL, "page_size=%u: must be a power of two from %u to %u",
                       o->page_size, PS_PAGE_SIZE_MIN, size_max);
    if (o->version && (o->version < PS_PG_VERSION_MIN || o->version > PS_PG_VERSION_MAX))
        return ps_fail(PS_ERR_INVAL, "pg_version=%u: must be from %u to %u", o->version,
                       PS_PG_VERSION_MIN, PS_PG_VERSION_MAX);
    if (is_file)
        return check_describers(o);
    if (o->segment != 0 && o->segment != UINT32_MAX)
        return ps_fail(PS_ERR_INVAL, "segment=%u: is for a relation's file by itself", o->segment);
    if (o->catalogs || o->schema || o->toast || o->table)
        return ps_fail(PS_ERR_INVAL, "%s: is for a relation's file by itself",
                       o->catalogs ? "catalogs="
                       : o->schema ? "schema="
                       : o->toast  ? "toast="
                                   : "table=");
    return check_tablespaces(o);
}

static bool copy_text(const char **text)
{
    if (!*text)
        return true;
    *text = strdup(*text);
    return *text != NULL;
}

static ps_err copy_tablespaces(struct ps_pg_options *o)
{
    const struct ps_pg_tablespace *theirs = o->tablespaces;
    struct ps_pg_tablespace *ours = calloc(o->tablespace_count + 1u, sizeof(*ours));
    bool copied = ours != NULL;

    o->tablespaces = ours;
    for (uint32_t i = 0; copied && i < o->tablespace_count; i++) {
        ours[i] = theirs[i];
        copied = copy_text(&ours[i].dir);
    }
    return copied ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for options");
}

/* All of what was not copied is NULL, so that it can be freed. */
static ps_err copy_options(struct ps_pg_cluster *c, const struct ps_pg_options *opts)
{
    bool copied;

    c->opts = *opts;
    copied = copy_text(&c->opts.catalogs);
    copied = copy_text(&c->opts.schema) && copied;
    copied = copy_text(&c->opts.toast) && copied;
    copied = copy_text(&c->opts.table) && copied;
    if (copy_tablespaces(&c->opts) || !copied)
        return ps_fail(PS_ERR_NOMEM, "no memory for options");
    return PS_OK;
}

static void free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void free_options(struct ps_pg_options *o)
{
    free_text(o->catalogs);
    free_text(o->schema);
    free_text(o->toast);
    free_text(o->table);
    for (uint32_t i = 0; o->tablespaces && i < o->tablespace_count; i++)
        free_text(o->tablespaces[i].dir);
    free((void *)(uintptr_t)o->tablespaces);
}

/* --- opening ------------------------------------------------------------------------------ */

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_folder(const char *dir, const char *name)
{
    char path[4096];

    return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) && is_folder(path);
}

static bool is_data_folder(const char *dir)
{
    return has_folder(dir, "base") || has_folder(dir, "global");
}

bool ps_pg_recognize(const char *source)
{
    struct stat st;

    if (stat(source, &st) != 0)
        return false;
    return S_ISREG(st.st_mode) || (S_ISDIR(st.st_mode) && is_data_folder(source));
}

ps_err ps_cluster_add_root(struct ps_pg_cluster *c, const char *dir, unsigned *ret_root)
{
    struct ps_cluster_root *bigger = realloc(c->roots, (c->root_count + 1u) * sizeof(*bigger));
    struct ps_cluster_root *root;
    ps_err err;

    if (!bigger)
        return ps_fail(PS_ERR_NOMEM, "no memory for a folder");
    c->roots = bigger;
    root = &c->roots[c->root_count];
    root->dir = strdup(dir);
    if (!root->dir)
        return ps_fail(PS_ERR_NOMEM, "no memory for a folder");
    err = ps_io_posix_rdonly(dir, PS_IO_KIND_BUFFERED, NULL, NULL, &root->io);
    if (err) {
        free(root->dir);
        return err;
    }
    *ret_root = c->root_count++;
    return PS_OK;
}

/* The store's tables: files, then placeholders. */
static ps_err find(void *ctx, uint32_t from, struct ps_foreign_table *ret)
{
    struct ps_pg_cluster *c = ctx;
    const uint32_t index = from > 0 ? from - 1 : 0;
    const struct ps_cluster_place *place = &c->place;
    const char *name = NULL, *path = NULL;
    unsigned root = 0;

    if (index < c->file_count) {
        name = path = c->files[index].path;
        root = c->files[index].root;
        if (c->is_file && index == PS_CLUSTER_TOAST)
            place = &c->toast_place;
    } else {
        ps_mutex_lock(&c->mtx);
        if (index - c->file_count < c->placeholders.count)
            name = c->placeholders.text[index - c->file_count];
        ps_mutex_unlock(&c->mtx);
    }
    if (!name)
        return PS_ERR_NOENT;
    *ret = (struct ps_foreign_table){
        .id = index + 1,
        .name = name,
        .format = c->format,
        .checksums = c->checksums,
        .root = root,
        .path = path,
        .first_page = path ? place->first_page : 0,
        .page_table_id = c->page_table_id,
        .segment_pages = place->segment_pages,
    };
    return PS_OK;
}

static ps_err open_store(struct ps_pg_cluster *c)
{
    const struct ps_foreign_ops ops = {.find = find, .ctx = c, .live = c->opts.live};
    unsigned root = 0;
    ps_err err =
        ps_store_open_foreign(c->roots[0].dir, c->page_size, &ops, &c->store_opts, &c->store);

    for (unsigned i = 1; i < c->root_count && !err; i++) {
        err = ps_foreign_add_root(c->store, c->roots[i].dir, &root);
        assert(err || root == i);
    }
    return err;
}

/* A segment that is not full ends the relation, whatever lies behind it. */
static void note_short_segment(struct ps_pg_cluster *c, const struct ps_pg_file *file,
                               uint32_t segments)
{
    const uint64_t full = (uint64_t)c->place.segment_pages * c->page_size;
    char path[PS_CLUSTER_PATH_MAX + 16]; /* and a segment */
    uint64_t len = 0;
    uint32_t i;
    ps_err err = PS_OK;

    for (i = 0; i < segments; i++) {
        if (i == 0)
            (void)snprintf(path, sizeof(path), "%s", file->path);
        else
            (void)snprintf(path, sizeof(path), "%s.%u", file->path, i);
        err = ps_cluster_file_len(c, file->root, path, &len);
        if (err || len < full)
            break;
    }
    if (err)
        ps_pg_note(c, "%s; its relation cannot be read", ps_message());
    else if (i + 1 < segments)
        ps_pg_note(c,
                   "%s: has %llu bytes, a full segment %llu; %u later ones are no part of the "
                   "relation",
                   path, (unsigned long long)len, (unsigned long long)full, segments - i - 1);
}

static ps_err open_cluster(struct ps_pg_cluster *c)
{
    unsigned root;
    ps_err err;

    if (!is_data_folder(c->source))
        return ps_fail(PS_ERR_NOENT,
                       "%s: no data directory of PostgreSQL: it has neither base/ nor global/",
                       c->source);
    c->format = PS_FORMAT_POSTGRES;
    err = ps_cluster_add_root(c, c->source, &root);
    if (!err)
        err = ps_cluster_check_server(c);
    if (err)
        return err;
    ps_cluster_read_control(c);
    err = ps_cluster_check_recovered(c);
    if (!err)
        err = ps_cluster_list(c);
    if (!err)
        err = ps_cluster_settle_sizes(c);
    if (err)
        return err;
    ps_cluster_read_maps(c);
    for (uint32_t i = 0; i < c->file_count; i++)
        if (c->segments[i] > 1)
            note_short_segment(c, &c->files[i], c->segments[i]);
    return PS_OK;
}

static ps_err open_source(struct ps_pg_cluster *c)
{
    struct stat st;
    ps_err err;

    if (stat(c->source, &st) != 0)
        return ps_fail_errno(errno, "%s", c->source);
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return ps_fail(PS_ERR_INVAL, "%s: neither a folder nor a file", c->source);
    err = check_options(&c->opts, S_ISREG(st.st_mode));
    if (err)
        return err;
    err = S_ISREG(st.st_mode) ? ps_cluster_open_file(c) : open_cluster(c);
    return err ? err : open_store(c);
}

ps_err ps_pg_open(const char *source, const struct ps_pg_options *opts,
                  const struct ps_store_options *store_opts, struct ps_pg_cluster **ret)
{
    struct ps_pg_cluster *c = calloc(1, sizeof(*c));
    ps_err err;

    if (!c)
        return ps_fail(PS_ERR_NOMEM, "no memory for a cluster");
    ps_mutex_init(&c->mtx, PS_RANK_LEAF, "cluster.mtx");
    c->store_opts = *store_opts;
    err = copy_options(c, opts);
    c->source = strdup(source);
    if (!err && !c->source)
        err = ps_fail(PS_ERR_NOMEM, "no memory for the name of %s", source);
    if (!err)
        err = open_source(c);
    if (err)
        ps_pg_close(c);
    else
        *ret = c;
    return err;
}

void ps_pg_close(struct ps_pg_cluster *c)
{
    if (c->catalogs)
        ps_pg_close(c->catalogs);
    if (c->store)
        (void)ps_store_close(c->store); /* nothing was written that could be lost */
    for (unsigned i = 0; i < c->root_count; i++) {
        ps_io_destroy(c->roots[i].io);
        free(c->roots[i].dir);
    }
    for (uint32_t i = 0; i < c->db_count; i++)
        free(c->dbs[i].dir);
    for (uint32_t i = 0; i < c->file_count; i++)
        free_text(c->files[i].path);
    ps_cluster_texts_deinit(&c->notes);
    ps_cluster_texts_deinit(&c->placeholders);
    free_options(&c->opts);
    ps_mutex_deinit(&c->mtx);
    free(c->roots);
    free(c->dbs);
    free(c->files);
    free(c->segments);
    free(c->spaces.number);
    free(c->not_recovered);
    free(c->source);
    free(c);
}

/* --- what is known ------------------------------------------------------------------------ */

struct ps_store *ps_pg_store(struct ps_pg_cluster *c)
{
    return c->store;
}

const struct ps_pg_options *ps_pg_opts(const struct ps_pg_cluster *c)
{
    return &c->opts;
}

const struct ps_pg_control *ps_pg_control(const struct ps_pg_cluster *c)
{
    return &c->control;
}

bool ps_pg_has_checksums(const struct ps_pg_cluster *c)
{
    return c->checksums;
}

uint32_t ps_pg_version(const struct ps_pg_cluster *c)
{
    return c->version;
}

bool ps_pg_is_file(const struct ps_pg_cluster *c)
{
    return c->is_file;
}

const char *ps_pg_root_dir(const struct ps_pg_cluster *c, unsigned root)
{
    assert(root < c->root_count);
    return c->roots[root].dir;
}

struct ps_pg_cluster *ps_pg_catalogs(const struct ps_pg_cluster *c)
{
    return c->catalogs;
}

const char *ps_pg_not_recovered(const struct ps_pg_cluster *c)
{
    return c->not_recovered;
}

uint32_t ps_pg_db_count(const struct ps_pg_cluster *c)
{
    return c->db_count;
}

ps_oid ps_pg_db_oid(const struct ps_pg_cluster *c, uint32_t index)
{
    assert(index < c->db_count);
    return c->dbs[index].oid;
}

uint32_t ps_pg_file_count(const struct ps_pg_cluster *c)
{
    return c->file_count;
}

const struct ps_pg_file *ps_pg_file(const struct ps_pg_cluster *c, uint32_t index)
{
    assert(index < c->file_count);
    return &c->files[index];
}

const struct ps_pg_file *ps_pg_file_by_id(const struct ps_pg_cluster *c, uint32_t id)
{
    return id >= 1 && id <= c->file_count ? &c->files[id - 1] : NULL;
}

/* Index of the first file that is not before the key. */
static uint32_t position(const struct ps_pg_cluster *c, const struct ps_pg_file *key)
{
    uint32_t low = 0, high = c->file_count;

    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;

        if (ps_cluster_compare_files(&c->files[mid], key) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t ps_pg_file_first(const struct ps_pg_cluster *c, ps_oid db)
{
    const struct ps_pg_file key = {.db = db, .backend = -1};

    return position(c, &key);
}

static const struct ps_cluster_db *find_db(const struct ps_pg_cluster *c, ps_oid oid)
{
    uint32_t low = 0, high = c->db_count;

    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;

        if (c->dbs[mid].oid < oid)
            low = mid + 1;
        else
            high = mid;
    }
    return low < c->db_count && c->dbs[low].oid == oid ? &c->dbs[low] : NULL;
}

const struct ps_pg_file *ps_pg_file_like(const struct ps_pg_cluster *c,
                                         const struct ps_pg_file *key)
{
    const uint32_t at = position(c, key);

    return at < c->file_count && ps_cluster_compare_files(&c->files[at], key) == 0 ? &c->files[at]
                                                                                   : NULL;
}

const struct ps_pg_file *ps_pg_file_find(const struct ps_pg_cluster *c, ps_oid db, ps_oid space,
                                         uint32_t node, enum ps_pg_fork fork)
{
    struct ps_pg_file key = {.db = db, .space = space, .node = node, .fork = fork, .backend = -1};
    const struct ps_cluster_db *home = find_db(c, db);

    if (space == PS_PG_GLOBAL_SPACE) /* whichever database names it */
        key.db = 0;
    else if (space == 0 && home)
        key.space = home->space;
    return ps_pg_file_like(c, &key);
}

uint32_t ps_pg_mapped_node(const struct ps_pg_cluster *c, ps_oid db, ps_oid relation)
{
    const struct ps_cluster_db *home = find_db(c, db);

    for (uint32_t i = 0; home && i < home->map.count; i++)
        if (home->map.mappings[i].relation == relation)
            return home->map.mappings[i].node;
    return 0;
}

ps_err ps_pg_placeholder(struct ps_pg_cluster *c, const char *name, uint32_t *ret_id)
{
    char *kept = strdup(name);
    uint32_t id;
    ps_err err;

    if (!kept)
        return ps_fail(PS_ERR_NOMEM, "no memory for the name of %s", name);
    ps_mutex_lock(&c->mtx);
    id = c->file_count + c->placeholders.count + 1;
    if (id > PS_FOREIGN_ID_MAX) {
        free(kept);
        err = ps_fail(PS_ERR_RANGE, "there are more relations than can be shown");
    } else {
        err = ps_cluster_keep(&c->placeholders, kept);
    }
    ps_mutex_unlock(&c->mtx);
    if (!err)
        *ret_id = id;
    return err;
}
