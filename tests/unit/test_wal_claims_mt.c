/* Groups are claimed by one atomic step and copied side by side: what a flush, a checkpoint and the
 * reckoning of room have to do with that. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format_test.h"
#include "must.h"
#include "seed.h"
#include "wal_bed.h"

static uint64_t seed_base;

static int choose_seed(void **state)
{
    (void)state;
    seed_base = test_seed();
    return 0;
}

static void append_one(uint64_t who, uint64_t no, uint32_t len)
{
    struct ps_wal_slot slot = {0};
    struct test_group g;

    test_group_make(&g, who, no, 1, len);
    MUST(ps_wal_reserve(fix.wal, test_group_len(&g), NULL, &slot) == PS_OK);
    while (!ps_wal_append(fix.wal, &slot, g.recs, 1, ps_wal_redo_lsn(fix.wal)))
        ;
    test_group_free(&g);
}

/* --- an appender that is held up in its copy ------------------------------------------------ */

/* A page of the buffer that nobody may touch: who does waits, in the handler of the fault, until
 * the page may be touched again. */
static struct trap {
    uint8_t *page;
    _Atomic unsigned caught; /* threads */
    int go_on[2];            /* pipe */
    struct sigaction before;
} trap;

static void wait_in_trap(int signo, siginfo_t *info, void *context)
{
    const uint8_t *at = info->si_addr;
    char byte = 0;

    (void)context;
    if (at < trap.page || at >= trap.page + PS_IO_ALIGN) {
        (void)signal(signo, SIG_DFL); /* not ours: the instruction is tried again, and ends all */
        return;
    }
    atomic_fetch_add(&trap.caught, 1);
    if (read(trap.go_on[0], &byte, 1) != 1)
        _exit(3);
}

static void set_trap(uint8_t *page)
{
    struct sigaction action = {.sa_sigaction = wait_in_trap, .sa_flags = SA_SIGINFO};

    trap.page = page;
    atomic_store(&trap.caught, 0);
    assert_int_equal(pipe(trap.go_on), 0);
    assert_int_equal(sigaction(SIGSEGV, &action, &trap.before), 0);
    assert_int_equal(mprotect(page, PS_IO_ALIGN, PROT_NONE), 0);
}

