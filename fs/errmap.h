/*
 * errmap.h - the one place where the library's error codes become errno values.
 *
 * Flow       handlers -> [errmap] -> errno
 * Units      errno values, positive, as libfuse's replies take them.
 * Locking    pure functions.
 * Errors     none: each code has an answer.
 * Promise    each code has its own case: one without is a warning of the compiler.
 */
#ifndef PFS_ERRMAP_H
#define PFS_ERRMAP_H

#include "pagestore/err.h"

/* 0 for PS_OK. */
int pfs_errno(ps_err err);

/* The same for a request about an inode that the kernel remembers: what is gone is ESTALE, upon
 * which the kernel looks the name up again. */
int pfs_errno_inode(ps_err err);

/* The same for a request on an open file: what is gone is EIO, as on a disk that was pulled. */
int pfs_errno_handle(ps_err err);

#endif
