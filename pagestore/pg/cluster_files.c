/*
 * cluster_files.c - which files there are: global/, base/OID/, and tablespaces, which are folders
 * or links in pg_tblspc/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pg/cluster_internal.h"

/* --- one folder --------------------------------------------------------------------------- */

/* A folder that is being listed, and what of it nobody knows. */
struct listing {
    struct ps_pg_cluster *c;
    struct ps_cluster_finds *finds;
    struct ps_cluster_found found; /* of all names in it */
    uint32_t strangers;
    char stranger[64];
    bool has_marks; /* PG_VERSION or pg_filenode.map: it is a database's own */
};

static void note_stranger(struct listing *l, const char *name)
{
    if (l->strangers++ == 0)
        (void)snprintf(l->stranger, sizeof(l->stranger), "%s", name);
}

static void tell_strangers(struct listing *l, const char *folder)
{
    if (l->strangers == 1)
        ps_pg_note(l->c, "%s/%s: the name is no relation's; not shown", folder, l->stranger);
    else if (l->strangers > 1)
        ps_pg_note(l->c, "%s: %u names are no relation's (%s, ...); not shown", folder,
                   l->strangers, l->stranger);
}

static ps_err each_file(void *ctx, const char *name)
{
    struct listing *l = ctx;

    if (ps_pg_parse_file_name(name, &l->found.file, &l->found.segment))
        return ps_cluster_finds_add(l->finds, &l->found);
    if (strcmp(name, "PG_VERSION") == 0 || strcmp(name, "pg_filenode.map") == 0)
        l->has_marks = true;
    else if (!ps_cluster_is_known_name(name))
        note_stranger(l, name);
    return PS_OK;
}

static ps_err list(struct ps_pg_cluster *c, unsigned root, const char *path,
                   ps_err (*each)(void *ctx, const char *name), void *ctx)
{
    struct ps_io *io = c->roots[root].io;

    return io->ops->list(io, path, each, ctx);
}

static struct ps_cluster_db *find_db(struct ps_pg_cluster *c, ps_oid oid)
{
    for (uint32_t i = 0; i < c->db_count; i++)
        if (c->dbs[i].oid == oid)
            return &c->dbs[i];
    return NULL;
}

static ps_err new_db(struct ps_pg_cluster *c, ps_oid oid, struct ps_cluster_db **ret)
{
    const uint32_t cap = c->db_cap ? 2 * c->db_cap : 8;
    struct ps_cluster_db *bigger;

    if (c->db_count == c->db_cap) {
        bigger = realloc(c->dbs, cap * sizeof(*bigger));
        if (!bigger)
            return ps_fail(PS_ERR_NOMEM, "no memory for %u databases", cap);
        c->dbs = bigger;
        c->db_cap = cap;
    }
    *ret = &c->dbs[c->db_count++];
    **ret = (struct ps_cluster_db){.oid = oid};
    return PS_OK;
}

/* A folder of the database: it is where the database is at home if its marks are there, or else the
 * first one. */
static ps_err add_db(struct ps_pg_cluster *c, const struct listing *l, const char *folder)
{
    struct ps_cluster_db *db = find_db(c, l->found.file.db);
    char *dir;
    ps_err err = PS_OK;

    if (db && (db->has_marks || !l->has_marks))
        return PS_OK;
    dir = strdup(folder);
    if (!dir)
        return ps_fail(PS_ERR_NOMEM, "no memory for the name of %s", folder);
    if (!db)
        err = new_db(c, l->found.file.db, &db);
    if (err) {
        free(dir);
        return err;
    }
    free(db->dir);
    db->dir = dir;
    db->space = l->found.file.space;
    db->root = l->found.file.root;
    db->has_marks = l->has_marks;
    return PS_OK;
}

/* All files of one database in one tablespace. A folder that cannot be listed costs what is in it.
 */