static void open_trap(void)
{
    assert_int_equal(mprotect(trap.page, PS_IO_ALIGN, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(write(trap.go_on[1], "", 1), 1);
}

static void remove_trap(void)
{
    assert_int_equal(sigaction(SIGSEGV, &trap.before, NULL), 0);
    close(trap.go_on[0]);
    close(trap.go_on[1]);
}

#define LONG_GROUP (5u * PS_IO_ALIGN)

static void *append_long_group(void *ctx)
{
    append_one(1, *(const uint64_t *)ctx, LONG_GROUP);
    return NULL;
}

struct flusher {
    pthread_t thread;
    uint64_t lsn;
    _Atomic bool done;
};

static void *flush_to_lsn(void *ctx)
{
    struct flusher *f = ctx;

    MUST(ps_wal_flush(fix.wal, f->lsn, NULL) == PS_OK);
    atomic_store(&f->done, true);
    return NULL;
}

/* In the middle of a copy; neither the block's header nor its padding lies in the page. */
static void start_held_up_append(pthread_t *ret, const uint64_t *no)
{
    uint64_t pos = ps_wal_tail_pos(fix.wal);

    set_trap(ps_wal_ring_at(fix.wal, ps_wal_align(pos) + PS_IO_ALIGN));
    assert_int_equal(pthread_create(ret, NULL, append_long_group, (void *)(uintptr_t)no), 0);
    while (atomic_load(&trap.caught) == 0)
        sched_yield();
    assert_true(ps_wal_tail_pos(fix.wal) >= pos + LONG_GROUP);
}

static void flush_waits_for_copies_that_were_claimed_before_it(void **state)
{
    const uint64_t held_up_no = 1;
    struct ps_wal_stats before, during;
    struct flusher flusher = {0};
    pthread_t appender;

    (void)state;
    wal_fixture_open(&fix);
    append_one(1, 0, 100);
    start_held_up_append(&appender, &held_up_no);
    append_one(1, 2, 100); /* waits for nobody, and has its place behind */
    flusher.lsn = ps_wal_tail_lsn(fix.wal);
    ps_wal_get_stats(fix.wal, &before);

    assert_int_equal(pthread_create(&flusher.thread, NULL, flush_to_lsn, &flusher), 0);
    while (!atomic_load(&fix.wal->copies_awaited) && !atomic_load(&flusher.done))
        MUST(sched_yield() == 0 && atomic_load(&trap.caught) == 1); /* it reads what is not there */
    ps_wal_get_stats(fix.wal, &during);
    assert_false(atomic_load(&flusher.done));
    assert_int_equal(during.bytes_written, before.bytes_written);
    append_one(1, 3, 100); /* of the next round */

    open_trap();
    pthread_join(appender, NULL);
    pthread_join(flusher.thread, NULL);
    remove_trap();
    assert_true(ps_wal_durable_lsn(fix.wal) >= flusher.lsn);
    assert_log_has(3, flusher.lsn);
    flush_all();
    assert_log_has(4, ps_wal_tail_lsn(fix.wal));
}

static void checkpoint_waits_for_no_copy(void **state)
{
    const uint64_t held_up_no = 0;
    pthread_t appender;
    uint64_t redo;

    (void)state;
    wal_fixture_open(&fix);
    start_held_up_append(&appender, &held_up_no);
    redo = append_checkpoint();
    assert_true(redo >= LONG_GROUP);
    append_one(1, 1, 100);
    open_trap();
    pthread_join(appender, NULL);
    remove_trap();
    flush_all();
    assert_log_has(2, ps_wal_tail_lsn(fix.wal));
}

/* --- the tail's LSN, read without a lock ---------------------------------------------------- */

/* Who closes a block stores where the next one begins, then moves the tail there: a reader can come
 * in between. The block is empty where a flush has left too little of a segment for a group. */
static void tail_lsn_is_a_records_lsn_while_the_tail_leaves_an_empty_block(void **state)
{
    uint64_t lsn, block_pos;

    (void)state;
    wal_fixture_open(&fix);
    append_one(1, 0, 100);
    flush_all();
    lsn = ps_wal_tail_lsn(fix.wal);
    block_pos = atomic_load(&fix.wal->block_pos);
    assert_true(block_pos > lsn);

    atomic_store(&fix.wal->block_pos, ps_wal_seg_end(TEST_SEGMENT, block_pos));
    assert_int_equal(ps_wal_tail_lsn(fix.wal), lsn);
    assert_int_equal(ps_wal_flush(fix.wal, ps_wal_tail_lsn(fix.wal), NULL), PS_OK);
    atomic_store(&fix.wal->block_pos, block_pos);
}

/* --- room ----------------------------------------------------------------------------------- */

/* Takes the rest of a segment with it, if what is reserved leaves that. */
static void checkpoint_and_skip(void)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slot = {0};
    uint64_t redo;

    assert_int_equal(ps_wal_reserve_urgent(fix.wal, ps_record_len(&rec), NULL, &slot), PS_OK);
    atomic_store(&fix.wal->short_of_space, true);
    ps_wal_append_checkpoint(fix.wal, &slot, &rec, &redo);
}

static void *checkpoint_and_skip_once(void *ctx)
{
    (void)ctx;
    checkpoint_and_skip();
    return NULL;
}

struct reserver {
    pthread_t thread;
    uint64_t bytes;
    struct ps_wal_slot slot;
    _Atomic bool done;
};

static void *reserve_bytes(void *ctx)
{
    struct reserver *r = ctx;

    MUST(ps_wal_reserve(fix.wal, r->bytes, NULL, &r->slot) == PS_OK);
    atomic_store(&r->done, true);
    return NULL;
}

/* The checkpoint is held up where it has found that it may leave the rest of the segment, and has
 * not moved the tail yet. There is room for what is reserved meanwhile, or for that rest. */
static void room_is_not_reserved_by_a_tail_that_a_checkpoint_is_about_to_move(void **state)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slots[SLOTS] = {0};
    struct reserver r = {0};
    pthread_t checkpointer;
    uint64_t pos, rest, room;

    (void)state;
    wal_fixture_open(&fix);
    append_one(1, 0, 100);
    flush_all();
    pos = atomic_load(&fix.wal->block_pos);
    rest = ps_wal_seg_end(TEST_SEGMENT, pos) - pos;
    r.bytes = rest / 4;
    reserve_all_but(ps_wal_group_cost(ps_record_len(&rec)) + rest + rest / 4, slots);
    assert_true(buffer_room() > ps_wal_group_cost(ps_record_len(&rec)) + rest);
    (void)reserve_bytes(&r); /* its segments are made */
    ps_wal_release(fix.wal, &r.slot);
    atomic_store(&r.done, false);

    set_trap(ps_wal_ring_at(fix.wal, pos));
    assert_int_equal(pthread_create(&checkpointer, NULL, checkpoint_and_skip_once, NULL), 0);
    while (atomic_load(&trap.caught) == 0)
        sched_yield();
    assert_int_equal(pthread_create(&r.thread, NULL, reserve_bytes, &r), 0);
    while (!atomic_load(&r.done) && atomic_load(&fix.wal->room_waiters) == 0)
        sched_yield();
    open_trap();
    pthread_join(checkpointer, NULL);
    pthread_join(r.thread, NULL);
    remove_trap();

    room = buffer_room();
    ps_wal_release(fix.wal, &r.slot);
    release_all(slots);
    assert_int_equal(ps_wal_redo_lsn(fix.wal), pos + rest);
    assert_in_range(room, 0, fix.wal->ring_len);
    flush_all();
    assert_log_has(1, ps_wal_tail_lsn(fix.wal));
}

