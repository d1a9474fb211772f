/* The log with many threads: appenders, flushers, a checkpointer, readers of single records. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "format_test.h"
#include "must.h"
#include "seed.h"
#include "wal_bed.h"

#define WRITERS 4u
#define GROUPS 400u

static uint64_t seed_base;

static int choose_seed(void **state)
{
    (void)state;
    seed_base = test_seed();
    return 0;
}

struct writer {
    pthread_t thread;
    uint64_t who;
};

/* Reads back a record of its own, wherever it is by now. */
static void check_own(const struct ps_record *rec, uint64_t who, uint64_t no)
{
    uint8_t *buf = NULL;
    size_t buf_len = 0;
    struct ps_record found;
    ps_err err = ps_wal_read_at(fix.wal, rec->pos, &buf, &buf_len, &found);

    /* A checkpoint may have let go of it. */
    MUST(err == PS_OK || err == PS_ERR_RANGE || err == PS_ERR_NOENT || err == PS_ERR_CORRUPT);
    if (err == PS_OK)
        MUST(found.refs[0].table == who && found.time_us == no && found.crc == rec->crc);
    else
        MUST(rec->pos < ps_wal_log_start_lsn(fix.wal));
    free(buf);
}

/* Appends, and has the first record say by which redo point. */
static void append_by_redo_point(struct test_group *g, struct ps_wal_slot *slot)
{
    uint64_t redo;

    do {
        redo = ps_wal_redo_lsn(fix.wal);
        sched_yield();
        g->recs[0].undo_next = redo;
    } while (!ps_wal_append(fix.wal, slot, g->recs, g->count, redo));
}

static void *write_groups(void *ctx)
{
    struct writer *w = ctx;
    uint64_t seed = seed_base + w->who, no, lsn;
    struct ps_wal_slot slot;
    struct test_group g;

    for (no = 0; no < GROUPS; no++) {
        test_group_make(&g, w->who, no, 1 + random_below(&seed, 3), random_below(&seed, 3000));
        MUST(ps_wal_reserve(fix.wal, test_group_len(&g) + 64, NULL, &slot) == PS_OK);
        append_by_redo_point(&g, &slot);
        lsn = g.recs[g.count - 1].lsn;
        if (random_below(&seed, 4) == 0) {
            MUST(ps_wal_flush(fix.wal, lsn, NULL) == PS_OK);
            MUST(ps_wal_durable_lsn(fix.wal) >= lsn);
        }
        if (random_below(&seed, 8) == 0)
            MUST(ps_wal_write_out(fix.wal, NULL) == PS_OK);
        if (random_below(&seed, 8) == 0)
            check_own(&g.recs[0], w->who, no);
        test_group_free(&g);
    }
    return NULL;
}

