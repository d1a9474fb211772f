/*
 * err.c - names of the error codes and each thread's message.
 */
#include "pagestore/err.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_LEN 1024

static _Thread_local char message[MESSAGE_LEN];

const char *ps_err_text(ps_err err)
{
    switch (err) {
    case PS_OK:
        return "ok";
    case PS_ERR_IO:
        return "input/output error";
    case PS_ERR_CORRUPT:
        return "corrupt";
    case PS_ERR_POISONED:
        return "store is read-only";
    case PS_ERR_PINNED:
        return "all frames pinned";
    case PS_ERR_NOSPC:
        return "no space left";
    case PS_ERR_NOMEM:
        return "out of memory";
    case PS_ERR_RANGE:
        return "out of range";
    case PS_ERR_INVAL:
        return "invalid argument";
    case PS_ERR_NOENT:
        return "not found";
    case PS_ERR_EXIST:
        return "already exists";
    case PS_ERR_NOTEMPTY:
        return "not empty";
    case PS_ERR_READONLY:
        return "read-only";
    case PS_ERR_IN_USE:
        return "in use";
    case PS_ERR_INTERRUPTED:
        return "interrupted";
    case PS_ERR_CONFLICT:
        return "conflict";
    case PS_ERR_FULL:
        return "page full";
    case PS_ERR_WRONG_TYPE:
        return "wrong type";
    case PS_ERR_FILES:
        return "too many open files";
    case PS_ERR_UNSUPPORTED:
        return "not supported";
    case PS_ERR_COUNT_:
        break;
    }
    return "unknown error";
}

const char *ps_message(void)
{
    return message;
}

/* The arguments may point into the old message, so the new one is made beside it. */
static void set_message(const char *prefix_end, const char *rest, const char *fmt, va_list args)
    PS_PRINTF(3, 0);

static void set_message(const char *prefix_end, const char *rest, const char *fmt, va_list args)
{
    char made[MESSAGE_LEN];
    size_t len;

    vsnprintf(made, sizeof(made), fmt, args);
    len = strlen(made);
    snprintf(made + len, sizeof(made) - len, "%s%s", prefix_end, rest);
    memcpy(message, made, strlen(made) + 1);
}

ps_err ps_fail(ps_err err, const char *fmt, ...)
{
    va_list args;

    assert(err != PS_OK);
    va_start(args, fmt);
    set_message("", "", fmt, args);
    va_end(args);
    return err;
}

ps_err ps_fail_in(ps_err err, const char *fmt, ...)
{
    va_list args;

    assert(err != PS_OK);
    va_start(args, fmt);
    set_message(": ", message, fmt, args);
    va_end(args);
    return err;
}

static ps_err err_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        return PS_ERR_NOSPC;
    case ENOENT:
    case ENOTDIR:
        return PS_ERR_NOENT;
    case EEXIST:
        return PS_ERR_EXIST;
    case ENOTEMPTY:
        return PS_ERR_NOTEMPTY;
    case EROFS:
        return PS_ERR_READONLY;
    case EMFILE:
    case ENFILE:
        return PS_ERR_FILES;
    case ENOMEM:
        return PS_ERR_NOMEM;
    case EFBIG:
        return PS_ERR_RANGE;
    case EOPNOTSUPP:
    case ENOSYS:
        return PS_ERR_UNSUPPORTED;
    default:
        return PS_ERR_IO;
    }
}

ps_err ps_fail_errno(int sys_errno, const char *fmt, ...)
{
    char text[128];
    va_list args;

    assert(sys_errno > 0);
    va_start(args, fmt);
    set_message(": ", strerror_r(sys_errno, text, sizeof(text)), fmt, args);
    va_end(args);
    return err_of_errno(sys_errno);
}
