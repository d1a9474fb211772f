/*
 * ops_name.c - names that come and go: tables and page-files. Everything else is there because
 * its table is: to remove it succeeds and does nothing, so that `rm -r` of a table works.
 */
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/errmap.h"
#include "fs/interrupt.h"
#include "fs/notify.h"

/* The folder that a request names, and its table (a reference). */
static int resolve_parent(fuse_req_t req, fuse_ino_t ino, const char *name, struct pfs_object *ret,
                          struct ps_table **ret_table)
{
    if (strlen(name) > PS_TABLE_NAME_MAX)
        return ENAMETOOLONG;
    return pfs_resolve(pfs_of(req), ino, ret, ret_table);
}

static void unref(struct ps_table *table)
{
    if (table)
        ps_table_unref(table);
}

/* --- tables ------------------------------------------------------------------------------- */

static int make_table(struct pfs *fs, const struct pfs_object *parent, const char *name,
                      struct fuse_entry_param *e)
{
    struct pfs_object o = {.id = PFS_NODE_TABLE};
    struct ps_table *table = NULL;
    int status;

    if (parent->id != PFS_NODE_ROOT)
        return EPERM;
    status = pfs_check_writable(fs, parent);
    if (!status)
        status = pfs_errno(ps_table_create(fs->store, name, PS_FORMAT_NATIVE, PS_PAGE_RAW, &table));
    if (status)
        return status;
    o.table = ps_table_id(table);
    if (o.table > PFS_TABLE_ID_MAX) {
        status = EOVERFLOW;
    } else {
        pfs_entry_init(fs, &o, false, e);
        status = pfs_attr(fs, &o, table, &e->attr);
    }
    ps_table_unref(table);
    return status;
}

void pfs_op_mkdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode)
{
    struct pfs_object parent;
    struct ps_table *table = NULL;
    struct fuse_entry_param e;
    int status = resolve_parent(req, parent_ino, name, &parent, &table);

    (void)mode; /* the store's files say who may do what */
    if (!status)
        status = make_table(pfs_of(req), &parent, name, &e);
    if (status)
        fuse_reply_err(req, status);
    else
        fuse_reply_entry(req, &e);
    unref(table);
}

/* The kernel takes a removed folder for dead: it must meet a new inode when it looks again. */
static int pretend_rmdir(struct pfs *fs, const struct pfs_object *o)
{
    if (!pfs_node_in_table(o->id))
        return EPERM;
    return pfs_errno(pfs_inodes_retire(fs->inodes, pfs_ino(o)));
}

void pfs_op_rmdir(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_object parent, o;
    struct ps_table *table = NULL;
    bool is_alias;
    int status = resolve_parent(req, parent_ino, name, &parent, &table);

    if (!status)
        status = pfs_object_lookup(fs, &parent, name, &o, &is_alias);
    if (!status)
        status = pfs_check_writable(fs, &o);
    if (!status && pfs_node_of(&o)->kind != PFS_KIND_DIR)
        status = ENOTDIR;
    else if (!status && o.id == PFS_NODE_TABLE)
        status = pfs_errno(ps_table_drop(fs->store, name, false));
    else if (!status)
        status = pretend_rmdir(fs, &o);
    fuse_reply_err(req, status);
    unref(table);
}

void pfs_op_rename(fuse_req_t req, fuse_ino_t parent_ino, const char *name,
                   fuse_ino_t new_parent_ino, const char *new_name, unsigned flags)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_object parent, o;
    struct ps_table *table = NULL;
    bool is_alias;
    int status = resolve_parent(req, parent_ino, new_name, &parent, &table);

    if (!status && (parent.id != PFS_NODE_ROOT || new_parent_ino != parent_ino))
        status = EPERM; /* only tables have names of their own */
    if (!status && flags & ~(unsigned)RENAME_NOREPLACE)
        status = EINVAL;
    if (!status)
        status = pfs_check_writable(fs, &parent);
    if (!status)
        status = pfs_object_lookup(fs, &parent, name, &o, &is_alias);
    if (!status && o.id != PFS_NODE_TABLE)
        status = EPERM;
    if (!status)
        status = pfs_errno(ps_table_rename(fs->store, name, new_name));
    fuse_reply_err(req, status);
    unref(table);
}

