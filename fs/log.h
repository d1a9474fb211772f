/*
 * log.h - messages to people: to stderr until the mount is usable, and with -f; then to syslog.
 *
 * Flow       the daemon, the library's messages, libfuse -> [log] -> stderr or syslog
 * Locking    thread safe; where messages go is the process's, as stderr and syslog are.
 * Errors     none: a message that cannot be given is lost.
 * Promise    a message is one line, given in one piece.
 */
#ifndef PFS_LOG_H
#define PFS_LOG_H

#include "pagestore/pagestore.h"

/* "pagefs: ..." and a newline on stderr: for the start, before there is anything else. */
void pfs_say(const char *fmt, ...) PS_PRINTF(1, 2);

/* From now on messages go to syslog. */
void pfs_log_to_syslog(void);

void pfs_log(enum ps_message_level level, const char *fmt, ...) PS_PRINTF(2, 3);

/* Has libfuse say what it has to say the same way. */
void pfs_log_take_fuse(void);

#endif
