/*
 * err.h - the library's error codes and the sentence that goes with a failure.
 *
 * A call that can fail returns a ps_err. The code says what kind of thing went wrong and is what
 * callers branch on; the message says which thing, in words a person can act on.
 *
 * Flow       every layer -> [err] -> fs/errmap.c, the only place where codes become errno values
 * Ownership  the message belongs to the calling thread and lives until its next failing call, as
 *            errno does.
 * Locking    thread safe: nothing is shared.
 * Errors     what sets a message returns the code that it was given, so that to fail is one line:
 *            `return ps_fail(...)`.
 * Promise    a message names the thing that failed.
 */
#ifndef PAGESTORE_ERR_H
#define PAGESTORE_ERR_H

#define PS_MUST_USE __attribute__((warn_unused_result))
#define PS_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

typedef enum ps_err {
    PS_OK = 0,
    PS_ERR_IO,          /* a read, write or sync failed */
    PS_ERR_CORRUPT,     /* bytes arrived, but checksum, identity or structure is wrong */
    PS_ERR_POISONED,    /* an earlier sync failed; reopening and recovery clear this */
    PS_ERR_PINNED,      /* every frame is held by a long pin; retry after an unpin */
    PS_ERR_NOSPC,       /* the file system below is full */
    PS_ERR_NOMEM,       /* allocation failed */
    PS_ERR_RANGE,       /* a page number, offset or length is beyond the limit */
    PS_ERR_INVAL,       /* an argument makes no sense here */
    PS_ERR_NOENT,       /* no such table, page, item or file */
    PS_ERR_EXIST,       /* the name or page is already taken */
    PS_ERR_NOTEMPTY,    /* the table still has pages */
    PS_ERR_READONLY,    /* opened read-only, or the catalog, which only the store changes */
    PS_ERR_IN_USE,      /* another process has the store open */
    PS_ERR_INTERRUPTED, /* the caller's cancel token was raised while waiting */
    PS_ERR_CONFLICT,    /* a transaction holds the page and did not end in time */
    PS_ERR_FULL,        /* the slotted page has no room for the item */
    PS_ERR_WRONG_TYPE,  /* the call does not fit a table of this type or format */
    PS_ERR_FILES,       /* the process has as many files open as it may */
    PS_ERR_UNSUPPORTED, /* a version, feature or file system that cannot do it */
    PS_ERR_COUNT_
} ps_err;

/* "corrupt", "in use": two or three words for the code. */
const char *ps_err_text(ps_err err);

/* The calling thread's last message, or "" if it never failed. Valid until its next failure. */
const char *ps_message(void);

/* Sets the calling thread's message and returns err: `return ps_fail(PS_ERR_NOENT, ...)`. */
ps_err ps_fail(ps_err err, const char *fmt, ...) PS_PRINTF(2, 3);

/* Puts "WHAT: " before the calling thread's message, to name the outer thing; returns err. */
ps_err ps_fail_in(ps_err err, const char *fmt, ...) PS_PRINTF(2, 3);

/* Like ps_fail, for a failed system call: maps sys_errno to a code and appends its text. */
ps_err ps_fail_errno(int sys_errno, const char *fmt, ...) PS_PRINTF(2, 3);

#endif
