/* Memory that is not there is an error, or a note says so: it never becomes another answer. Each
 * allocation in turn fails, and what is said of a cluster is compared with what was said before.
 *
 * The linker puts the allocators of this file before the C library's (-Wl,--wrap). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "expect.h"
#include "pg/cluster.h"
#include "pg/damage.h"
#include "pg/rows.h"
#include "pg_small.h"

/* --- allocations --------------------------------------------------------------------------- */

static uint64_t allocations, failing = UINT64_MAX;

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *old, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *old, size_t len);

static bool fails(void)
{
    return allocations++ == failing;
}

void *__wrap_malloc(size_t len)
{
    return fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *old, size_t len)
{
    return fails() ? NULL : __real_realloc(old, len);
}

/* --- what is said -------------------------------------------------------------------------- */

struct said {
    struct ps_text text;
    bool noted; /* a note tells of memory */
    ps_err err; /* the first */
};

static void keep(struct said *s, ps_err err)
{
    if (!s->err)
        s->err = err;
}

static void say_rows(struct ps_pg_catalog *c, uint32_t db, const struct ps_pg_relation *r,
                     struct said *s)
{
    struct ps_pg_scan *scan = NULL;
    bool done = false;
    ps_err err = ps_pg_scan_open(c, db, r, PS_PG_ROWS, false, &scan);

    while (!err && !done)
        err = ps_pg_scan_step(scan, NULL, &s->text, &done);
    ps_pg_scan_close(scan);
    keep(s, err == PS_ERR_NOMEM ? err : PS_OK); /* other errors are there without this one, too */
    if (!err)
        ps_text_printf(&s->text, "all rows\n");
}

static void say_relation(struct ps_pg_catalog *c, uint32_t db, const struct ps_pg_relation *r,
                         struct said *s)
{
    const struct ps_pg_desc *desc = NULL;
    ps_err err = ps_pg_relation_desc(c, db, r, &desc);

    keep(s, err == PS_ERR_NOMEM ? err : PS_OK);
    ps_text_printf(&s->text, "%s %s of %u, %u columns, %d\n", r->dir, r->am_name, r->owner,
                   !err ? desc->count : 0, r->own_class);
    err = ps_pg_schema_sql(c, db, r, &s->text);
    keep(s, err == PS_ERR_NOMEM ? err : PS_OK);
    if (r->kind == 'r' && r->oid >= 16384)
        say_rows(c, db, r, s);
}

/* But for notes: one that there is no memory for is told and not kept. */
static void say_damage(struct ps_pg_catalog *c, struct said *s)
{
    struct ps_pg_damage *d = NULL;
    bool done = false;
    ps_err err = ps_pg_damage_open_all(c, 1, &d);

    while (!err && !done) {
        struct ps_text lines = {0};

        err = ps_pg_damage_step(d, NULL, &lines, &done);
        ps_text_add(&lines, "", 1);
        if (!err && !lines.failed && !strstr(lines.data, "\tnote\t"))
            ps_text_printf(&s->text, "%s", lines.data);
        s->text.failed |= lines.failed;
        ps_text_deinit(&lines);
    }
    ps_pg_damage_close(d);
    keep(s, err);
}

static void see_note(void *ctx, const char *line)
{
    struct said *s = ctx;

    s->noted |= strstr(line, "no memory") != NULL;
}

static void say_catalog(struct ps_pg_cluster *cluster, struct said *s)
{
    struct ps_pg_catalog *c = NULL;
    ps_err err = ps_pg_catalog_open(cluster, &c);

    keep(s, err);
    if (err)
        return;
    for (uint32_t db = 0; db < ps_pg_database_count(c); db++) {
        for (uint32_t i = 0; i < ps_pg_relation_count(c, db); i++)
            say_relation(c, db, ps_pg_relation(c, db, i), s);
        keep(s, ps_pg_orphans(c, db, &s->text));
    }
    say_damage(c, s);
    ps_pg_catalog_close(c);
}

static struct said say_all(const char *dir)
{
    const struct ps_pg_options opts = {.segment = UINT32_MAX};
    struct ps_store_options store_opts;
    struct ps_pg_cluster *cluster = NULL;
    struct said s = {.noted = false};

    ps_store_options_default(&store_opts);
    store_opts.pool_bytes = 4u << 20;
    store_opts.no_threads = true;
    allocations = 0;
    keep(&s, ps_pg_open(dir, &opts, &store_opts, &cluster));
    if (!s.err) {
        say_catalog(cluster, &s);
        ps_pg_notes(cluster, see_note, &s);
        ps_pg_close(cluster);
    }
    keep(&s, ps_text_err(&s.text));
    return s;
}

/* --- the test ------------------------------------------------------------------------------ */

static void memory_that_is_not_there_is_told(void **state)
{
    struct pg_small *small = pg_small_open();
    struct said first = say_all(small->dir);
    const uint64_t count = allocations;

    (void)state;
    ok(first.err);
    assert_true(count > 1000 && first.text.len > 1000);
    for (uint64_t n = 0; n < count; n++) {
        struct said s;

        failing = n;
        s = say_all(small->dir);
        failing = UINT64_MAX;
        if (s.err ? s.err != PS_ERR_NOMEM
                  : !s.noted && (s.text.len != first.text.len ||
                                 memcmp(s.text.data, first.text.data, s.text.len) != 0))
            fail_msg("allocation %llu of %llu: %s\n%s", (unsigned long long)n,
                     (unsigned long long)count, ps_err_text(s.err), ps_message());
        ps_text_deinit(&s.text);
    }
    ps_text_deinit(&first.text);
    pg_small_close(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_that_is_not_there_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
