/*
 * pg_catalog_bed.h - the catalogs of a bed's cluster, and what holds of them whatever they say.
 *
 * For the tests of the catalogs, each of which includes it once.
 */
#ifndef TESTS_UNIT_PG_CATALOG_BED_H
#define TESTS_UNIT_PG_CATALOG_BED_H

#include "pg/catalog.h"
#include "pg_bed.h"

/* Opens the cluster and its catalogs; *ret_db is the database that the corpus is about, anchor. */
static inline struct ps_pg_catalog *open_catalog(struct bed *b, uint32_t *ret_db)
{
    struct ps_pg_catalog *c = NULL;

    ok(try_open(b, ""));
    ok(ps_pg_catalog_open(b->cluster, &c));
    *ret_db = ps_pg_database_find(c, "anchor");
    return c;
}

static inline void end_catalog(struct bed *b, struct ps_pg_catalog *c)
{
    ps_pg_catalog_close(c);
    end(b);
}

/* The relation of the folder, NULL: there is none. */
static inline const struct ps_pg_relation *find(struct ps_pg_catalog *c, uint32_t db,
                                                const char *dir)
{
    enum ps_pg_fork fork;

    return ps_pg_relation_find(c, db, dir, &fork);
}

/* Every relation shown is found by its folder, and by each of its files; they are in order. */
static inline void check_shown(struct ps_pg_catalog *c, uint32_t db)
{
    const struct ps_pg_relation *rel, *last = NULL;
    uint32_t i, count = ps_pg_relation_count(c, db), found_db;
    char dir[PS_PG_DIR_MAX + 1];
    enum ps_pg_fork fork, found;

    for (i = 0; i < count; i++, last = rel) {
        rel = ps_pg_relation(c, db, i);
        assert_true(!last || strcmp(last->dir, rel->dir) < 0);
        for (fork = PS_PG_MAIN; fork < PS_PG_FORKS; fork++) {
            if (rel->files[fork] == 0)
                continue;
            ps_pg_relation_fork_dir(rel, fork, dir);
            assert_ptr_equal(ps_pg_relation_find(c, db, dir, &found), rel);
            assert_int_equal(found, fork);
            assert_ptr_equal(ps_pg_relation_of_table(c, rel->files[fork], &found_db, &found), rel);
            assert_int_equal(found, fork);
            assert_int_equal(found_db, db);
        }
    }
    assert_null(ps_pg_relation(c, db, count));
}

#endif
