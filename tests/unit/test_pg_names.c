/* Names of databases, schemas and relations as names of folders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pg/names.h"
#include "seed.h"

#define OID 4294967295u /* the longest */

static const char *relation(const char *schema, const char *name, enum ps_pg_fork fork,
                            char buf[PS_PG_DIR_MAX + 1])
{
    ps_pg_relation_dir(schema, name, OID, fork, buf);
    return buf;
}

static void names_are_encoded_byte_by_byte(void **state)
{
    char buf[PS_PG_DIR_MAX + 1];

    (void)state;
    assert_string_equal(relation("public", "users", PS_PG_MAIN, buf), "public.users");
    assert_string_equal(relation("public", "users", PS_PG_FSM, buf), "public.users.fsm");
    assert_string_equal(relation("a/b", "a%2Fb", PS_PG_MAIN, buf), "a%2Fb.a%252Fb");
    assert_string_equal(relation("s.x", "y", PS_PG_MAIN, buf), "s%2Ex.y");
    assert_string_equal(relation("s", "x.y", PS_PG_MAIN, buf), "s.x%2Ey");
    assert_string_equal(relation("s", "t.fsm", PS_PG_VM, buf), "s.t%2Efsm.vm");
    assert_string_equal(relation(".", "~1", PS_PG_INIT, buf), "%2E.%7E1.init");
    assert_string_equal(relation("x y", "n\xc3\xa4me\n\x7f", PS_PG_MAIN, buf),
                        "x y.n\xc3\xa4me%0A%7F");
    assert_string_equal(relation("", "16384", PS_PG_MAIN, buf), "16384");
}

static void databases_do_not_take_the_name_of_shared_relations(void **state)
{
    char buf[PS_PG_DIR_MAX + 1];

    (void)state;
    ps_pg_database_dir("global", 1, buf);
    assert_string_equal(buf, "%67lobal");
    ps_pg_database_dir("%67lobal", 1, buf);
    assert_string_equal(buf, "%2567lobal");
    ps_pg_database_dir("globals", 1, buf);
    assert_string_equal(buf, "globals");
    ps_pg_database_dir(".pagefs", 1, buf);
    assert_string_equal(buf, "%2Epagefs");
}

static void long_names_are_cut_between_characters_and_end_in_the_oid(void **state)
{
    char slashes[64] = "", umlauts[64] = "", buf[PS_PG_DIR_MAX + 1];
    const char *mark;
    unsigned i;

    (void)state;
    memset(slashes, '/', 63);
    for (i = 0; i < 31; i++)
        strcat(umlauts, "\xc3\xa4");
    relation(slashes, slashes, PS_PG_MAIN, buf);
    assert_true(strlen(buf) <= PS_PG_DIR_MAX && strlen(buf) > PS_PG_DIR_MAX - 4);
    mark = strchr(buf, '~');
    assert_string_equal(mark, "~4294967295");
    assert_memory_equal(mark - 3, "%2F", 3);
    relation(slashes, slashes, PS_PG_INIT, buf);
    assert_string_equal(strchr(buf, '~'), "~4294967295.init");
    assert_true(strlen(buf) <= PS_PG_DIR_MAX);
    relation(slashes, umlauts, PS_PG_MAIN, buf); /* 189 + 1 + 62 fits */
    assert_null(strchr(buf, '~'));
    relation(slashes, umlauts, PS_PG_FSM, buf); /* and 4 more do not */
    mark = strchr(buf, '~');
    assert_string_equal(mark, "~4294967295.fsm");
    assert_memory_equal(mark - 2, "\xc3\xa4", 2);
}

/* --- any names ---------------------------------------------------------------------------- */

/* Pieces that naive schemes mix up. */
static void random_name(char name[64])
{
    static const char *const pieces[] = {"a",   "b",  ".",      "/",        "%",    "~",  "2F",
                                         "%2F", "25", "global", ".fsm",     ".vm",  "~1", "\x01",
                                         "0",   "\"", " ",      "\xc3\xa4", "\xff", "%2E"};
    size_t count = 1 + (size_t)random() % (random() % 8 == 0 ? 40 : 4);
    const char *piece;

    name[0] = '\0';
    while (count-- > 0) {
        piece = pieces[(size_t)random() % (sizeof(pieces) / sizeof(pieces[0]))];
        if (strlen(name) + strlen(piece) < 64)
            strcat(name, piece);
    }
}

struct made {
    char schema[64], name[64], dir[PS_PG_DIR_MAX + 1];
    enum ps_pg_fork fork;
};

static int compare_dirs(const void *x, const void *y)
{
    return strcmp(((const struct made *)x)->dir, ((const struct made *)y)->dir);
}

static int is_same(const struct made *x, const struct made *y)
{
    return strcmp(x->schema, y->schema) == 0 && strcmp(x->name, y->name) == 0 && x->fork == y->fork;
}

#define MADE 20000u

static void distinct_names_never_meet(void **state)
{
    struct made *all = calloc(MADE, sizeof(*all));
    unsigned i;

    (void)state;
    assert_non_null(all);
    srandom((unsigned)test_seed());
    for (i = 0; i < MADE; i++) {
        random_name(all[i].schema);
        random_name(all[i].name);
        all[i].fork = (enum ps_pg_fork)(random() % PS_PG_FORKS);
        /* relations of one name have one OID; cut names of others differ by it */
        ps_pg_relation_dir(all[i].schema, all[i].name, 16384 + i, all[i].fork, all[i].dir);
        assert_true(strlen(all[i].dir) <= PS_PG_DIR_MAX);
        assert_null(strchr(all[i].dir, '/'));
        assert_int_not_equal(all[i].dir[0], '.');
    }
    qsort(all, MADE, sizeof(*all), compare_dirs);
    for (i = 1; i < MADE; i++)
        if (strcmp(all[i - 1].dir, all[i].dir) == 0 && !is_same(&all[i - 1], &all[i]))
            fail_msg("%s: two relations", all[i].dir);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_encoded_byte_by_byte),
        cmocka_unit_test(databases_do_not_take_the_name_of_shared_relations),
        cmocka_unit_test(long_names_are_cut_between_characters_and_end_in_the_oid),
        cmocka_unit_test(distinct_names_never_meet),
    };

    return cmocka_run_group_tests_name("pg_names", tests, NULL, NULL);
}
