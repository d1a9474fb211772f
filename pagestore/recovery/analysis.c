/*
 * analysis.c - the first phase of recovery: where the log ends, and what was unfinished there.
 */
#include "recovery/recovery.h"

#include <stdlib.h>
#include <string.h>

void ps_reader_options(const struct ps_control *control, struct ps_io *io,
                       struct ps_wal_reader_options *ret)
{
    ps_le64 tag;

    memcpy(tag.b, control->uuid, sizeof(tag.b));
    *ret = (struct ps_wal_reader_options){
        .io = io,
        .segment_size = control->segment_size,
        .store_tag = ps_get64(tag),
        .start_pos = control->redo_lsn,
        .incarnation = control->incarnation,
        .incarnation_lsn = control->incarnation_lsn,
        .durable_lsn = control->durable_lsn,
        .known_end_lsn = control->state == PS_STATE_CLEAN ? control->end_lsn : 0,
    };
}

/* Makes room for one more element of `size` bytes; false when out of memory. */
static bool grow(void **array, uint32_t count, uint32_t *cap, size_t size)
{
    uint32_t want = *cap ? *cap * 2 : 16;
    void *bigger;

    if (count < *cap)
        return true;
    bigger = realloc(*array, want * size);
    if (!bigger)
        return false;
    *array = bigger;
    *cap = want;
    return true;
}

static struct ps_txn_log *find_txn(struct ps_analysis *a, uint64_t id)
{
    uint32_t i;

    for (i = 0; i < a->loser_count; i++)
        if (a->losers[i].id == id)
            return &a->losers[i];
    return NULL;
}

static ps_err note_txn(struct ps_analysis *a, uint64_t id, uint64_t first_pos, uint64_t last_pos)
{
    struct ps_txn_log *t = find_txn(a, id);

    if (!t) {
        if (!grow((void **)&a->losers, a->loser_count, &a->loser_cap, sizeof(*t)))
            return ps_fail(PS_ERR_NOMEM, "no memory for the transaction table");
        t = &a->losers[a->loser_count++];
        *t = (struct ps_txn_log){.id = id, .first_pos = first_pos};
    }
    t->last_pos = last_pos;
    if (a->next_txn <= id)
        a->next_txn = id + 1;
    return PS_OK;
}

static void forget_txn(struct ps_analysis *a, uint64_t id)
{
    struct ps_txn_log *t = find_txn(a, id);

    if (t)
        *t = a->losers[--a->loser_count];
}

static ps_err analyze_checkpoint(struct ps_analysis *a, const struct ps_record *rec)
{
    const struct ps_checkpoint_body *body = rec->body;
    const struct ps_checkpoint_txn *txns;
    uint32_t i, count;
    ps_err err;

    if (rec->body_len < sizeof(*body))
        return ps_fail(PS_ERR_CORRUPT, "log: checkpoint record at %llu is too short",
                       (unsigned long long)rec->pos);
    count = ps_get32(body->txn_count);
    if ((rec->body_len - sizeof(*body)) / sizeof(*txns) < count)
        return ps_fail(PS_ERR_CORRUPT,
                       "log: checkpoint record at %llu names %u transactions and has no room",
                       (unsigned long long)rec->pos, count);
    txns = (const struct ps_checkpoint_txn *)(body + 1);
    for (i = 0; i < count; i++) {
        err = note_txn(a, ps_get64(txns[i].id), ps_get64(txns[i].first_pos),
                       ps_get64(txns[i].last_pos));
        if (err)
            return err;
    }
    if (a->next_txn < ps_get64(body->next_txn))
        a->next_txn = ps_get64(body->next_txn);
    if (a->next_table < ps_get32(body->next_table))
        a->next_table = ps_get32(body->next_table);
    return PS_OK;
}

static ps_err analyze_table(struct ps_analysis *a, const struct ps_record *rec)
{
    const struct ps_table_body *body = rec->body;
    const uint32_t table = ps_get32(body->table);

    if (a->next_table <= table)
        a->next_table = table + 1;
    if (rec->type != PS_TABLE_DROP)
        return PS_OK;
    if (!grow((void **)&a->dropped, a->dropped_count, &a->dropped_cap, sizeof(*a->dropped)))
        return ps_fail(PS_ERR_NOMEM, "no memory for the list of dropped tables");
    a->dropped[a->dropped_count++] = table;
    return PS_OK;
}

