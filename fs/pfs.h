/*
 * pfs.h - the mounted file system: what all handlers share.
 *
 * Flow       main (sets it up) -> [pfs] -> handlers, views, notifier, watcher
 * Ownership  main owns it, from before the first request until after the last.
 * Locking    set up before the session runs, but for the fields that say otherwise.
 */
#ifndef PFS_PFS_H
#define PFS_PFS_H

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "fs/handle.h"
#include "fs/inode.h"
#include "fs/object.h"
#include "fs/options.h"
#include "pagestore/table.h"

struct pfs_cluster;
struct pfs_notify;
struct pfs_watcher;

struct pfs {
    const struct pfs_options *opts;
    struct ps_store *store;
    struct pfs_cluster *cluster; /* of a PostgreSQL source, whose store it is; else NULL */
    struct fuse_session *session;
    struct pfs_inodes *inodes;
    struct pfs_notify *notify;
    struct pfs_watcher *watcher;
    _Atomic bool fsync_log_only; /* -o fsync=wal; config can change it */

    /* Page-file writes take it shared, whatever frees pages by another way than their own file
     * takes it exclusively: no write lands on the page that took a freed page's place. */
    pthread_rwlock_t freeing;

    /* Of the store's folder: what has no file of its own belongs to its owner. */
    uid_t uid;
    gid_t gid;
    mode_t mode;
    struct timespec mounted_at;

    /* Called once, when the kernel has begun to talk to us. */
    void (*ready)(struct pfs *fs);
};

/* Every handler comes by here first. */
static inline struct pfs *pfs_of(fuse_req_t req)
{
#ifdef PFS_HAVE_RINGS
    /* libfuse cancels the threads of its rings when the session ends, whatever they hold. They end
     * by themselves once they have worked off what they are at. */
    static _Thread_local bool stays;

    if (!stays)
        stays = pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL) == 0;
#endif
    return fuse_req_userdata(req);
}

#endif
