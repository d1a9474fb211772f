/* Many threads ask a catalog that nobody has read yet. */
#include <pthread.h>

#include "pg/catalog.h"
#include "pg_bed.h"

#define THREADS 4

struct asker {
    struct ps_pg_catalog *catalog;
    pthread_barrier_t *start;
    const struct ps_pg_relation *relation;
    const struct ps_pg_desc *desc;
    char name[64];
    struct ps_text sql;
    uint32_t shared_count;
};

static void *ask(void *ctx)
{
    struct asker *a = ctx;
    const struct ps_pg_types *types;
    enum ps_pg_fork fork;

    (void)pthread_barrier_wait(a->start);
    a->shared_count = ps_pg_relation_count(a->catalog, 0);
    a->relation = ps_pg_relation_find(a->catalog, 1, "public.t_mixed", &fork);
    (void)!ps_pg_relation_desc(a->catalog, 1, a->relation, &a->desc);
    types = ps_pg_catalog_types(a->catalog, 1);
    (void)types->reg_name(types->ctx, 2205, a->relation->oid, a->name, sizeof(a->name));
    (void)!ps_pg_schema_sql(a->catalog, 1, a->relation, &a->sql);
    return NULL;
}

static void all_threads_see_one_catalog(void **state)
{
    struct asker askers[THREADS] = {0};
    struct ps_pg_catalog *c = NULL;
    pthread_t threads[THREADS];
    pthread_barrier_t start;
    struct bed b;
    int i;

    begin(&b, state);
    ok(try_open(&b, ""));
    ok(ps_pg_catalog_open(b.cluster, &c));
    pthread_barrier_init(&start, NULL, THREADS);
    for (i = 0; i < THREADS; i++) {
        askers[i].catalog = c;
        askers[i].start = &start;
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < THREADS; i++) {
        assert_non_null(askers[i].desc);
        assert_ptr_equal(askers[i].relation, askers[0].relation);
        assert_ptr_equal(askers[i].desc, askers[0].desc);
        assert_string_equal(askers[i].name, "t_mixed");
        assert_int_equal(askers[i].shared_count, askers[0].shared_count);
        assert_int_equal(askers[i].sql.len, askers[0].sql.len);
        assert_true(askers[i].sql.len > 0);
    }
    for (i = 0; i < THREADS; i++)
        ps_text_deinit(&askers[i].sql);
    pthread_barrier_destroy(&start);
    ps_pg_catalog_close(c);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_threads_see_one_catalog)};

    return cmocka_run_group_tests_name("pg_catalog_mt", tests, corpus_setup, corpus_teardown);
}
