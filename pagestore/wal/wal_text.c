/*
 * wal_text.c - records as text, for listings.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wal/wal_internal.h"

static const char *page_type_name(const struct ps_record *rec)
{
    if (rec->type == PS_PAGE_CLR)
        return "clr";
    if (rec->type != PS_PAGE_CHANGE)
        return "unknown";
    return rec->ref_count > 0 && (rec->refs[0].flags & PS_REF_IMAGE) ? "image" : "change";
}

static const char *log_type_name(unsigned type)
{
    return type == PS_LOG_CHECKPOINT ? "checkpoint" : "unknown";
}

static const char *txn_type_name(unsigned type)
{
    return type == PS_TXN_COMMIT ? "commit" : type == PS_TXN_ABORT ? "abort" : "unknown";
}

static const char *table_type_name(unsigned type)
{
    switch (type) {
    case PS_TABLE_CREATE:
        return "create";
    case PS_TABLE_DROP:
        return "drop";
    case PS_TABLE_RENAME:
        return "rename";
    default:
        return "unknown";
    }
}

const char *ps_record_type_name(const struct ps_record *rec)
{
    switch (rec->rm) {
    case PS_RM_LOG:
        return log_type_name(rec->type);
    case PS_RM_PAGE:
        return page_type_name(rec);
    case PS_RM_TXN:
        return txn_type_name(rec->type);
    case PS_RM_TABLE:
        return table_type_name(rec->type);
    default:
        return "unknown";
    }
}

/* A buffer that text is added to as far as it fits. */
struct text {
    char *buf;
    size_t len, used;
};

static void add(struct text *t, const char *fmt, ...) PS_PRINTF(2, 3);
static void add(struct text *t, const char *fmt, ...)
{
    va_list args;
    int n;

    if (t->used + 1 >= t->len)
        return;
    va_start(args, fmt);
    n = vsnprintf(t->buf + t->used, t->len - t->used, fmt, args);
    va_end(args);
    if (n > 0)
        t->used += (size_t)n < t->len - t->used ? (size_t)n : t->len - t->used - 1;
}

/* Bytes that are no plain text stand as \xHH, so that a record stays one line of words. */
static void add_name(struct text *t, const uint8_t *name, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (name[i] > ' ' && name[i] < 0x7f && name[i] != '\\')
            add(t, "%c", name[i]);
        else
            add(t, "\\x%02x", name[i]);
    }
}

static void add_table_body(struct text *t, const struct ps_record *rec)
{
    const uint8_t *bytes = rec->body;
    struct ps_table_body body;
    size_t name_len;

    if (rec->body_len < sizeof(body))
        return;
    memcpy(&body, bytes, sizeof(body));
    name_len = ps_get16(body.name_len);
    if (name_len > rec->body_len - sizeof(body))
        name_len = rec->body_len - sizeof(body);
    add(t, " id=%" PRIu32 " name=", ps_get32(body.table));
    add_name(t, bytes + sizeof(body), name_len);
}

static void add_checkpoint_body(struct text *t, const struct ps_record *rec)
{
    struct ps_checkpoint_body body;

    if (rec->body_len < sizeof(body))
        return;
    memcpy(&body, rec->body, sizeof(body));
    add(t, " next_txn=%" PRIu64 " next_table=%" PRIu32 " txns=%" PRIu32, ps_get64(body.next_txn),
        ps_get32(body.next_table), ps_get32(body.txn_count));
}

static void add_words(struct text *t, const struct ps_record *rec)
{
    unsigned i;

    for (i = 0; i < rec->ref_count; i++) {
        if (i > 0)
            add(t, " also=%" PRIu32 ":%" PRIu32 ":%" PRIu32 ":%" PRIu32, rec->refs[i].table,
                rec->refs[i].page, rec->refs[i].off, rec->refs[i].len);
        if (rec->refs[i].fork == 1)
            add(t, " map");
        if (rec->refs[i].flags & PS_REF_BEFORE)
            add(t, " before=%" PRIu32, rec->refs[i].before_len);
    }
    if (rec->rm == PS_RM_TABLE)
        add_table_body(t, rec);
    if (rec->rm == PS_RM_LOG && rec->type == PS_LOG_CHECKPOINT)
        add_checkpoint_body(t, rec);
    if (rec->rm == PS_RM_PAGE && rec->type == PS_PAGE_CLR)
        add(t, " undo_next=%" PRIu64, rec->undo_next);
    if (rec->flags & PS_REC_GROUP_END)
        add(t, " end");
}

void ps_record_format(const struct ps_record *rec, char *buf, size_t len)
{
    struct text t = {.buf = buf, .len = len};

    assert(len > 0);
    buf[0] = '\0';
    add(&t, "%14" PRIu64 " %14" PRIu64 " %8" PRIu64 " %-10s", rec->lsn, rec->prev, rec->txn,
        ps_record_type_name(rec));
    if (rec->ref_count > 0)
        add(&t, " %5" PRIu32 " %10" PRIu32 " %7" PRIu32 " %7" PRIu32, rec->refs[0].table,
            rec->refs[0].page, rec->refs[0].off, rec->refs[0].len);
    else
        add(&t, " %5s %10s %7s %7s", "-", "-", "-", "-");
    add_words(&t, rec);
}
