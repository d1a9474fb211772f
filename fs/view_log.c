/*
 * view_log.c - what happened: the write-ahead log as text, and the trace of last events.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include <stdlib.h>

#include "base/trace.h"
#include "pagestore/pagestore.h"
#include "wal/wal.h"

#define WAL_LINES_A_STEP 16384u /* a step reads the log from the start of a segment on */

/* --- wal ---------------------------------------------------------------------------------- */

struct wal_step {
    struct pfs_cursor *cursor;
    struct ps_text *out;
    uint32_t lines;
};

static ps_err add_record(void *ctx, const char *line)
{
    struct wal_step *s = ctx;
    uint64_t lsn = strtoull(line, NULL, 10); /* the first column */

    if (s->lines == WAL_LINES_A_STEP)
        return PS_ERR_FULL; /* enough for this step: not a failure, the listing only ends here */
    ps_text_printf(s->out, "%s\n", line);
    s->cursor->at = lsn + 1;
    s->lines++;
    return PS_OK;
}

static ps_err step_wal(struct pfs_cursor *c, struct ps_text *out)
{
    struct wal_step s = {.cursor = c, .out = out};
    ps_err err;

    if (c->at == 0)
        ps_text_printf(out, PS_RECORD_TEXT_HEADER "\n");
    err = ps_store_wal_text(c->subject.fs->store, c->at, add_record, &s);
    c->done = err == PS_OK;
    return err == PS_ERR_FULL && s.lines == WAL_LINES_A_STEP ? PS_OK : err;
}

/* The log's own length: its text is mostly shorter. */
static ps_err size_wal(const struct pfs_subject *s, uint64_t *ret)
{
    const struct ps_wal *wal = ps_store_wal(s->fs->store);

    *ret = wal ? ps_wal_tail_lsn(wal) - ps_wal_log_start_lsn(wal) : 0;
    return PS_OK;
}

const struct pfs_view pfs_view_wal = {PFS_SIZE_OPEN, .size = size_wal, .step = step_wal};

/* --- trace -------------------------------------------------------------------------------- */

#define TRACE_TITLES "seq time_us kind table page frame lsn reason"
#define TRACE_LINE_LEN 142u

static void add_event(const struct ps_trace_event *e, struct ps_text *out)
{
    char frame[11] = "-";

    if (e->frame != UINT32_MAX)
        snprintf(frame, sizeof(frame), "%u", e->frame);
    ps_text_printf(out, "%20llu %20llu %-12s %10u %10u %10s %20llu %-32s\n",
                   (unsigned long long)e->seq, (unsigned long long)e->time_us, e->kind, e->table,
                   e->page, frame, (unsigned long long)e->lsn, e->reason);
}

static ps_err step_trace(struct pfs_cursor *c, struct ps_text *out)
{
    struct ps_trace *trace = ps_store_trace(c->subject.fs->store);
    size_t count = ps_trace_count(trace);
    struct ps_trace_event *events = calloc(count + 1, sizeof(*events));

    if (!events)
        return ps_fail(PS_ERR_NOMEM, "no memory for a copy of the trace");
    count = ps_trace_snapshot(trace, events, count);
    ps_text_printf(out, TRACE_TITLES "\n");
    for (size_t i = 0; i < count; i++)
        add_event(&events[i], out);
    free(events);
    c->done = true;
    return PS_OK;
}

/* Less where events are overwritten while they are copied. */
static ps_err size_trace(const struct pfs_subject *s, uint64_t *ret)
{
    *ret = sizeof(TRACE_TITLES) + ps_trace_count(ps_store_trace(s->fs->store)) * TRACE_LINE_LEN;
    return PS_OK;
}

const struct pfs_view pfs_view_trace = {PFS_SIZE_OPEN, .size = size_trace, .step = step_trace};