/* Images are reported early, but not one by one. */
#define IMAGES_STEP 256u

static void count_images(struct ps_analysis *a, const struct ps_record *rec,
                         const struct ps_recovery_ops *ops)
{
    const uint64_t before = a->images;
    unsigned i;

    for (i = 0; i < rec->ref_count; i++)
        a->images += (rec->refs[i].flags & PS_REF_IMAGE) != 0;
    if (ops && ops->images_seen && a->images / IMAGES_STEP > before / IMAGES_STEP)
        ops->images_seen(ops->ctx, a->images);
}

static ps_err analyze_record(struct ps_analysis *a, const struct ps_record *rec, uint32_t page_size)
{
    ps_err err;

    a->records++;
    err = ps_record_check(rec, page_size);
    if (err)
        return err;
    if (rec->rm == PS_RM_LOG && rec->type == PS_LOG_CHECKPOINT)
        return analyze_checkpoint(a, rec);
    if (rec->rm == PS_RM_TABLE)
        return analyze_table(a, rec);
    if (rec->rm == PS_RM_TXN) {
        forget_txn(a, rec->txn);
        return PS_OK;
    }
    if (rec->txn)
        return note_txn(a, rec->txn, rec->pos, rec->pos);
    return PS_OK;
}

ps_err ps_analyze(struct ps_io *io, const struct ps_control *control,
                  const struct ps_recovery_ops *ops, struct ps_analysis *ret)
{
    struct ps_wal_reader_options opts;
    struct ps_wal_reader *reader = NULL;
    struct ps_analysis a = {.next_txn = control->next_txn, .next_table = control->next_table};
    const uint64_t from_us = ps_io_now_us(io);
    struct ps_record rec;
    ps_err err;

    err = ps_control_check_log(control);
    if (err)
        return err;
    err = ps_wal_check_size(io, control->segment_size, control->log_start_lsn,
                            control->durable_lsn - 1);
    if (err)
        return ps_fail_in(err, "%s: segment size", PS_CONTROL_PATH);
    ps_reader_options(control, io, &opts);
    opts.ahead = ops && ops->threads && control->state != PS_STATE_CLEAN;
    err = ps_wal_reader_open(&opts, &reader);
    if (err)
        return err;
    while ((err = ps_wal_reader_next(reader, &rec, &a.end)) == PS_OK) {
        if (a.records == 0 && (rec.rm != PS_RM_LOG || rec.type != PS_LOG_CHECKPOINT)) {
            err = ps_fail(PS_ERR_CORRUPT, "log: no checkpoint record at the redo point %llu",
                          (unsigned long long)control->redo_lsn);
            break;
        }
        err = analyze_record(&a, &rec, control->page_size);
        if (err)
            break;
        count_images(&a, &rec, ops);
        if (ops && ops->progress && a.records % 1024 == 0)
            ops->progress(ops->ctx, "analysis", rec.lsn - control->redo_lsn, 0);
    }
    ps_wal_reader_close(reader);
    if (err == PS_ERR_NOENT)
        err = a.records ? PS_OK
                        : ps_fail(PS_ERR_CORRUPT, "log: nothing at the redo point %llu (%s)",
                                  (unsigned long long)control->redo_lsn, a.end.why);
    if (!err && control->state == PS_STATE_CLEAN && a.end.last_lsn != control->end_lsn)
        err = ps_fail(PS_ERR_CORRUPT, "log: it ends at %llu (%s), and was closed at %llu",
                      (unsigned long long)a.end.last_lsn, a.end.why,
                      (unsigned long long)control->end_lsn);
    if (err) {
        ps_analysis_deinit(&a);
        return err;
    }
    a.took_us = ps_io_now_us(io) - from_us;
    *ret = a;
    return PS_OK;
}

void ps_analysis_deinit(struct ps_analysis *a)
{
    free(a->losers);
    free(a->dropped);
    *a = (struct ps_analysis){0};
}
