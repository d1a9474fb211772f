/*
 * peer_bdb.c - CPU time to get and put a random resident page of Berkeley DB's mpool.
 *
 *     peer_bdb PAGES      see worker.h; a step is PINS_A_STEP of them
 */
#include <db.h>
#include <stdio.h>
#include <string.h>

#include "pin_numbers.h"
#include "worker.h"

#define PAGE_SIZE 8192u

struct job {
    DB_MPOOLFILE *file;
    struct pin_numbers numbers;
};

static void must(int err, const char *what)
{
    if (err)
        worker_die(what, db_strerror(err));
}

static DB_MPOOLFILE *open_pool(uint32_t pages, DB_ENV **ret_env)
{
    const uint64_t cache = (uint64_t)pages * (PAGE_SIZE + 512) * 5 / 4;
    const uint32_t giga = 1u << 30;
    DB_MPOOLFILE *file;
    DB_ENV *env;
    db_pgno_t i;

    must(db_env_create(&env, 0), "db_env_create");
    must(env->set_cachesize(env, (uint32_t)(cache / giga), (uint32_t)(cache % giga), 1),
         "set_cachesize");
    must(env->open(env, NULL, DB_CREATE | DB_INIT_MPOOL | DB_PRIVATE | DB_THREAD, 0),
         "DB_ENV->open");
    must(env->memp_fcreate(env, &file, 0), "memp_fcreate");
    must(file->set_flags(file, DB_MPOOL_NOFILE, 1), "set_flags");
    must(file->open(file, NULL, DB_CREATE, 0, PAGE_SIZE), "DB_MPOOLFILE->open");
    for (i = 0; i < pages; i++) {
        void *page;

        must(file->get(file, &i, NULL, DB_MPOOL_CREATE, &page), "get");
        memset(page, 1, PAGE_SIZE);
        must(file->put(file, page, DB_PRIORITY_UNCHANGED, 0), "put");
    }
    *ret_env = env;
    return file;
}

static uint64_t step(void *ctx)
{
    struct job *j = ctx;
    const uint32_t *numbers = pin_numbers_next(&j->numbers);
    const uint64_t start = worker_cpu();
    uint32_t i;

    for (i = 0; i < PINS_A_STEP; i++) {
        db_pgno_t number = numbers[i];
        void *page;

        must(j->file->get(j->file, &number, NULL, 0, &page), "get");
        must(j->file->put(j->file, page, DB_PRIORITY_UNCHANGED, 0), "put");
    }
    return worker_cpu() - start;
}

int main(int argc, char **argv)
{
    struct job j;
    const struct worker_job work = {.step = step, .ctx = &j};
    uint32_t pages;
    DB_ENV *env;

    if (argc != 2) {
        fprintf(stderr, "usage: peer_bdb PAGES\n");
        return 2;
    }
    pages = (uint32_t)worker_number(argv[1], 8);
    pin_numbers_init(&j.numbers, pages, 0);
    j.file = open_pool(pages, &env);
    worker_serve(&work, 1);
    pin_numbers_deinit(&j.numbers);
    must(j.file->close(j.file, 0), "close");
    must(env->close(env, 0), "DB_ENV->close");
    return 0;
}
