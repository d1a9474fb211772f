/* Room in the log: who waits for it, how it is reserved and given back, and what makes more. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "must.h"
#include "wal_bed.h"

/* --- waiting for max_wal ------------------------------------------------------------------- */

struct waiter {
    struct ps_cancel cancel;
    _Atomic bool asked; /* for a checkpoint */
    ps_err err;
};

static ps_err ask_checkpoint(void *ctx)
{
    struct waiter *w = ctx;

    atomic_store(&w->asked, true);
    return PS_OK;
}

static void *wait_in_reserve(void *ctx)
{
    struct waiter *w = ctx;
    struct ps_wal_slot slot = {0};

    w->err = ps_wal_reserve(fix.wal, 20000, &w->cancel, &slot);
    ps_wal_release(fix.wal, &slot);
    return NULL;
}

/* Opens the log and fills it to max_wal. */
static void open_full_log(ps_err (*want_checkpoint)(void *ctx), struct waiter *w, uint64_t *no)
{
    fix.opts.max_wal = 4 * TEST_SEGMENT;
    fix.opts.want_checkpoint = want_checkpoint;
    fix.opts.ctx = w;
    wal_fixture_open(&fix);
    while (ps_wal_tail_lsn(fix.wal) + 36000 < fix.opts.max_wal)
        append_group(fix.wal, 1, (*no)++, 1, 1000);
    assert_false(atomic_load(&w->asked));
}

/* Fills the log to max_wal, then starts a writer that must wait. */
static void start_waiter(struct waiter *w, pthread_t *thread, uint64_t *no)
{
    ps_cancel_init(&w->cancel);
    open_full_log(ask_checkpoint, w, no);
    assert_int_equal(pthread_create(thread, NULL, wait_in_reserve, w), 0);
    while (!atomic_load(&w->asked))
        sched_yield();
}

static void reserve_waits_for_recycle_at_max_wal(void **state)
{
    struct ps_wal_stats stats;
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0, redo;

    (void)state;
    start_waiter(&w, &thread, &no);
    redo = append_checkpoint(); /* goes beyond max_wal if it must */
    flush_all();
    assert_int_equal(ps_wal_recycle(fix.wal, redo), PS_OK);
    pthread_join(thread, NULL);
    assert_int_equal(w.err, PS_OK);
    ps_wal_get_stats(fix.wal, &stats);
    assert_true(stats.room_waits >= 1);
    ps_cancel_deinit(&w.cancel);
}

static void waiting_reserve_can_be_interrupted(void **state)
{
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0;

    (void)state;
    start_waiter(&w, &thread, &no);
    ps_cancel_raise(&w.cancel);
    pthread_join(thread, NULL);
    assert_int_equal(w.err, PS_ERR_INTERRUPTED);
    ps_cancel_deinit(&w.cancel);
}

static void waiting_reserve_leaves_a_poisoned_log(void **state)
{
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0;

    (void)state;
    start_waiter(&w, &thread, &no);
    (void)ps_fail(PS_ERR_IO, "planted");
    (void)ps_poison_raise(&fix.poison);
    ps_wal_wake(fix.wal);
    pthread_join(thread, NULL);
    assert_int_equal(w.err, PS_ERR_POISONED);
    ps_cancel_deinit(&w.cancel);
}

/* --- the buffer ---------------------------------------------------------------------------- */

static void reserve_writes_out_when_the_buffer_is_full(void **state)
{
    struct ps_wal_stats stats;
    uint64_t no;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 300; no++) /* 2.4 MB through a buffer of 1 MiB, and no flush asked for */
        append_group(fix.wal, 1, no, 1, 8000);
    ps_wal_get_stats(fix.wal, &stats);
    assert_true(stats.bytes_written > 1024 * 1024);
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

static void what_is_written_out_is_in_the_files_and_durable_with_the_next_flush(void **state)
{
    struct ps_wal_stats before, after;

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 2, 100);
    assert_int_equal(ps_wal_write_out(fix.wal, NULL), PS_OK);
    assert_log_has(1, ps_wal_tail_lsn(fix.wal));
    assert_int_equal(ps_wal_durable_lsn(fix.wal), 0);
    append_group(fix.wal, 1, 1, 2, 100);
    assert_int_equal(ps_wal_write_out(fix.wal, NULL), PS_OK);
    ps_wal_get_stats(fix.wal, &before);
    flush_all(); /* nothing to write */
    ps_wal_get_stats(fix.wal, &after);
    assert_int_equal(ps_wal_durable_lsn(fix.wal), ps_wal_tail_lsn(fix.wal));
    assert_int_equal(after.bytes_written, before.bytes_written);
    assert_int_equal(after.flushes, before.flushes + 1);
    assert_log_has(2, ps_wal_tail_lsn(fix.wal));
}

