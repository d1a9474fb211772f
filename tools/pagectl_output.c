/*
 * What pagectl says.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "pagectl.h"

int pc_error(const char *fmt, ...)
{
    va_list ap;

    fputs("pagectl: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return PC_FAILED;
}

int pc_report(ps_err err)
{
    const char *message = ps_message();

    if (err == PS_OK)
        return PC_OK;
    return pc_error("%s", *message ? message : ps_err_text(err));
}

int pc_flush(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return pc_error("standard output: %s", strerror(errno));
    return PC_OK;
}
