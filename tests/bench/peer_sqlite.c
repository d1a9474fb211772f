/*
 * peer_sqlite.c - durable commits of SQLite: WAL, synchronous=FULL, one row of BLOCK bytes changed
 * in each.
 *
 *     peer_sqlite DATABASE BLOCK      see worker.h
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker.h"

#define ROWS 256

struct job {
    sqlite3 *db;
    sqlite3_stmt *update;
    char *buf;
    int block;
    uint64_t seed;
};

static void run_sql(struct job *j, const char *sql)
{
    if (sqlite3_exec(j->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        worker_die(sql, sqlite3_errmsg(j->db));
}

static void open_database(struct job *j, const char *path)
{
    char fill[256];

    if (sqlite3_open(path, &j->db) != SQLITE_OK)
        worker_die(path, sqlite3_errmsg(j->db));
    run_sql(j, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    run_sql(j, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, b BLOB)");
    snprintf(fill, sizeof(fill),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT OR IGNORE INTO t SELECT i, zeroblob(%d) FROM n",
             ROWS - 1, j->block);
    run_sql(j, fill);
    if (sqlite3_prepare_v2(j->db, "UPDATE t SET b = ? WHERE id = ?", -1, &j->update, NULL) !=
        SQLITE_OK)
        worker_die("UPDATE", sqlite3_errmsg(j->db));
}

static uint64_t step(void *ctx)
{
    struct job *j = ctx;
    const uint64_t start = worker_now(), stamp = worker_random(&j->seed);

    memcpy(j->buf, &stamp, sizeof(stamp)); /* SQLite writes nothing if nothing changes */
    sqlite3_bind_blob(j->update, 1, j->buf, j->block, SQLITE_STATIC);
    sqlite3_bind_int64(j->update, 2, (sqlite3_int64)(stamp % ROWS));
    if (sqlite3_step(j->update) != SQLITE_DONE || sqlite3_reset(j->update) != SQLITE_OK)
        worker_die("UPDATE", sqlite3_errmsg(j->db));
    return worker_now() - start;
}

int main(int argc, char **argv)
{
    struct job j = {.seed = 42};
    const struct worker_job work = {.step = step, .ctx = &j};

    if (argc != 3) {
        fprintf(stderr, "usage: peer_sqlite DATABASE BLOCK\n");
        return 2;
    }
    j.block = (int)worker_number(argv[2], 8);
    j.buf = worker_buffer((size_t)j.block);
    open_database(&j, argv[1]);
    worker_serve(&work, 1);
    sqlite3_finalize(j.update);
    free(j.buf);
    return sqlite3_close(j.db) == SQLITE_OK ? 0 : 1;
}
