/*
 * mountpoint.h - the folder to mount on, and what a daemon that died may have left there.
 *
 * Flow       main -> [mountpoint] -> the kernel's mounts
 * Locking    none: one thread, before there is another.
 * Errors     said on stderr.
 * Promise    what is mounted there is taken away only if its daemon is dead.
 */
#ifndef PFS_MOUNTPOINT_H
#define PFS_MOUNTPOINT_H

#include <stdbool.h>

/* Takes away a dead mount at path; then path must be a folder, and neither it nor source (which is
 * absolute) lie within the other. False: said why on stderr. */
bool pfs_mountpoint_prepare(const char *path, const char *source);

#endif
