/*
 * bench_file.c - one kind of file operation, again and again.
 *
 *     bench_file KIND BLOCK FILE...       a thread a FILE; see worker.h for what it reads and
 * prints
 *
 * All I/O is O_DIRECT and of BLOCK bytes; offsets are random, and other ones
 * in each run: what an earlier one left in a pool is not what a later one reads.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker.h"

struct job {
    const char *path;
    int fd, second_fd; /* the latter: two-flushes */
    char *buf;
    size_t block;
    uint64_t blocks; /* in the file; of open-read: files in the folder */
    uint64_t next;   /* of those that go on where the last step was */
    uint64_t seed;
    uint64_t dirty; /* sync-N: N */
};

static void check(bool holds, const char *what)
{
    if (!holds)
        worker_die(what, strerror(errno));
}

static off_t pick(struct job *j)
{
    return (off_t)(worker_random(&j->seed) % j->blocks * j->block);
}

static off_t go_on(struct job *j)
{
    return (off_t)(j->next++ % j->blocks * j->block);
}

static void read_at(struct job *j, off_t off)
{
    check(pread(j->fd, j->buf, j->block, off) == (ssize_t)j->block, j->path);
}

/* Never the same bytes twice. */
static void write_at(struct job *j, int fd, off_t off)
{
    const uint64_t stamp = worker_random(&j->seed);

    memcpy(j->buf + j->block / 2, &stamp, sizeof(stamp));
    check(pwrite(fd, j->buf, j->block, off) == (ssize_t)j->block, j->path);
}

/* --- kinds -------------------------------------------------------------------------------- */

static uint64_t step_read(void *ctx)
{
    const uint64_t start = worker_now();

    read_at(ctx, pick(ctx));
    return worker_now() - start;
}

static uint64_t step_scan(void *ctx)
{
    const uint64_t start = worker_now();

    read_at(ctx, go_on(ctx));
    return worker_now() - start;
}

static uint64_t step_write(void *ctx)
{
    struct job *j = ctx;
    const uint64_t start = worker_now();

    write_at(j, j->fd, pick(j));
    return worker_now() - start;
}

static uint64_t step_fill(void *ctx)
{
    struct job *j = ctx;
    const uint64_t start = worker_now();

    write_at(j, j->fd, go_on(j));
    return worker_now() - start;
}

static uint64_t step_write_fsync(void *ctx)
{
    struct job *j = ctx;
    const uint64_t start = worker_now();

    write_at(j, j->fd, pick(j));
    check(fsync(j->fd) == 0, j->path);
    return worker_now() - start;
}

static uint64_t step_two_flushes(void *ctx)
{
    struct job *j = ctx;
    const uint64_t start = worker_now();

    write_at(j, j->fd, pick(j));
    check(fdatasync(j->fd) == 0, j->path);
    write_at(j, j->second_fd, pick(j));
    check(fdatasync(j->second_fd) == 0, j->path);
    return worker_now() - start;
}

/* Different blocks, far from each other: a stride that has no divisor in common with 2^n. */
static uint64_t step_sync(void *ctx)
{
    struct job *j = ctx;
    uint64_t i, start;

    for (i = 0; i < j->dirty; i++)
        write_at(j, j->fd, (off_t)((j->next++ * 7919) % j->blocks * j->block));
    start = worker_now();
    check(fsync(j->fd) == 0, j->path);
    return worker_now() - start;
}

static uint64_t step_open_read(void *ctx)
{
    struct job *j = ctx;
    char name[16];
    uint64_t start;
    int fd;

    snprintf(name, sizeof(name), "%010u", (unsigned)(worker_random(&j->seed) % j->blocks));
    start = worker_now();
    fd = openat(j->fd, name, O_RDONLY);
    check(fd >= 0, name);
    check(pread(fd, j->buf, j->block, 0) == (ssize_t)j->block, name);
    check(close(fd) == 0, name);
    return worker_now() - start;
}