static ps_err list_db(struct ps_pg_cluster *c, struct ps_cluster_finds *finds, unsigned root,
                      const char *folder, ps_oid space, ps_oid db)
{
    struct listing l = {.c = c,
                        .finds = finds,
                        .found = {.file = {.db = db, .space = space, .root = root},
                                  .folder = finds->folders.count}};
    char *name = strdup(folder);
    ps_err err = name ? ps_cluster_keep(&finds->folders, name)
                      : ps_fail(PS_ERR_NOMEM, "no memory for the name of %s", folder);

    if (err)
        return err;
    err = list(c, root, folder, each_file, &l);
    tell_strangers(&l, folder);
    if (err == PS_ERR_NOMEM)
        return err;
    if (err && (err != PS_ERR_NOENT || db != 0)) /* that global/ is missing the caller says */
        ps_pg_note(c, "%s; its relations are not shown", ps_message());
    return err == PS_ERR_NOENT ? PS_OK : add_db(c, &l, folder);
}

/* --- folders of databases ----------------------------------------------------------------- */

/* Numbers that name the entries of a folder. */
struct numbered {
    struct ps_cluster_numbers n;
    struct listing strangers;
};

static ps_err add_number(struct ps_cluster_numbers *n, uint32_t number)
{
    const uint32_t cap = n->cap ? 2 * n->cap : 16;
    uint32_t *bigger;

    if (n->count == n->cap) {
        bigger = realloc(n->number, cap * sizeof(*bigger));
        if (!bigger)
            return ps_fail(PS_ERR_NOMEM, "no memory for the names of %u folders", cap);
        n->number = bigger;
        n->cap = cap;
    }
    n->number[n->count++] = number;
    return PS_OK;
}

static ps_err each_number(void *ctx, const char *name)
{
    struct numbered *names = ctx;
    const char *end;
    uint32_t number;

    if (ps_cluster_parse_number(name, &end, &number) && *end == '\0' && number != 0)
        return add_number(&names->n, number);
    if (!ps_cluster_is_known_name(name))
        note_stranger(&names->strangers, name);
    return PS_OK;
}

/* All databases below a folder of one tablespace. */
static ps_err list_space(struct ps_pg_cluster *c, struct ps_cluster_finds *finds, unsigned root,
                         const char *folder, ps_oid space)
{
    struct numbered names = {.strangers.c = c};
    char path[PS_CLUSTER_PATH_MAX];
    ps_err err = list(c, root, folder, each_number, &names);

    tell_strangers(&names.strangers, folder);
    if (err && err != PS_ERR_NOMEM) {
        ps_pg_note(c, "%s; the databases in it are not shown", ps_message());
        err = PS_OK;
    }
    for (uint32_t i = 0; i < names.n.count && !err; i++) {
        (void)snprintf(path, sizeof(path), "%s/%u", folder, names.n.number[i]);
        err = list_db(c, finds, root, path, space, names.n.number[i]);
    }
    free(names.n.number);
    return err;
}

/* --- tablespaces -------------------------------------------------------------------------- */

/* The folder of a tablespace that is of this version: PG_15_202209061. */
struct version_folder {
    struct ps_pg_cluster *c;
    char name[64]; /* the best so far; "" none */
    uint32_t version, catalog;
};

static bool parse_version_folder(const char *name, uint32_t *ret_version, uint32_t *ret_catalog)
{
    const char *at = name + 3;

    return strncmp(name, "PG_", 3) == 0 && ps_cluster_parse_number(at, &at, ret_version) &&
           *at == '_' && ps_cluster_parse_number(at + 1, &at, ret_catalog) && *at == '\0' &&
           strlen(name) < sizeof(((struct version_folder *)NULL)->name);
}

/* Several versions may lie side by side; where nothing else says which is ours the newest is. */
static ps_err each_version(void *ctx, const char *name)
{
    struct version_folder *v = ctx;
    const struct ps_pg_cluster *c = v->c;
    uint32_t version, catalog;

    if (!parse_version_folder(name, &version, &catalog))
        return PS_OK;
    if (c->version && version != c->version)
        return PS_OK;
    if (c->control.known && catalog != c->control.catalog_version)
        return PS_OK;
    if (v->name[0] && (version < v->version || (version == v->version && catalog < v->catalog)))
        return PS_OK;
    v->version = version;
    v->catalog = catalog;
    (void)snprintf(v->name, sizeof(v->name), "%s", name);
    return PS_OK;
}