/* --- pages -------------------------------------------------------------------------------- */

static int free_page(fuse_req_t req, const struct pfs_object *o, struct ps_table *table,
                     bool is_alias)
{
    struct pfs_interrupt wait;
    ps_err err;

    if (!is_alias) /* the kernel drops the name it was given; the other one it must be told */
        pfs_notify_own(o->table, o->page);
    err = ps_page_free(table, o->page, pfs_interrupt_begin(&wait, req));
    pfs_interrupt_end(&wait);
    pfs_notify_own(0, UINT64_MAX);
    return pfs_errno(err);
}

void pfs_op_unlink(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_object parent, o;
    struct ps_table *table = NULL;
    bool is_alias = false;
    int status = resolve_parent(req, parent_ino, name, &parent, &table);

    if (!status)
        status = pfs_object_lookup(fs, &parent, name, &o, &is_alias);
    if (!status)
        status = pfs_check_writable(fs, &o);
    if (!status && pfs_node_of(&o)->kind == PFS_KIND_DIR)
        status = EISDIR;
    else if (!status && o.id == PFS_NODE_PAGE)
        status = free_page(req, &o, table, is_alias);
    fuse_reply_err(req, status);
    unref(table);
}

/* Makes the page, or finds that somebody else just did, which matters only with O_EXCL. */
static int make_page(fuse_req_t req, const struct pfs_object *o, struct ps_table *table, int flags)
{
    struct pfs_interrupt wait;
    ps_err err;
    int status = pfs_check_writable(pfs_of(req), o);

    if (status)
        return status;
    err = ps_page_create(table, o->page, pfs_interrupt_begin(&wait, req));
    pfs_interrupt_end(&wait);
    if (err == PS_ERR_EXIST && !(flags & O_EXCL))
        err = PS_OK;
    return pfs_errno(err);
}

/* Which page would a new file of this name be? */
static int new_page(const struct pfs_object *parent, const char *name, struct pfs_object *ret,
                    bool *ret_alias)
{
    struct pfs_object page = {.id = PFS_NODE_PAGE, .table = parent->table};

    if (parent->id != PFS_NODE_TABLE)
        return EPERM;
    if (!pfs_page_name_parse(name, &page.page, ret_alias))
        return EINVAL; /* files here are called by numbers of 32 bits */
    *ret = page;
    return 0;
}

void pfs_op_create(fuse_req_t req, fuse_ino_t parent_ino, const char *name, mode_t mode,
                   struct fuse_file_info *fi)
{
    struct pfs *fs = pfs_of(req);
    struct pfs_object parent, o;
    struct ps_table *table = NULL;
    struct pfs_handle *h = NULL;
    struct fuse_entry_param e;
    bool is_alias = false;
    int status = resolve_parent(req, parent_ino, name, &parent, &table);

    (void)mode;
    if (!status)
        status = new_page(&parent, name, &o, &is_alias);
    if (!status)
        status = make_page(req, &o, table, fi->flags);
    if (status) {
        fuse_reply_err(req, status);
        unref(table);
        return;
    }
    status = pfs_open(req, &o, table, fi, &h);
    if (!status) {
        pfs_entry_init(fs, &o, is_alias, &e);
        status = pfs_attr(fs, &o, h->table, &e.attr);
        if (status)
            pfs_close_handle(fs, h);
    }
    if (status)
        fuse_reply_err(req, status == ESTALE ? ENOENT : status);
    else if (fuse_reply_create(req, &e, fi) == -ENOENT)
        pfs_close_handle(fs, h);
}

/* --- what has no meaning here ------------------------------------------------------------- */

void pfs_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    (void)parent, (void)name, (void)mode, (void)rdev;
    fuse_reply_err(req, EPERM);
}

void pfs_op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    (void)link, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

void pfs_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
    (void)ino, (void)new_parent, (void)new_name;
    fuse_reply_err(req, EPERM);
}