static void run_writers(void)
{
    struct writer writers[WRITERS];
    uint64_t i;

    for (i = 0; i < WRITERS; i++) {
        writers[i].who = i;
        MUST(pthread_create(&writers[i].thread, NULL, write_groups, &writers[i]) == 0);
    }
    for (i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    assert_int_equal(ps_wal_writer_step(fix.wal), PS_OK);
}

struct chain {
    bool begun;
    uint64_t redo_lsn; /* as of the last checkpoint record */
    uint64_t last_lsn;
    uint64_t next_no[WRITERS];
    bool seen[WRITERS];
    uint64_t in_group; /* records of the open group that were seen */
    uint64_t records;
};

static void check_chain(void *ctx, const struct ps_record *rec)
{
    struct chain *chain = ctx;
    uint64_t who, no;
    size_t index;

    if (chain->begun)
        assert_int_equal(rec->prev, chain->last_lsn);
    chain->begun = true;
    chain->last_lsn = rec->lsn;
    if (rec->rm == PS_RM_LOG) {
        chain->redo_lsn = rec->pos - PS_WAL_BLOCK_HDR_LEN;
        return;
    }
    test_group_check(rec, &who, &no, &index);
    assert_true(who < WRITERS);
    if (index == 0) /* no group was appended by a redo point that had moved */
        assert_int_equal(rec->undo_next, chain->redo_lsn);
    if (!chain->seen[who])
        chain->next_no[who] = no;
    chain->seen[who] = true;
    assert_int_equal(no, chain->next_no[who]);
    assert_int_equal(index, chain->in_group);
    chain->in_group++;
    chain->records++;
    if (rec->flags & PS_REC_GROUP_END) {
        chain->in_group = 0;
        chain->next_no[who]++;
    }
}

static void every_group_is_whole_and_in_order_under_many_writers(void **state)
{
    struct chain chain = {0};
    struct ps_wal_stats stats;
    struct ps_wal_end end;
    unsigned i;

    (void)state;
    wal_fixture_open(&fix);
    run_writers();
    assert_int_equal(read_log(&fix, 0, ps_wal_tail_lsn(fix.wal), check_chain, &chain, &end),
                     PS_ERR_NOENT);
    for (i = 0; i < WRITERS; i++)
        assert_int_equal(chain.next_no[i], GROUPS);
    ps_wal_get_stats(fix.wal, &stats);
    assert_int_equal(stats.records, chain.records);
    assert_true(stats.bytes_written >= stats.bytes_appended);
}

/* ---- with a checkpointer that is asked, and a background writer ---- */

struct background {
    pthread_mutex_t mtx;
    pthread_cond_t cond;
    bool wanted, stop; /* guarded by mtx */
    uint64_t checkpoints;
};

static ps_err want_checkpoint(void *ctx)
{
    struct background *b = ctx;

    pthread_mutex_lock(&b->mtx);
    b->wanted = true;
    pthread_cond_signal(&b->cond);
    pthread_mutex_unlock(&b->mtx);
    return PS_OK;
}

static void checkpoint(void)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slot;
    uint64_t redo;

    MUST(ps_wal_reserve_urgent(fix.wal, ps_record_len(&rec), NULL, &slot) == PS_OK);
    ps_wal_append_checkpoint(fix.wal, &slot, &rec, &redo);
    MUST(ps_wal_flush(fix.wal, rec.lsn, NULL) == PS_OK);
    MUST(ps_wal_recycle(fix.wal, redo) == PS_OK);
}

static void *run_checkpointer(void *ctx)
{
    struct background *b = ctx;
    bool made;

    pthread_mutex_lock(&b->mtx);
    while (!b->stop) {
        if (!b->wanted) {
            pthread_cond_wait(&b->cond, &b->mtx);
            continue;
        }
        b->wanted = false;
        pthread_mutex_unlock(&b->mtx);
        checkpoint();
        MUST(ps_wal_prepare_step(fix.wal, &made) == PS_OK);
        pthread_mutex_lock(&b->mtx);
        b->checkpoints++;
    }
    pthread_mutex_unlock(&b->mtx);
    return NULL;
}

static void writers_at_max_wal_go_on_as_checkpoints_free_log(void **state)
{
    struct background b = {.mtx = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    struct chain chain = {0};
    struct ps_wal_end end;
    pthread_t thread;
    unsigned i;

    (void)state;
    fix.opts.max_wal = 6 * TEST_SEGMENT;
    fix.opts.want_checkpoint = want_checkpoint;
    fix.opts.ctx = &b;
    wal_fixture_open(&fix);
    assert_int_equal(pthread_create(&thread, NULL, run_checkpointer, &b), 0);
    run_writers();
    pthread_mutex_lock(&b.mtx);
    b.stop = true;
    pthread_cond_signal(&b.cond);
    pthread_mutex_unlock(&b.mtx);
    pthread_join(thread, NULL);

    assert_true(b.checkpoints > 3);
    assert_int_equal(read_log(&fix, ps_wal_redo_lsn(fix.wal), ps_wal_durable_lsn(fix.wal),
                              check_chain, &chain, &end),
                     PS_ERR_NOENT);
    assert_int_equal(end.last_lsn, ps_wal_tail_lsn(fix.wal));
    for (i = 0; i < WRITERS; i++)
        assert_true(!chain.seen[i] || chain.next_no[i] == GROUPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_group_is_whole_and_in_order_under_many_writers),
        TEST(writers_at_max_wal_go_on_as_checkpoints_free_log),
    };

    return cmocka_run_group_tests(tests, choose_seed, NULL);
}
