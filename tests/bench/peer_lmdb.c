/*
 * peer_lmdb.c - durable commits of LMDB with its default flags: one value of BLOCK bytes changed
 * in each.
 *
 *     peer_lmdb FOLDER BLOCK      see worker.h
 */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

#define KEYS 256u
#define MAP_BYTES ((size_t)256 << 20)

struct job {
    MDB_env *env;
    MDB_dbi db;
    char *buf;
    size_t block;
    uint64_t seed;
};

static void must(int err, const char *what)
{
    if (err)
        worker_die(what, mdb_strerror(err));
}

static void put(struct job *j, uint64_t key_no)
{
    MDB_val key = {.mv_size = sizeof(key_no), .mv_data = &key_no};
    MDB_val value = {.mv_size = j->block, .mv_data = j->buf};
    const uint64_t stamp = worker_random(&j->seed);
    MDB_txn *txn;

    memcpy(j->buf, &stamp, sizeof(stamp));
    must(mdb_txn_begin(j->env, NULL, 0, &txn), "begin");
    must(mdb_put(txn, j->db, &key, &value, 0), "put");
    must(mdb_txn_commit(txn), "commit");
}

static void open_environment(struct job *j, const char *folder)
{
    MDB_txn *txn;
    uint64_t i;

    must(mdb_env_create(&j->env), "env_create");
    must(mdb_env_set_mapsize(j->env, MAP_BYTES), "set_mapsize");
    must(mdb_env_open(j->env, folder, 0, 0600), folder);
    must(mdb_txn_begin(j->env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY, &j->db), "dbi_open");
    must(mdb_txn_commit(txn), "commit");
    for (i = 0; i < KEYS; i++)
        put(j, i);
}

static uint64_t step(void *ctx)
{
    struct job *j = ctx;
    const uint64_t start = worker_now();

    put(j, worker_random(&j->seed) % KEYS);
    return worker_now() - start;
}

int main(int argc, char **argv)
{
    struct job j = {.seed = 42};
    const struct worker_job work = {.step = step, .ctx = &j};

    if (argc != 3) {
        fprintf(stderr, "usage: peer_lmdb FOLDER BLOCK\n");
        return 2;
    }
    j.block = worker_number(argv[2], 8);
    j.buf = worker_buffer(j.block);
    open_environment(&j, argv[1]);
    worker_serve(&work, 1);
    mdb_env_close(j.env);
    free(j.buf);
    return 0;
}