/* A tablespace whose folder is `folder` below the root ("." for the root itself). */
static ps_err list_tablespace(struct ps_pg_cluster *c, struct ps_cluster_finds *finds,
                              unsigned root, const char *folder, ps_oid oid)
{
    struct version_folder v = {.c = c};
    char path[PS_CLUSTER_PATH_MAX];
    bool at_root;
    ps_err err = list(c, root, folder, each_version, &v);

    if (err == PS_ERR_NOMEM)
        return err;
    if (err) {
        ps_pg_note(c, "tablespace %u: %s", oid, ps_message());
        return PS_OK;
    }
    at_root = strcmp(folder, ".") == 0;
    if (!v.name[0]) {
        ps_pg_note(c, "tablespace %u: %s%s%s has no folder PG_VERSION_CATALOG of this version", oid,
                   c->roots[root].dir, at_root ? "" : "/", at_root ? "" : folder);
        return PS_OK;
    }
    err = add_number(&c->spaces, oid);
    if (err)
        return err;
    if (!c->version)
        c->version = v.version;
    if (at_root)
        return list_space(c, finds, root, v.name, oid);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, v.name);
    return list_space(c, finds, root, path, oid);
}

static bool has_number(const struct ps_cluster_numbers *n, uint32_t number)
{
    for (uint32_t i = 0; i < n->count; i++)
        if (n->number[i] == number)
            return true;
    return false;
}

bool ps_pg_has_space(const struct ps_pg_cluster *c, ps_oid space)
{
    return space == 0 || space == PS_PG_DEFAULT_SPACE || space == PS_PG_GLOBAL_SPACE ||
           has_number(&c->spaces, space);
}

static const char *option_dir(const struct ps_pg_cluster *c, ps_oid oid)
{
    for (uint32_t i = 0; i < c->opts.tablespace_count; i++)
        if (c->opts.tablespaces[i].oid == oid)
            return c->opts.tablespaces[i].dir;
    return NULL;
}

/* Where a link leads, in a string to be freed; NULL: it is none, or cannot be read. A relative one
 * counts from the folder that it is in. */
static char *link_target(const struct ps_pg_cluster *c, const char *path)
{
    char full[PS_CLUSTER_PATH_MAX + 4096], target[4096], *ret = NULL;
    ssize_t len;

    (void)snprintf(full, sizeof(full), "%s/%s", c->roots[0].dir, path);
    len = readlink(full, target, sizeof(target) - 1);
    if (len < 0)
        return NULL;
    target[len] = '\0';
    if (target[0] == '/')
        return strdup(target);
    return asprintf(&ret, "%s/pg_tblspc/%s", c->roots[0].dir, target) < 0 ? NULL : ret;
}

/* `by` is what leads to the target. */
static ps_err list_linked(struct ps_pg_cluster *c, struct ps_cluster_finds *finds, const char *by,
                          const char *target, ps_oid oid)
{
    unsigned root;
    ps_err err;

    if (!c->opts.follow_links) {
        ps_pg_note(c,
                   "%s: a link to %s, which is not followed: say tablespace=%u=DIR or follow_links",
                   by, target, oid);
        return PS_OK;
    }
    err = ps_cluster_add_root(c, target, &root);
    if (err == PS_ERR_NOMEM)
        return err;
    if (err) {
        ps_pg_note(c, "%s: %s", by, ps_message());
        return PS_OK;
    }
    return list_tablespace(c, finds, root, ".", oid);
}

/* One that pg_tblspc names, and the options do not. */
static ps_err list_by_name(struct ps_pg_cluster *c, struct ps_cluster_finds *finds, ps_oid oid)
{
    char path[64];
    char *target;
    ps_err err;

    (void)snprintf(path, sizeof(path), "pg_tblspc/%u", oid);
    target = link_target(c, path);
    err =
        target ? list_linked(c, finds, path, target, oid) : list_tablespace(c, finds, 0, path, oid);
    free(target);
    return err;
}

/* --- tablespace_map ------------------------------------------------------------------------- */

/* A backup's list of tablespaces: OID, a space, and where it lay, in which a backslash stands
 * before each line end and backslash. A server makes the links of it when it starts. */
struct map_line {
    ps_oid oid; /* 0: the line is none */
    char *target;
};

