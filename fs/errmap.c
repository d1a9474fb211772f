#include "fs/errmap.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

int pfs_errno(ps_err err)
{
    switch (err) {
    case PS_OK:
        return 0;
    case PS_ERR_IO:
    case PS_ERR_CORRUPT:
    case PS_ERR_POISONED:
        return EIO;
    case PS_ERR_PINNED:
    case PS_ERR_IN_USE:
    case PS_ERR_CONFLICT:
        return EBUSY;
    case PS_ERR_NOSPC:
    case PS_ERR_FULL:
        return ENOSPC;
    case PS_ERR_NOMEM:
        return ENOMEM;
    case PS_ERR_RANGE:
        return EFBIG;
    case PS_ERR_INVAL:
        return EINVAL;
    case PS_ERR_NOENT:
        return ENOENT;
    case PS_ERR_EXIST:
        return EEXIST;
    case PS_ERR_NOTEMPTY:
        return ENOTEMPTY;
    case PS_ERR_READONLY:
        return EROFS;
    case PS_ERR_INTERRUPTED:
        return EINTR;
    case PS_ERR_WRONG_TYPE:
        return EPERM;
    case PS_ERR_FILES:
        return EMFILE;
    case PS_ERR_UNSUPPORTED:
        return EOPNOTSUPP;
    case PS_ERR_COUNT_:
        break;
    }
    assert(false && "an error code of the library without an errno");
    return EIO;
}

int pfs_errno_inode(ps_err err)
{
    return err == PS_ERR_NOENT ? ESTALE : pfs_errno(err);
}

int pfs_errno_handle(ps_err err)
{
    return err == PS_ERR_NOENT ? EIO : pfs_errno(err);
}