#define WRITERS 4u
#define GROUPS 150u

struct writer {
    pthread_t thread;
    uint64_t who;
    _Atomic unsigned *running;
};

/* Groups of up to a fifth of the buffer, and slots that are given back: somebody always waits. */
static void *write_long_groups(void *ctx)
{
    struct writer *w = ctx;
    uint64_t seed = seed_base + w->who, no;
    struct ps_wal_slot slot = {0};

    for (no = 0; no < GROUPS; no++) {
        append_one(w->who, no, random_below(&seed, 100 * 1024));
        MUST(ps_wal_reserve(fix.wal, 1 + random_below(&seed, 200 * 1024), NULL, &slot) == PS_OK);
        ps_wal_release(fix.wal, &slot);
    }
    atomic_fetch_sub(w->running, 1);
    return NULL;
}

struct tally {
    uint64_t last_lsn;
    uint64_t next_no[WRITERS];
};

static void tally(void *ctx, const struct ps_record *rec)
{
    struct tally *t = ctx;
    uint64_t who, no;
    size_t index;

    assert_int_equal(rec->prev, t->last_lsn);
    t->last_lsn = rec->lsn;
    if (rec->rm == PS_RM_LOG)
        return;
    test_group_check(rec, &who, &no, &index);
    assert_true(who < WRITERS);
    assert_int_equal(no, t->next_no[who]++);
}

static void room_that_many_reserve_at_once_is_never_more_than_the_buffer_has(void **state)
{
    _Atomic unsigned running = WRITERS;
    struct writer writers[WRITERS];
    struct tally t = {0};
    struct ps_wal_end end;
    uint64_t i;

    (void)state;
    fix.opts.segment_size = 1024 * 1024;
    wal_fixture_create(&fix);
    wal_fixture_open(&fix);
    for (i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.who = i, .running = &running};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_long_groups, &writers[i]),
                         0);
    }
    while (atomic_load(&running) > 0) /* debug builds check the room whenever the tail is frozen */
        checkpoint_and_skip();
    for (i = 0; i < WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    flush_all();
    assert_int_equal(read_log(&fix, 0, ps_wal_durable_lsn(fix.wal), tally, &t, &end), PS_ERR_NOENT);
    assert_int_equal(end.last_lsn, ps_wal_tail_lsn(fix.wal));
    for (i = 0; i < WRITERS; i++)
        assert_int_equal(t.next_no[i], GROUPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(flush_waits_for_copies_that_were_claimed_before_it),
        TEST(checkpoint_waits_for_no_copy),
        TEST(tail_lsn_is_a_records_lsn_while_the_tail_leaves_an_empty_block),
        TEST(room_is_not_reserved_by_a_tail_that_a_checkpoint_is_about_to_move),
        TEST(room_that_many_reserve_at_once_is_never_more_than_the_buffer_has),
    };

    return cmocka_run_group_tests(tests, choose_seed, NULL);
}