/* Takes a line off the text. */
static struct map_line take_line(char **text)
{
    struct map_line line = {0};
    const char *end;
    char *from = *text, *to;

    if (ps_cluster_parse_number(from, &end, &line.oid) && *end == ' ')
        from += end - from + 1;
    else
        line.oid = 0;
    for (line.target = to = from; *from != '\0' && *from != '\n'; from++) {
        from += from[0] == '\\' && from[1] != '\0';
        *to++ = *from;
    }
    *text = from + (*from != '\0');
    *to = '\0';
    return line;
}

/* Those of the map that neither options nor pg_tblspc name: of a backup that came as tar. */
static ps_err list_mapped(struct ps_pg_cluster *c, struct ps_cluster_finds *finds,
                          const struct ps_cluster_numbers *named)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    char *text;
    ps_err err = ps_cluster_read(c, 0, "tablespace_map", PS_CLUSTER_SMALL_FILE_MAX, &bytes, &len);

    if (err) {
        if (err != PS_ERR_NOENT)
            ps_pg_note(c, "%s; tablespaces that it names are not shown", ps_message());
        return err == PS_ERR_NOMEM ? err : PS_OK;
    }
    for (text = (char *)bytes; *text != '\0' && !err;) {
        const struct map_line line = take_line(&text);

        if (line.oid == 0 || line.target[0] != '/')
            ps_pg_note(c, "tablespace_map: a line without an OID and an absolute path is left out");
        else if (!option_dir(c, line.oid) && !has_number(named, line.oid))
            err = list_linked(c, finds, "tablespace_map", line.target, line.oid);
    }
    free(bytes);
    return err;
}

/* --- all tablespaces ------------------------------------------------------------------------ */

static ps_err list_optional(struct ps_pg_cluster *c, struct ps_cluster_finds *finds)
{
    unsigned root;
    ps_err err = PS_OK;

    for (uint32_t i = 0; i < c->opts.tablespace_count && !err; i++) {
        err = ps_cluster_add_root(c, c->opts.tablespaces[i].dir, &root);
        if (err)
            err = ps_fail_in(err, "tablespace=%u", c->opts.tablespaces[i].oid);
        else
            err = list_tablespace(c, finds, root, ".", c->opts.tablespaces[i].oid);
    }
    return err;
}

static ps_err list_tablespaces(struct ps_pg_cluster *c, struct ps_cluster_finds *finds)
{
    struct numbered names = {.strangers.c = c};
    ps_err err = list_optional(c, finds);

    if (err)
        return err;
    err = list(c, 0, "pg_tblspc", each_number, &names);
    tell_strangers(&names.strangers, "pg_tblspc");
    if (err && err != PS_ERR_NOMEM) {
        ps_pg_note(c, "%s; tablespaces are not shown", ps_message());
        err = PS_OK;
    }
    for (uint32_t i = 0; i < names.n.count && !err; i++)
        if (!option_dir(c, names.n.number[i]))
            err = list_by_name(c, finds, names.n.number[i]);
    if (!err)
        err = list_mapped(c, finds, &names.n);
    free(names.n.number);
    return err;
}

/* --- all ---------------------------------------------------------------------------------- */

static int compare_dbs(const void *a, const void *b)
{
    const struct ps_cluster_db *x = a, *y = b;

    return (x->oid > y->oid) - (x->oid < y->oid);
}

ps_err ps_cluster_list(struct ps_pg_cluster *c)
{
    struct ps_cluster_finds finds = {0};
    ps_err err = list_db(c, &finds, 0, "global", PS_PG_GLOBAL_SPACE, 0);

    if (!err && !find_db(c, 0))
        ps_pg_note(c, "global: missing; there are no shared relations, and names of databases");
    if (!err)
        err = list_space(c, &finds, 0, "base", PS_PG_DEFAULT_SPACE);
    if (!err)
        err = list_tablespaces(c, &finds);
    if (!err)
        err = ps_cluster_finds_settle(c, &finds);
    if (!err && c->db_count > 0)
        qsort(c->dbs, c->db_count, sizeof(*c->dbs), compare_dbs);
    ps_cluster_finds_deinit(&finds);
    return err;
}
