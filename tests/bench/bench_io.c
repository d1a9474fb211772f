/*
 * bench_io.c - one kind of file operation, again and again, for a given time; prints how many a
 * second.
 *
 *     bench_io read        FILE BLOCK SECONDS    random O_DIRECT reads of BLOCK bytes
 *     bench_io write       FILE BLOCK SECONDS    random O_DIRECT overwrites
 *     bench_io write-fsync FILE BLOCK SECONDS    one overwrite, one fsync
 *     bench_io raw-twice   DIR  BLOCK SECONDS    overwrite and fdatasync of one file, then of
 * another: what two device flushes cost bench_io sqlite      DIR  BLOCK SECONDS    SQLite, WAL,
 * synchronous=FULL: one row of BLOCK bytes a transaction
 *
 * Offsets come from a generator with a fixed seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RAW_FILE_BYTES (16u << 20)
#define SQLITE_ROWS 256

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void die(const char *what)
{
    fprintf(stderr, "bench_io: %s: %s\n", what, strerror(errno));
    exit(1);
}

struct job {
    int fd, fd2;
    char *buf;
    size_t block;
    uint64_t blocks; /* in the file */
    uint64_t seed;
    sqlite3_stmt *update;
};

static uint64_t pick(struct job *j)
{
    return next_random(&j->seed) % j->blocks * j->block;
}

static void do_read(struct job *j)
{
    if (pread(j->fd, j->buf, j->block, (off_t)pick(j)) != (ssize_t)j->block)
        die("read");
}

static void do_write(struct job *j)
{
    uint64_t off = pick(j);

    memcpy(j->buf + j->block / 2, &off, sizeof(off));
    if (pwrite(j->fd, j->buf, j->block, (off_t)off) != (ssize_t)j->block)
        die("write");
}

static void do_write_fsync(struct job *j)
{
    do_write(j);
    if (fsync(j->fd) != 0)
        die("fsync");
}

static void do_raw_twice(struct job *j)
{
    do_write(j);
    if (fdatasync(j->fd) != 0)
        die("fdatasync");
    if (pwrite(j->fd2, j->buf, j->block, (off_t)pick(j)) != (ssize_t)j->block)
        die("write");
    if (fdatasync(j->fd2) != 0)
        die("fdatasync");
}

static void do_sqlite(struct job *j)
{
    uint64_t id = next_random(&j->seed) % SQLITE_ROWS;
    double now = now_s();

    memcpy(j->buf, &now, sizeof(now)); /* SQLite writes nothing if nothing changes */
    sqlite3_bind_blob(j->update, 1, j->buf, (int)j->block, SQLITE_STATIC);
    sqlite3_bind_int64(j->update, 2, (sqlite3_int64)id);
    if (sqlite3_step(j->update) != SQLITE_DONE)
        die("sqlite");
    sqlite3_reset(j->update);
}

static void open_file(struct job *j, const char *path, int flags)
{
    struct stat st;

    j->fd = open(path, flags | O_DIRECT);
    if (j->fd < 0 || fstat(j->fd, &st) != 0)
        die(path);
    j->blocks = (uint64_t)st.st_size / j->block;
    if (j->blocks == 0) {
        fprintf(stderr, "bench_io: %s has less than %zu bytes\n", path, j->block);
        exit(1);
    }
}

/* A file that is allocated and written, so that overwrites change no metadata. */
static int make_raw(struct job *j, const char *dir, const char *name)
{
    char path[4096];
    uint64_t off;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    fd = open(path, O_RDWR | O_CREAT | O_DIRECT, 0600);
    if (fd < 0)
        die(path);
    for (off = 0; off < RAW_FILE_BYTES; off += j->block)
        if (pwrite(fd, j->buf, j->block, (off_t)off) != (ssize_t)j->block)
            die(path);
    if (fsync(fd) != 0)
        die(path);
    j->blocks = RAW_FILE_BYTES / j->block;
    return fd;
}

static void run_sql(sqlite3 *db, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "bench_io: sqlite: %s\n", message);
        exit(1);
    }
}

static void open_sqlite(struct job *j, const char *dir)
{
    char path[4096], fill[256];
    sqlite3 *db;

    snprintf(path, sizeof(path), "%s/bench.sqlite", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die(path);
    run_sql(db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    run_sql(db, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, b BLOB); BEGIN");
    snprintf(fill, sizeof(fill),
             "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
             "INSERT OR IGNORE INTO t SELECT i, zeroblob(%zu) FROM n",
             SQLITE_ROWS - 1, j->block);
    run_sql(db, fill);
    run_sql(db, "COMMIT");
    if (sqlite3_prepare_v2(db, "UPDATE t SET b = ? WHERE id = ?", -1, &j->update, NULL) !=
        SQLITE_OK)
        die("sqlite");
}

static void measure(struct job *j, void (*step)(struct job *), double seconds)
{
    double start = now_s(), took;
    uint64_t ops = 0;

    do {
        step(j);
        ops++;
        took = now_s() - start;
    } while (took < seconds);
    printf("%.1f\n", (double)ops / took);
}

int main(int argc, char **argv)
{
    struct job j = {.seed = 42};
    double seconds;

    if (argc != 5 || (j.block = strtoull(argv[3], NULL, 10)) < 16 ||
        (seconds = strtod(argv[4], NULL)) <= 0) {
        fprintf(stderr, "usage: bench_io read|write|write-fsync|raw-twice|sqlite PATH BLOCK "
                        "SECONDS\n");
        return 2;
    }
    j.buf = aligned_alloc(4096, (j.block + 4095) / 4096 * 4096);
    if (!j.buf)
        die("no memory");
    memset(j.buf, 0xa5, j.block);
    if (strcmp(argv[1], "read") == 0) {
        open_file(&j, argv[2], O_RDONLY);
        measure(&j, do_read, seconds);
    } else if (strcmp(argv[1], "write") == 0) {
        open_file(&j, argv[2], O_RDWR);
        measure(&j, do_write, seconds);
    } else if (strcmp(argv[1], "write-fsync") == 0) {
        open_file(&j, argv[2], O_RDWR);
        measure(&j, do_write_fsync, seconds);
    } else if (strcmp(argv[1], "raw-twice") == 0) {
        j.fd = make_raw(&j, argv[2], "raw1");
        j.fd2 = make_raw(&j, argv[2], "raw2");
        measure(&j, do_raw_twice, seconds);
    } else if (strcmp(argv[1], "sqlite") == 0) {
        open_sqlite(&j, argv[2]);
        measure(&j, do_sqlite, seconds);
    } else {
        fprintf(stderr, "bench_io: there is no '%s'\n", argv[1]);
        return 2;
    }
    return 0;
}
