/*
 * ops_dir.c - folders: look-up and listing.
 *
 * A listing's offsets say where to go on and stay good while tables and pages come and go: the
 * cookie of a named node is its node id (+ 2), that of a page or table NUMBERED + its number + 1;
 * of what a cluster holds, its position.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/cluster.h"
#include "fs/errmap.h"

/* --- look-up ------------------------------------------------------------------------------ */

static int check_table_id(const struct pfs_object *o)
{
    return o->table > PFS_TABLE_ID_MAX ? EOVERFLOW : 0;
}

/* The attributes of an object by its name: what is not there is ENOENT, not ESTALE. */
static int attr_by_name(struct pfs *fs, const struct pfs_object *o, struct ps_table *table,
                        struct stat *st)
{
    int status = pfs_attr(fs, o, table, st);

    return status == ESTALE ? ENOENT : status;
}

static int lookup(struct pfs *fs, fuse_ino_t parent_ino, const char *name,
                  struct fuse_entry_param *e)
{
    struct pfs_object parent, o;
    struct ps_table *table = NULL;
    bool is_alias = false;
    int status = pfs_resolve(fs, parent_ino, &parent, &table);

    if (status)
        return status;
    status = pfs_object_lookup(fs, &parent, name, &o, &is_alias);
    if (!status)
        status = check_table_id(&o);
    if (!status && !table && o.table) /* the parent is no table's */
        status = pfs_errno(ps_table_get(fs->store, o.table, &table));
    if (!status) {
        pfs_entry_init(fs, &o, is_alias, e);
        status = attr_by_name(fs, &o, table, &e->attr);
    }
    if (table)
        ps_table_unref(table);
    return status;
}

void pfs_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param e;
    int status = lookup(pfs_of(req), parent, name, &e);

    if (status)
        fuse_reply_err(req, status);
    else
        fuse_reply_entry(req, &e);
}

void pfs_op_readlink(fuse_req_t req, fuse_ino_t ino)
{
    struct pfs *fs = pfs_of(req);
    struct ps_table *table = NULL;
    struct pfs_object o;
    char to[PFS_LINK_MAX];
    int status = pfs_resolve(fs, ino, &o, &table);

    if (!status && pfs_node_of(&o)->kind != PFS_KIND_LINK)
        status = EINVAL;
    if (!status)
        pfs_cluster_link(fs->cluster, &o, to);
    ps_table_unref(table);
    if (status)
        fuse_reply_err(req, status);
    else
        fuse_reply_readlink(req, to);
}

/* --- listing ------------------------------------------------------------------------------ */

#define COOKIE_DOT 1
#define COOKIE_DOTDOT 2
#define COOKIE_NUMBERED 256 /* above every node id + 2 */
#define PAGES_A_BATCH 256u

/* One reply to READDIR or READDIRPLUS, while it is filled. */
struct listing {
    fuse_req_t req;
    struct pfs *fs;
    const struct pfs_handle *dir;
    bool plus;
    char *buf;
    size_t size, len;
    uint64_t cookie; /* of the last entry that went in; where to go on */
    bool full;
};

static void put(struct listing *l, const char *name, const struct fuse_entry_param *e,
                uint64_t cookie)
{
    size_t len;

    if (l->plus)
        len = fuse_add_direntry_plus(l->req, l->buf + l->len, l->size - l->len, name, e,
                                     (off_t)cookie);
    else
        len = fuse_add_direntry(l->req, l->buf + l->len, l->size - l->len, name, &e->attr,
                                (off_t)cookie);
    l->full = len > l->size - l->len;
    if (l->full)
        return;
    l->len += len;
    l->cookie = cookie;
}

/* A name with only its number and type: the kernel looks up the rest when it is needed. */
static void put_name(struct listing *l, const char *name, const struct pfs_object *o,
                     uint64_t cookie)
{
    struct fuse_entry_param e;

    memset(&e, 0, sizeof(e));
    e.attr.st_ino = pfs_ino(o);
    e.attr.st_mode = pfs_file_type(o);
    put(l, name, &e, cookie);
}

static void list_dots(struct listing *l)
{
    struct pfs_object parent = pfs_object_parent(l->fs, &l->dir->object);

    if (l->cookie < COOKIE_DOT)
        put_name(l, ".", &l->dir->object, COOKIE_DOT);
    if (!l->full && l->cookie < COOKIE_DOTDOT)
        put_name(l, "..", &parent, COOKIE_DOTDOT);
}

static void list_named(struct listing *l, const struct ps_table_info *info)
{
    enum pfs_node_id dir = l->dir->object.id;
    enum pfs_node_id id = pfs_node_next(dir, (enum pfs_node_id)(l->cookie - COOKIE_DOTDOT));

    for (; id < PFS_NODE_COUNT && !l->full; id = pfs_node_next(dir, id + 1)) {
        struct pfs_object o = l->dir->object;

        o.id = id;
        if (pfs_node_fits(l->fs, id, info))
            put_name(l, pfs_node(id)->name, &o, COOKIE_DOTDOT + (uint64_t)id + 1);
    }
    if (!l->full)
        l->cookie = COOKIE_NUMBERED;
}

