/*
 * ops_xattr.c - what the store knows about a page, as extended attributes of its page-file.
 */
#include "fs/ops.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/errmap.h"
#include "fs/interrupt.h"

#define PREFIX "user.pagestore."

static void show_lsn(const struct ps_page_meta *m, char *buf, size_t len)
{
    snprintf(buf, len, "%llu", (unsigned long long)m->lsn);
}

static void show_checksum(const struct ps_page_meta *m, char *buf, size_t len)
{
    snprintf(buf, len, m->checksum_none ? "none" : "%08x", m->checksum);
}

static void show_checksum_ok(const struct ps_page_meta *m, char *buf, size_t len)
{
    snprintf(buf, len, "%u", m->checksum_ok ? 1u : 0u);
}

static void show_dirty(const struct ps_page_meta *m, char *buf, size_t len)
{
    snprintf(buf, len, "%u", m->dirty ? 1u : 0u);
}

static void show_pins(const struct ps_page_meta *m, char *buf, size_t len)
{
    snprintf(buf, len, "%u", m->pins);
}

static void show_page_id(const struct ps_page_meta *m, char *buf, size_t len)
{
    snprintf(buf, len, "%llu", (unsigned long long)m->page_id);
}

static void show_type(const struct ps_page_meta *m, char *buf, size_t len)
{
    switch (m->type) {
    case PS_PAGE_RAW:
        snprintf(buf, len, "raw");
        return;
    case PS_PAGE_SLOTTED:
        snprintf(buf, len, "slotted");
        return;
    case PS_PAGE_MAP:
        snprintf(buf, len, "map");
        return;
    }
    snprintf(buf, len, "%u", (unsigned)m->type);
}

static const struct {
    const char *name;
    void (*show)(const struct ps_page_meta *m, char *buf, size_t len);
} attrs[] = {
    {PREFIX "lsn", show_lsn},
    {PREFIX "checksum", show_checksum},
    {PREFIX "checksum_ok", show_checksum_ok},
    {PREFIX "dirty", show_dirty},
    {PREFIX "pins", show_pins},
    {PREFIX "page_id", show_page_id},
    {PREFIX "type", show_type},
};

#define ATTR_COUNT (sizeof(attrs) / sizeof(attrs[0]))

static size_t find(const char *name)
{
    size_t i = 0;

    while (i < ATTR_COUNT && strcmp(attrs[i].name, name) != 0)
        i++;
    return i;
}

/* size 0 asks how long it is. */
static void reply_value(fuse_req_t req, const char *value, size_t len, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(req, len);
    else if (len > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, len);
}

static int value_of(fuse_req_t req, const struct pfs_object *o, struct ps_table *table, size_t i,
                    char *value, size_t len)
{
    struct pfs_interrupt wait;
    struct ps_page_meta meta;
    ps_err err = ps_page_meta(table, o->page, pfs_interrupt_begin(&wait, req), &meta);

    pfs_interrupt_end(&wait);
    if (err)
        return pfs_errno_inode(err);
    attrs[i].show(&meta, value, len);
    return 0;
}

void pfs_op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct pfs_object o;
    struct ps_table *table = NULL;
    size_t i = find(name);
    char value[32];
    int status;

    /* `ls -l` asks for security labels and ACLs of each file: EOPNOTSUPP spares the next ask. */
    if (strncmp(name, "user.", 5) != 0) {
        fuse_reply_err(req, EOPNOTSUPP);
        return;
    }
    status = pfs_resolve(pfs_of(req), ino, &o, &table);
    if (!status && (o.id != PFS_NODE_PAGE || i == ATTR_COUNT))
        status = ENODATA;
    if (!status)
        status = value_of(req, &o, table, i, value, sizeof(value));
    if (status)
        fuse_reply_err(req, status);
    else
        reply_value(req, value, strlen(value), size);
    if (table)
        ps_table_unref(table);
}

void pfs_op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct pfs_object o;
    char names[ATTR_COUNT * 32];
    size_t len = 0;

    if (!pfs_ino_decode(ino, &o)) {
        fuse_reply_err(req, ESTALE);
        return;
    }
    for (size_t i = 0; i < ATTR_COUNT && o.id == PFS_NODE_PAGE; i++) {
        size_t n = strlen(attrs[i].name) + 1;

        memcpy(names + len, attrs[i].name, n);
        len += n;
    }
    reply_value(req, names, len, size);
}

void pfs_op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
                     size_t size, int flags)
{
    (void)ino, (void)name, (void)value, (void)size, (void)flags;
    fuse_reply_err(req, EOPNOTSUPP);
}

void pfs_op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    (void)ino, (void)name;
    fuse_reply_err(req, EOPNOTSUPP);
}
