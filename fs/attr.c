#include "fs/attr.h"

#include <string.h>

#include "fs/cluster.h"
#include "fs/errmap.h"
#include "fs/notify.h"
#include "fs/view.h"

#define NAME_TIMEOUT 3600.0 /* the kernel is told of what goes away, or gets ESTALE */
#define ATTR_TIMEOUT 1.0    /* of page-files and folders, and of spaces that nobody changes */
#define BLOCK 512u          /* what st_blocks counts */
#define SPACE_BLKSIZE (1024u * 1024u)

static struct timespec time_of(uint64_t us)
{
    return (struct timespec){.tv_sec = (time_t)(us / 1000000),
                             .tv_nsec = (long)(us % 1000000) * 1000};
}

static uint64_t us_of(struct timespec t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Who may read a file may enter its folder. */
static mode_t dir_mode(mode_t file_mode)
{
    mode_t readers = file_mode & 0444;

    return S_IFDIR | (file_mode & 0666) | readers >> 2;
}

static void set_times(struct stat *st, struct timespec mtime, struct timespec ctime)
{
    st->st_mtim = mtime;
    st->st_atim = mtime;
    st->st_ctim = ctime;
}

static void set_size(struct stat *st, uint64_t size, uint64_t bytes_on_disk)
{
    st->st_size = (off_t)size;
    st->st_blocks = (blkcnt_t)((bytes_on_disk + BLOCK - 1) / BLOCK);
}

static void attr_init(const struct pfs_object *o, struct stat *st)
{
    memset(st, 0, sizeof(*st));
    st->st_ino = pfs_ino(o);
    st->st_nlink = pfs_node_of(o)->kind == PFS_KIND_DIR ? 2 : 1;
    st->st_blksize = 4096;
}

mode_t pfs_file_type(const struct pfs_object *o)
{
    switch (pfs_node_of(o)->kind) {
    case PFS_KIND_DIR:
        return S_IFDIR;
    case PFS_KIND_LINK:
        return S_IFLNK;
    default:
        return S_IFREG;
    }
}

/* The catalog is the store's own: it is shown, but nobody may write it. */
static mode_t writable_mask(const struct pfs_object *o)
{
    return o->table == PS_CATALOG_ID ? (mode_t)~0222 : (mode_t)~0;
}

static void attr_in_table(const struct pfs_object *o, const struct ps_table_info *info,
                          struct stat *st)
{
    const struct pfs_node *node = pfs_node_of(o);

    attr_init(o, st);
    if (node->kind == PFS_KIND_DIR)
        st->st_mode = dir_mode(info->mode);
    else
        st->st_mode = pfs_file_type(o) | (info->mode & node->perm);
    st->st_mode &= writable_mask(o);
    st->st_uid = info->uid;
    st->st_gid = info->gid;
    /* Folders change with their pages, but their ctime does not: tar takes it for a sign that
     * names came or went while it was reading. */
    set_times(st, time_of(info->mtime_us),
              time_of(node->kind == PFS_KIND_DIR ? info->ctime_us : info->mtime_us));
}

static void attr_in_room(struct pfs *fs, const struct pfs_object *o, struct stat *st)
{
    const struct pfs_node *node = pfs_node_of(o);

    attr_init(o, st);
    if (o->id == PFS_NODE_ROOT || node->parent == PFS_NODE_DATABASE ||
        o->id == PFS_NODE_DATABASE) /* as open as the source's folder */
        st->st_mode = pfs_file_type(o) | (fs->mode & node->perm);
    else
        st->st_mode = pfs_file_type(o) | node->perm;
    st->st_uid = fs->uid;
    st->st_gid = fs->gid;
    set_times(st, fs->mounted_at, fs->mounted_at);
}

void pfs_attr_page(struct pfs *fs, const struct pfs_object *o, const struct ps_table_info *info,
                   const struct ps_page_info *page, struct stat *st)
{
    uint32_t page_size = ps_store_page_size(fs->store);

    attr_in_table(o, info, st);
    if (o->id == PFS_NODE_PAGE) {
        set_size(st, page_size, page->used ? page_size : 0);
        st->st_blksize = (blksize_t)page_size;
    }
    set_times(st, time_of(page->mtime_us), time_of(page->mtime_us));
    pfs_notify_shown(fs->notify, o->table, o->page);
}

/* Each read is a request here, so the fewer the better. Reads from the kernel's page cache are not:
 * for them a client's own default, which fits in the CPU's cache, is best. */
static ps_err attr_space(const struct pfs *fs, struct ps_table *table, const struct pfs_node *node,
                         const struct ps_table_info *info, struct stat *st)
{
    uint64_t len = 0;
    ps_err err = ps_space_len(table, node->space, &len);

    set_size(st, len, info->bytes_on_disk < len ? info->bytes_on_disk : len);
    if (!(fs->cluster && fs->opts->kernel_cache))
        st->st_blksize = SPACE_BLKSIZE;
    return err;
}

static ps_err attr_view(struct pfs *fs, const struct pfs_object *o, struct ps_table *table,
                        struct stat *st)
{
    struct pfs_subject subject = {.fs = fs, .table = table, .page = o->page};
    uint64_t len = 0;
    ps_err err = PS_OK;

    if (!pfs_inodes_text_len(fs->inodes, pfs_ino(o), &len))
        err = pfs_view_size(pfs_node_of(o)->view, &subject, &len);
    set_size(st, len, len);
    return err;
}

static ps_err attr_link(struct pfs *fs, const struct pfs_object *o, struct stat *st)
{
    char to[PFS_LINK_MAX];

    pfs_cluster_link(fs->cluster, o, to);
    st->st_mode = S_IFLNK | 0777;
    set_size(st, strlen(to), 0);
    return PS_OK;
}

static ps_err attr_of_page(struct pfs *fs, const struct pfs_object *o, struct ps_table *table,
                           const struct ps_table_info *info, struct stat *st)
{
    struct ps_page_info page;
    ps_err err = ps_page_stat(table, o->page, &page);

    if (!err)
        pfs_attr_page(fs, o, info, &page, st);
    return err;
}

/* What has no file, as a partitioned relation, belongs to the source's folder's owner. */
static void adopt(const struct pfs *fs, struct ps_table_info *info)
{
    info->mode = S_IFREG | (fs->mode & 0666);
    info->uid = fs->uid;
    info->gid = fs->gid;
    info->mtime_us = info->ctime_us = us_of(fs->mounted_at);
}

static ps_err attr_table_node(struct pfs *fs, const struct pfs_object *o, struct ps_table *table,
                              struct stat *st)
{
    struct ps_table_info info;
    ps_err err = ps_table_info(table, &info);

    if (err)
        return err;
    if (fs->cluster && !pfs_cluster_has_file(fs->cluster, o->table))
        adopt(fs, &info);
    if (!pfs_node_fits(fs, o->id, &info))
        return ps_fail(PS_ERR_NOENT, "a table of this type has no %s", pfs_node_of(o)->name);
    if (pfs_node_of(o)->naming == PFS_NAMED_BY_PAGE)
        return attr_of_page(fs, o, table, &info, st);
    attr_in_table(o, &info, st);
    if (pfs_node_of(o)->kind == PFS_KIND_LINK)
        return attr_link(fs, o, st);
    if (pfs_node_of(o)->kind == PFS_KIND_SPACE)
        return attr_space(fs, table, pfs_node_of(o), &info, st);
    return PS_OK;
}

int pfs_attr(struct pfs *fs, const struct pfs_object *o, struct ps_table *table, struct stat *st)
{
    ps_err err = PS_OK;

    if (table)
        err = attr_table_node(fs, o, table, st);
    else
        attr_in_room(fs, o, st);
    if (!err && pfs_node_of(o)->kind == PFS_KIND_VIEW)
        err = attr_view(fs, o, table, st);
    return pfs_errno_inode(err);
}

/* Before each read from its page cache the kernel asks for attributes that have expired. */
double pfs_attr_timeout(const struct pfs *fs, const struct pfs_object *o)
{
    switch (pfs_node_of(o)->kind) {
    case PFS_KIND_PAGE:
    case PFS_KIND_DIR:
        return ATTR_TIMEOUT;
    case PFS_KIND_SPACE:
        return fs->cluster && !fs->opts->cluster.live ? ATTR_TIMEOUT : 0;
    case PFS_KIND_VIEW:
    case PFS_KIND_LINK:
        break;
    }
    return 0;
}

void pfs_entry_init(struct pfs *fs, const struct pfs_object *o, bool is_alias,
                    struct fuse_entry_param *e)
{
    memset(e, 0, sizeof(*e));
    e->ino = pfs_ino(o);
    e->generation = pfs_inodes_generation(fs->inodes, e->ino);
    e->attr_timeout = pfs_attr_timeout(fs, o);
    e->entry_timeout = is_alias || pfs_node_of(o)->comes_and_goes ? 0 : NAME_TIMEOUT;
}