static void list_table(struct listing *l, struct ps_table *table)
{
    struct pfs_object o = {.id = PFS_NODE_TABLE, .table = ps_table_id(table)};
    char name[PS_TABLE_NAME_MAX + 1];

    /* One that was dropped just now, or whose number no inode can hold, is not listed. */
    if (ps_table_name(table, name) && check_table_id(&o) == 0)
        put_name(l, name, &o, COOKIE_NUMBERED + (uint64_t)o.table + 1);
}

static ps_err list_tables(struct listing *l)
{
    uint64_t from = l->cookie - COOKIE_NUMBERED;
    struct ps_table *table = NULL;
    ps_err err = PS_OK;

    while (!l->full && from <= UINT32_MAX) {
        err = ps_table_next(l->fs->store, (uint32_t)from, &table);
        if (err)
            break;
        list_table(l, table);
        from = (uint64_t)ps_table_id(table) + 1;
        ps_table_unref(table);
    }
    return err == PS_ERR_NOENT ? PS_OK : err;
}

/* Databases, their relations, links and so on. */
static void list_cluster(struct listing *l)
{
    uint64_t at = l->cookie - COOKIE_NUMBERED;
    char name[PS_PG_DIR_MAX + 1];
    struct pfs_object o;

    while (!l->full && pfs_cluster_next(l->fs->cluster, &l->dir->object, &at, &o, name))
        put_name(l, name, &o, COOKIE_NUMBERED + at);
}

static void list_page(struct listing *l, enum pfs_node_id member, const struct ps_table_info *info,
                      const struct ps_page_info *page)
{
    struct pfs_object o = {.id = member, .table = l->dir->object.table, .page = page->page_no};
    struct fuse_entry_param e;
    uint64_t cookie = COOKIE_NUMBERED + (uint64_t)page->page_no + 1;
    char name[PFS_PAGE_NAME_LEN + 1];

    pfs_page_name(page->page_no, name);
    if (!l->plus || pfs_attr_timeout(l->fs, &o) == 0) {
        put_name(l, name, &o, cookie);
        return;
    }
    pfs_entry_init(l->fs, &o, false, &e);
    pfs_attr_page(l->fs, &o, info, page, &e.attr);
    put(l, name, &e, cookie);
}

static ps_err list_pages(struct listing *l, enum pfs_node_id member,
                         const struct ps_table_info *info)
{
    struct ps_page_info pages[PAGES_A_BATCH];
    uint32_t count = 1;
    ps_err err = PS_OK;

    while (!l->full && count > 0 && !err) {
        count = 0;
        err =
            ps_page_list(l->dir->table, l->cookie - COOKIE_NUMBERED, pages, PAGES_A_BATCH, &count);
        for (uint32_t i = 0; i < count && !l->full && !err; i++)
            list_page(l, member, info, &pages[i]);
    }
    return err;
}

static ps_err list(struct listing *l)
{
    enum pfs_node_id member = pfs_node_member(l->fs, l->dir->object.id);
    struct ps_table_info info;
    ps_err err = PS_OK;

    if (l->dir->table)
        err = ps_table_info(l->dir->table, &info);
    if (err)
        return err;
    if (l->cookie < COOKIE_DOTDOT)
        list_dots(l);
    if (!l->full && l->cookie < COOKIE_NUMBERED)
        list_named(l, l->dir->table ? &info : NULL);
    if (l->full || member == PFS_NODE_COUNT)
        return PS_OK;
    if (pfs_node(member)->naming == PFS_NAMED_BY_PAGE)
        return list_pages(l, member, &info);
    if (!pfs_has_databases(l->fs->cluster))
        return list_tables(l);
    list_cluster(l);
    return PS_OK;
}

static void reply_listing(fuse_req_t req, size_t size, off_t off, const struct fuse_file_info *fi,
                          bool plus)
{
    struct listing l = {.req = req,
                        .fs = pfs_of(req),
                        .dir = pfs_handle_of(fi),
                        .plus = plus,
                        .size = size,
                        .cookie = (uint64_t)off};
    ps_err err = PS_OK;

    l.buf = malloc(size);
    if (!l.buf)
        err = ps_fail(PS_ERR_NOMEM, "no memory for a listing");
    if (!err)
        err = list(&l);
    if (err && l.len == 0)
        fuse_reply_err(req, pfs_errno(err));
    else
        fuse_reply_buf(req, l.buf,
                       l.len); /* after an error: what there is; the next call meets it */
    free(l.buf);
}

void pfs_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                    struct fuse_file_info *fi)
{
    (void)ino;
    reply_listing(req, size, off, fi, false);
}

void pfs_op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                        struct fuse_file_info *fi)
{
    (void)ino;
    reply_listing(req, size, off, fi, true);
}