/* --- what they work on -------------------------------------------------------------------- */

static void open_file(struct job *j)
{
    struct stat st;

    j->fd = open(j->path, O_RDWR | O_DIRECT);
    check(j->fd >= 0 && fstat(j->fd, &st) == 0, j->path);
    j->blocks = (uint64_t)st.st_size / j->block;
    if (j->blocks < (j->dirty ? j->dirty : 1))
        worker_die(j->path, "not as many blocks in it");
}

/* A step writes to FILE, then to FILE.2, which is as long. */
static void open_two(struct job *j)
{
    char second[4096];

    open_file(j);
    snprintf(second, sizeof(second), "%s.2", j->path);
    j->second_fd = open(second, O_RDWR | O_DIRECT);
    check(j->second_fd >= 0, second);
}

/* Files of ten digits from 0 on. */
static void open_folder(struct job *j)
{
    const struct dirent *entry;
    DIR *dir;

    j->fd = open(j->path, O_RDONLY | O_DIRECTORY);
    dir = opendir(j->path);
    check(j->fd >= 0 && dir, j->path);
    while ((entry = readdir(dir)) != NULL)
        if (strspn(entry->d_name, "0123456789") == 10)
            j->blocks++;
    closedir(dir);
    if (j->blocks == 0)
        worker_die(j->path, "no files of ten digits");
}

static const struct kind {
    const char *name;
    uint64_t (*step)(void *ctx);
    void (*open)(struct job *j);
    const char *what;
} kinds[] = {
    {"read", step_read, open_file, "a random read"},
    {"scan", step_scan, open_file, "the next read"},
    {"write", step_write, open_file, "a random overwrite"},
    {"fill", step_fill, open_file, "the next overwrite"},
    {"write-fsync", step_write_fsync, open_file, "a random overwrite and an fsync"},
    {"two-flushes", step_two_flushes, open_two,
     "overwrite and fdatasync of FILE, then of FILE.2: two device flushes"},
    {"sync-N", step_sync, open_file, "N overwrites, untimed, then an fsync"},
    {"open-read", step_open_read, open_folder, "opens, reads, closes a file of the folder FILE"},
};

static _Noreturn void usage(void)
{
    size_t i;

    fprintf(stderr, "usage: bench_file KIND BLOCK FILE...\n");
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        fprintf(stderr, "  %-12s %s\n", kinds[i].name, kinds[i].what);
    exit(2);
}

/* `word` is the kind's name; where that ends in N, any number in its place. */
static const struct kind *find_kind(const char *word, uint64_t *ret_n)
{
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const char *name = kinds[i].name;
        const size_t stem = strlen(name) - 1;

        if (strcmp(word, name) == 0 && name[stem] != 'N')
            return &kinds[i];
        if (name[stem] == 'N' && strncmp(word, name, stem) == 0) {
            *ret_n = worker_number(word + stem, 1);
            return &kinds[i];
        }
    }
    usage();
}

int main(int argc, char **argv)
{
    struct job jobs[WORKER_JOBS_MAX] = {0};
    struct worker_job work[WORKER_JOBS_MAX];
    const struct kind *kind;
    uint64_t dirty = 0;
    unsigned count, i;

    if (argc < 4 || argc - 3 > (int)WORKER_JOBS_MAX)
        usage();
    kind = find_kind(argv[1], &dirty);
    count = (unsigned)argc - 3;
    for (i = 0; i < count; i++) {
        struct job *j = &jobs[i];

        j->path = argv[3 + i];
        j->block = worker_number(argv[2], 16);
        j->buf = worker_buffer(j->block);
        j->seed = (uint64_t)getpid() * WORKER_JOBS_MAX + i;
        j->dirty = dirty;
        kind->open(j);
        work[i] = (struct worker_job){.step = kind->step, .ctx = j};
    }
    worker_serve(work, count);
    for (i = 0; i < count; i++) {
        close(jobs[i].fd);
        free(jobs[i].buf);
    }
    return 0;
}
