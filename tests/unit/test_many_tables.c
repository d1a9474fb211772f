/*
 * test_many_tables.c - what is done to one table costs the same beside thousands of others. Times
 * are those of the processor, the least of many, and may differ by a factor that no list of
 * thousands would keep to.
 */
#include <time.h>

#include "store_fixture.h"

#define TABLES 2000u
#define TRIES 40u
#define CALLS 20u /* a try */
#define TIMES_MAX 8u

typedef void call_fn(struct fixture *f, struct ps_table *t);

static uint64_t cpu_ns(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t least_ns(struct fixture *f, struct ps_table *t, call_fn *call)
{
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t from = cpu_ns(), took;

        for (unsigned k = 0; k < CALLS; k++)
            call(f, t);
        took = cpu_ns() - from;
        if (took < least)
            least = took;
    }
    return least;
}

/* Makes tables `from` to `to`, each with a page that was written. */
static void make_tables(struct fixture *f, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        struct ps_table *t;
        char name[16];

        snprintf(name, sizeof(name), "table %u", i);
        t = make(f, name, PS_FORMAT_NATIVE);
        ok(ps_write(t, PS_SPACE_PAYLOAD, 0, name, sizeof(name), 0, NULL));
        ps_table_unref(t);
        if (i % 100 == 0)
            ok(ps_store_checkpoint(f->store, NULL));
    }
    ok(ps_store_checkpoint(f->store, NULL));
}

static void costs_the_same_beside_many(struct fixture *f, call_fn *call)
{
    struct ps_table *t;
    uint64_t alone, beside;

    make_tables(f, 0, 1);
    t = find(f, "table 0");
    alone = least_ns(f, t, call);
    make_tables(f, 1, TABLES);
    beside = least_ns(f, t, call);
    print_message("alone %llu ns, beside %u tables %llu ns\n", (unsigned long long)alone, TABLES,
                  (unsigned long long)beside);
    ps_table_unref(t);
    assert_true(beside < TIMES_MAX * alone);
}

static void write_and_sync(struct fixture *f, struct ps_table *t)
{
    ok(ps_write(t, PS_SPACE_PAYLOAD, 100, "x", 1, 0, NULL));
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
}

static void look_up(struct fixture *f, struct ps_table *t)
{
    struct ps_table *found = find(f, "table 0");

    assert_ptr_equal(found, t);
    ps_table_unref(found);
    assert_int_equal(ps_table_lookup(f->store, "none", &found), PS_ERR_NOENT);
}

static void syncing_one_page_costs_the_same_beside_many_tables(void **state)
{
    costs_the_same_beside_many(*state, write_and_sync);
}

static void looking_up_a_name_costs_the_same_beside_many_tables(void **state)
{
    costs_the_same_beside_many(*state, look_up);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(syncing_one_page_costs_the_same_beside_many_tables),
        T(looking_up_a_name_costs_the_same_beside_many_tables),
    };

    return cmocka_run_group_tests_name("many tables", tests, NULL, NULL);
}
