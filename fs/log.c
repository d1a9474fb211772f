#include "fs/log.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <fuse_log.h>

#include <assert.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#define LINE_MAX_LEN 1024

/* Where messages go is a property of the process, as stderr and syslog themselves are. */
static _Atomic bool to_syslog;

static int priority_of(enum ps_message_level level)
{
    switch (level) {
    case PS_MSG_INFO:
        return LOG_INFO;
    case PS_MSG_WARNING:
        return LOG_WARNING;
    case PS_MSG_ERROR:
        return LOG_ERR;
    }
    assert(false && "a message level without a syslog priority");
    return LOG_ERR;
}

static void put(int priority, const char *fmt, va_list args)
{
    char line[LINE_MAX_LEN];

    vsnprintf(line, sizeof(line), fmt, args);
    if (to_syslog)
        syslog(priority, "%s", line);
    else
        fprintf(stderr, "pagefs: %s\n", line); /* one call, one write: lines stay whole */
}

void pfs_say(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(LOG_ERR, fmt, args);
    va_end(args);
}

void pfs_log_to_syslog(void)
{
    openlog("pagefs", LOG_PID, LOG_DAEMON);
    to_syslog = true;
}

void pfs_log(enum ps_message_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    put(priority_of(level), fmt, args);
    va_end(args);
}

static enum ps_message_level level_of(enum fuse_log_level level)
{
    if (level <= FUSE_LOG_ERR)
        return PS_MSG_ERROR;
    return level <= FUSE_LOG_WARNING ? PS_MSG_WARNING : PS_MSG_INFO;
}

/* libfuse says some lines in pieces: they are put together until their end comes. */
static void fuse_said(enum fuse_log_level level, const char *fmt, va_list args)
{
    static _Thread_local char line[LINE_MAX_LEN];
    size_t len = strlen(line);

    vsnprintf(line + len, sizeof(line) - len, fmt, args);
    len = strlen(line);
    if (len + 1 < sizeof(line) && (len == 0 || line[len - 1] != '\n'))
        return;
    line[strcspn(line, "\n")] = '\0';
    pfs_log(level_of(level), "%s", strncmp(line, "fuse: ", 6) == 0 ? line + 6 : line);
    line[0] = '\0';
}

void pfs_log_take_fuse(void)
{
    fuse_set_log_func(fuse_said);
}
