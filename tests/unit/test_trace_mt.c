/*
 * test_trace_mt.c - events added by several threads at once. Also run under ThreadSanitizer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "base/trace.h"

#define SLOTS 64u
#define THREADS 3u
#define EVENTS 20000u

struct adder {
    pthread_t thread;
    struct ps_trace *trace;
    uint32_t table;
};

/* Every field of an event follows from its table and page, so that a mixture of two shows. */
static void *add_events(void *arg)
{
    const struct adder *a = arg;

    for (uint32_t i = 0; i < EVENTS; i++) {
        const struct ps_trace_event event = {.kind = "test",
                                             .reason = "none",
                                             .table = a->table,
                                             .page = i,
                                             .frame = a->table ^ i,
                                             .lsn = (uint64_t)a->table << 32 | i};

        ps_trace_add(a->trace, &event);
    }
    return NULL;
}

/* Returns how many events were seen; they are whole and in order. */
static size_t look(struct ps_trace *trace)
{
    struct ps_trace_event events[SLOTS];
    size_t count = ps_trace_snapshot(trace, events, SLOTS);
    size_t i;

    assert_true(count <= SLOTS);
    for (i = 0; i < count; i++) {
        const struct ps_trace_event *e = &events[i];

        assert_true(i == 0 || e->seq > events[i - 1].seq);
        assert_string_equal(e->kind, "test");
        assert_int_equal(e->frame, e->table ^ e->page);
        assert_int_equal(e->lsn, (uint64_t)e->table << 32 | e->page);
    }
    return count;
}

static void snapshot_beside_one_writer_shows_whole_events_in_order(void **state)
{
    struct adder a = {.table = 1};

    (void)state;
    assert_int_equal(ps_trace_create(SLOTS, &a.trace), PS_OK);
    assert_int_equal(pthread_create(&a.thread, NULL, add_events, &a), 0);
    for (int i = 0; i < 2000; i++)
        (void)look(a.trace);
    assert_int_equal(pthread_join(a.thread, NULL), 0);
    assert_int_equal(look(a.trace), SLOTS);
    ps_trace_destroy(a.trace);
}

static void events_of_several_threads_are_all_counted(void **state)
{
    struct adder adders[THREADS];
    struct ps_trace_event event;
    struct ps_trace *trace;
    uint32_t i;

    (void)state;
    assert_int_equal(ps_trace_create(1, &trace), PS_OK);
    for (i = 0; i < THREADS; i++) {
        adders[i] = (struct adder){.trace = trace, .table = i};
        assert_int_equal(pthread_create(&adders[i].thread, NULL, add_events, &adders[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(adders[i].thread, NULL), 0);
    ps_trace_add(trace, &(struct ps_trace_event){.kind = "last"});
    assert_int_equal(ps_trace_snapshot(trace, &event, 1), 1);
    assert_string_equal(event.kind, "last");
    assert_int_equal(event.seq, THREADS * EVENTS + 1);
    ps_trace_destroy(trace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(snapshot_beside_one_writer_shows_whole_events_in_order),
        cmocka_unit_test(events_of_several_threads_are_all_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
