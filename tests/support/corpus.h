/*
 * corpus.h - the PostgreSQL 15 data directory of tests/data/pgcorpus.tar.xz, for the tests of a
 * program: unpacked into a temporary folder before them, removed after them.
 *
 *     cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
 *
 * Its README.md tells what is what: cluster/ has the files, truth/ what PostgreSQL itself says
 * about every page of them.
 */
#ifndef TEST_CORPUS_H
#define TEST_CORPUS_H

#include "temp_dir.h"

struct corpus {
    char tmp[TEMP_DIR_LEN]; /* the temporary folder */
    char dir[300];          /* the corpus in it */
};

/* Fixtures of cmocka: *state is the struct corpus of the program's tests. */
int corpus_setup(void **state);
int corpus_teardown(void **state);

/* DIR/NAME in buf, which is returned. */
const char *corpus_path(const struct corpus *c, const char *name, char buf[600]);

#endif