/* However long nobody asks for a flush. */
static void only_some_segments_wait_to_be_durable(void **state)
{
    uint64_t no;

    (void)state;
    wal_fixture_open(&fix);
    for (no = 0; no < 600; no++) {
        append_group(fix.wal, 1, no, 1, 8000);
        assert_int_equal(ps_wal_write_out(fix.wal, NULL), PS_OK);
        assert_in_range(ps_wal_tail_lsn(fix.wal) - ps_wal_durable_lsn(fix.wal), 0,
                        24 * TEST_SEGMENT);
    }
    assert_true(ps_wal_durable_lsn(fix.wal) > 24 * TEST_SEGMENT);
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

/* The buffer of a log of such segments is as large. */
#define LARGE_SEGMENT (8u * 1024u * 1024u)

/* Bytes of the buffer that have memory. */
static size_t buffer_memory(void)
{
    unsigned char there[LARGE_SEGMENT / PS_IO_ALIGN];
    size_t bytes = 0, i;

    assert_int_equal(fix.wal->ring.len, LARGE_SEGMENT);
    assert_int_equal(mincore(fix.wal->ring.base, LARGE_SEGMENT, there), 0);
    for (i = 0; i < sizeof(there); i++)
        bytes += (there[i] & 1) * PS_IO_ALIGN;
    return bytes;
}

static void append_bytes(uint64_t *no, uint64_t bytes)
{
    const uint64_t end = ps_wal_tail_lsn(fix.wal) + bytes;

    while (ps_wal_tail_lsn(fix.wal) < end)
        append_group(fix.wal, 1, (*no)++, 1, 60000);
}

static void buffer_gives_memory_back_when_little_is_appended_and_keeps_what_waits(void **state)
{
    uint64_t no = 0;

    (void)state;
    fix.opts.segment_size = LARGE_SEGMENT;
    wal_fixture_create(&fix);
    wal_fixture_open(&fix);
    append_bytes(&no, LARGE_SEGMENT * 3 / 2);
    flush_all();
    ps_wal_trim(fix.wal);
    assert_true(buffer_memory() > LARGE_SEGMENT / 2);
    append_group(fix.wal, 1, no++, 1, 60000);
    ps_wal_trim(fix.wal);
    assert_true(buffer_memory() <= LARGE_SEGMENT / 2);
    assert_true(buffer_memory() > 0);
    append_bytes(&no, LARGE_SEGMENT);
    ps_wal_trim(fix.wal);
    ps_wal_trim(fix.wal); /* with more than half of the buffer waiting, and around its end */
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

static void released_slots_give_their_room_back(void **state)
{
    struct ps_wal_slot slot = {0};
    int i;

    (void)state;
    fix.opts.max_wal = 4 * TEST_SEGMENT;
    wal_fixture_open(&fix);
    for (i = 0; i < 100; i++) {
        assert_int_equal(ps_wal_reserve(fix.wal, 60000, NULL, &slot), PS_OK);
        ps_wal_release(fix.wal, &slot);
        ps_wal_release(fix.wal, &slot); /* of a slot that is paid: nothing */
    }
}

/* Reserves without waiting. */
static ps_err reserve_now(bool urgent, uint64_t bytes, struct ps_wal_slot *ret)
{
    struct ps_cancel no_wait;
    ps_err err;

    ps_cancel_init(&no_wait);
    ps_cancel_raise(&no_wait);
    err = urgent ? ps_wal_reserve_urgent(fix.wal, bytes, &no_wait, ret)
                 : ps_wal_reserve(fix.wal, bytes, &no_wait, ret);
    ps_cancel_deinit(&no_wait);
    return err;
}

static void try_that_may_not_wait_is_not_counted_as_a_wait(void **state)
{
    struct ps_wal_slot slot = {0};
    struct ps_wal_stats stats;
    struct waiter w = {0};
    pthread_t thread;
    uint64_t no = 0;

    (void)state;
    start_waiter(&w, &thread, &no);
    assert_int_equal(reserve_now(false, 20000, &slot), PS_ERR_INTERRUPTED);
    ps_wal_get_stats(fix.wal, &stats);
    ps_cancel_raise(&w.cancel);
    pthread_join(thread, NULL);
    assert_int_equal(stats.room_waits, 1);
    ps_cancel_deinit(&w.cancel);
}

static void try_that_finds_the_buffer_reserved_by_others_is_not_counted_as_a_wait(void **state)
{
    struct ps_wal_slot slots[SLOTS] = {0}, slot = {0};
    struct ps_wal_stats stats;
    ps_err err;

    (void)state;
    wal_fixture_open(&fix);
    reserve_all_but(ps_wal_group_cost(1), slots);
    err = reserve_now(false, 1, &slot);
    ps_wal_get_stats(fix.wal, &stats);
    release_all(slots);
    assert_int_equal(err, PS_ERR_INTERRUPTED);
    assert_int_equal(stats.buffer_waits, 0);
}

static void set_flushing(bool flushing)
{
    ps_mutex_lock(&fix.wal->flush_mtx);
    fix.wal->flushing = flushing;
    ps_mutex_unlock(&fix.wal->flush_mtx);
}

static void try_that_finds_the_buffer_full_counts_only_if_it_writes_it_itself(void **state)
{
    struct ps_wal_slot slots[SLOTS] = {0}, slot = {0};
    struct ps_wal_stats refused, granted;
    ps_err errs[2];

    (void)state;
    wal_fixture_open(&fix);
    append_group(fix.wal, 1, 0, 1, 50000);
    reserve_all_but(ps_wal_group_cost(1), slots);
    set_flushing(true); /* by another */
    errs[0] = reserve_now(false, 1, &slot);
    set_flushing(false);
    ps_wal_get_stats(fix.wal, &refused);
    errs[1] = reserve_now(false, 1, &slot);
    ps_wal_get_stats(fix.wal, &granted);
    ps_wal_release(fix.wal, &slot);
    release_all(slots);
    assert_int_equal(errs[0], PS_ERR_INTERRUPTED);
    assert_int_equal(refused.buffer_waits, 0);
    assert_int_equal(refused.flush_waits, 0);
    assert_int_equal(errs[1], PS_OK);
    assert_int_equal(granted.buffer_waits, 1);
}

/* --- turns ---------------------------------------------------------------------------------- */

static void *reserve_longest_group(void *ctx)
{
    MUST(ps_wal_reserve(fix.wal, ps_wal_group_max(fix.wal), NULL, ctx) == PS_OK);
    return NULL;
}

static bool somebody_waits_for_room(void)
{
    bool waits;

    ps_mutex_lock(&fix.wal->tail_mtx);
    waits = fix.wal->turn_taken;
    ps_mutex_unlock(&fix.wal->tail_mtx);
    return waits;
}

static void short_groups_do_not_take_the_room_that_a_long_one_waits_for(void **state)
{
    struct ps_wal_slot first = {0}, longest = {0}, next = {0}, urgent = {0};
    pthread_t thread;
    ps_err errs[2];

    (void)state;
    fix.opts.segment_size = 1024 * 1024; /* so that the longest group needs all of the buffer */
    wal_fixture_create(&fix);
    wal_fixture_open(&fix);
    assert_int_equal(reserve_now(false, 100, &first), PS_OK);
    assert_int_equal(pthread_create(&thread, NULL, reserve_longest_group, &longest), 0);
    while (!somebody_waits_for_room())
        sched_yield();
    errs[0] = reserve_now(false, 100, &next);
    errs[1] = reserve_now(true, 100, &urgent);
    ps_wal_release(fix.wal, &next);
    ps_wal_release(fix.wal, &urgent);
    ps_wal_release(fix.wal, &first);
    pthread_join(thread, NULL);
    ps_wal_release(fix.wal, &longest);
    assert_int_equal(errs[0], PS_ERR_INTERRUPTED);
    assert_int_equal(errs[1], PS_OK);
    assert_int_equal(reserve_now(false, 100, &next), PS_OK);
    ps_wal_release(fix.wal, &next);
}

static bool is_waiting(struct waiter *w)
{
    bool waits;

    pthread_mutex_lock(&w->cancel.mtx);
    waits = w->cancel.waits_mtx != NULL;
    pthread_mutex_unlock(&w->cancel.mtx);
    return waits;
}

/* Fails the first who asks, once the second waits for its turn. */
static ps_err fail_first_when_second_waits(void *ctx)
{
    struct waiter *second = ctx;

    if (atomic_load(&second->asked))
        return PS_OK;
    while (!is_waiting(second))
        sched_yield();
    ps_mutex_lock(&fix.wal->tail_mtx); /* which it lets go when it sleeps */
    atomic_store(&second->asked, true);
    ps_mutex_unlock(&fix.wal->tail_mtx);
    return ps_fail(PS_ERR_IO, "planted");
}

static void writer_whose_checkpoint_fails_leaves_its_turn_to_the_next(void **state)
{
    struct waiter first = {0}, second = {0};
    struct ps_wal_stats stats;
    pthread_t threads[2];
    uint64_t no = 0;

    (void)state;
    ps_cancel_init(&first.cancel);
    ps_cancel_init(&second.cancel);
    open_full_log(fail_first_when_second_waits, &second, &no);
    assert_int_equal(pthread_create(&threads[0], NULL, wait_in_reserve, &first), 0);
    while (!somebody_waits_for_room())
        sched_yield();
    assert_int_equal(pthread_create(&threads[1], NULL, wait_in_reserve, &second), 0);
    pthread_join(threads[0], NULL);
    do /* the second, too, waits for a checkpoint */
        ps_wal_get_stats(fix.wal, &stats);
    while (stats.room_waits < 2 && sched_yield() == 0);
    ps_cancel_raise(&second.cancel);
    pthread_join(threads[1], NULL);
    assert_int_equal(first.err, PS_ERR_IO);
    assert_int_equal(second.err, PS_ERR_INTERRUPTED);
    ps_cancel_deinit(&first.cancel);
    ps_cancel_deinit(&second.cancel);
}

/* --- asking for a flush --------------------------------------------------------------------- */

static void count_call(void *ctx)
{
    (*(unsigned *)ctx)++;
}

/* Between append and question the others may have appended more, and flushed it. */
static void appender_that_others_have_overtaken_asks_for_no_flush(void **state)
{
    unsigned asked = 0;
    uint64_t written_pos;

    (void)state;
    fix.opts.want_flush = count_call;
    fix.opts.ctx = &asked;
    wal_fixture_open(&fix);
    written_pos = atomic_load(&fix.wal->written_pos);
    atomic_store(&fix.wal->written_pos, ps_wal_tail_pos(fix.wal) + 100 * PS_IO_ALIGN);
    append_group(fix.wal, 1, 0, 1, 100);
    atomic_store(&fix.wal->written_pos, written_pos);
    assert_int_equal(asked, 0);
    while (asked == 0)
        append_group(fix.wal, 1, 0, 1, 10000);
    assert_in_range(ps_wal_tail_lsn(fix.wal), 1024 * 1024 / 4, 1024 * 1024 / 2);
    append_group(fix.wal, 1, 0, 1, 10000);
    assert_int_equal(asked, 1);
}

/* With segments as large as the buffer, it is the buffer that bounds a group. */
static void longest_group_fits_an_empty_buffer(void **state)
{
    struct ps_wal_slot slot = {0};
    uint64_t max, no;

    (void)state;
    fix.opts.segment_size = 1024 * 1024;
    wal_fixture_create(&fix);
    wal_fixture_open(&fix);
    max = ps_wal_group_max(fix.wal);
    assert_in_range(max, 500 * 1024, 512 * 1024);
    assert_int_equal(reserve_now(false, max, &slot), PS_OK);
    ps_wal_release(fix.wal, &slot);
    for (no = 0; no < 7; no++)
        append_group(fix.wal, 1, no, 1, no % 2 ? (uint32_t)(max & ~7u) - 96 : 8);
    flush_all();
    assert_log_has(no, ps_wal_tail_lsn(fix.wal));
}

/* Each checkpoint's record begins a block, and so pads the one before: the worst that groups this
 * short can do. Nothing is flushed, so room once reserved has to hold it. */
static void reserved_room_covers_the_padding_of_every_block(void **state)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slots[4096] = {0};
    size_t count = 0, i;
    uint64_t redo;
    struct ps_wal_end end;

    (void)state;
    wal_fixture_open(&fix);
    while (count < 4096 && reserve_now(true, ps_record_len(&rec), &slots[count]) == PS_OK)
        count++;
    assert_in_range(count, 100, 4095);
    for (i = 0; i < count; i++)
        ps_wal_append_checkpoint(fix.wal, &slots[i], &rec, &redo);
    flush_all();
    assert_int_equal(read_log(&fix, 0, 0, NULL, NULL, &end), PS_ERR_NOENT);
    assert_int_equal(end.last_lsn, ps_wal_tail_lsn(fix.wal));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reserve_waits_for_recycle_at_max_wal),
        TEST(waiting_reserve_can_be_interrupted),
        TEST(waiting_reserve_leaves_a_poisoned_log),
        TEST(reserve_writes_out_when_the_buffer_is_full),
        TEST(what_is_written_out_is_in_the_files_and_durable_with_the_next_flush),
        TEST(only_some_segments_wait_to_be_durable),
        TEST(buffer_gives_memory_back_when_little_is_appended_and_keeps_what_waits),
        TEST(released_slots_give_their_room_back),
        TEST(try_that_may_not_wait_is_not_counted_as_a_wait),
        TEST(try_that_finds_the_buffer_reserved_by_others_is_not_counted_as_a_wait),
        TEST(try_that_finds_the_buffer_full_counts_only_if_it_writes_it_itself),
        TEST(short_groups_do_not_take_the_room_that_a_long_one_waits_for),
        TEST(writer_whose_checkpoint_fails_leaves_its_turn_to_the_next),
        TEST(appender_that_others_have_overtaken_asks_for_no_flush),
        TEST(longest_group_fits_an_empty_buffer),
        TEST(reserved_room_covers_the_padding_of_every_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
