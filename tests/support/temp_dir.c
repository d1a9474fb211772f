/*
 * temp_dir.c - mkdtemp, and rm -r by a process that outlives its test.
 */
#include "temp_dir.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPEN_FOLDERS_MAX 16

/* A folder that is there. */
struct made {
    char path[TEMP_DIR_LEN];
    int remover; /* a socket; to be told by it, or by its end, and answers */
    struct made *next;
};

static pthread_mutex_t mtx = PTHREAD_MUTEX_INITIALIZER;
static struct made *all; /* guarded by mtx */

static _Noreturn void fail(const char *what)
{
    perror(what);
    abort();
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static bool tell(int other, bool yes)
{
    return send(other, yes ? "y" : "n", 1, MSG_NOSIGNAL) == 1;
}

/* What the other told; false also where it is gone. */
static bool hear(int other)
{
    char told = 'n';

    while (recv(other, &told, 1, 0) < 0 && errno == EINTR)
        continue;
    return told == 'y';
}

/* Keeps nothing of the test's open, locks least of all. */
static _Noreturn void be_remover(const char *path, int test)
{
    if (dup2(test, STDIN_FILENO) < 0 || close_range(STDERR_FILENO + 1, ~0u, 0) != 0 ||
        !tell(STDIN_FILENO, true))
        _exit(1);
    (void)hear(STDIN_FILENO);
    (void)tell(STDIN_FILENO, nftw(path, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS) == 0);
    _exit(0);
}

/* Of a session of its own and nobody's child, so that who kills a test's group, or all below its
 * process, leaves it alone. */
static int start_remover(const char *path)
{
    int ends[2], status = -1;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        fail("socketpair");
    pid = fork();
    if (pid == 0) {
        if (setsid() < 0 || (pid = fork()) < 0)
            _exit(1);
        if (pid > 0)
            _exit(0);
        be_remover(path, ends[1]);
    }
    close(ends[1]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || !hear(ends[0]))
        fail("a process that removes a temporary folder");
    return ends[0];
}

void temp_dir_make(char path[TEMP_DIR_LEN])
{
    const char *parent = getenv("TMPDIR");
    struct made *m = calloc(1, sizeof(*m));

    if (!m)
        fail("temp_dir_make");
    snprintf(path, TEMP_DIR_LEN, "%s/pagefs-test-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(path))
        fail(path);
    memcpy(m->path, path, TEMP_DIR_LEN);
    m->remover = start_remover(path);
    pthread_mutex_lock(&mtx);
    m->next = all;
    all = m;
    pthread_mutex_unlock(&mtx);
}

static struct made *take(const char *path)
{
    struct made **at, *m;

    pthread_mutex_lock(&mtx);
    for (at = &all; *at && strcmp((*at)->path, path) != 0;)
        at = &(*at)->next;
    m = *at;
    if (m)
        *at = m->next;
    pthread_mutex_unlock(&mtx);
    return m;
}

void temp_dir_remove(const char *path)
{
    struct made *m = take(path);

    if (!m)
        fail(path);
    if (!tell(m->remover, true) || !hear(m->remover))
        fprintf(stderr, "%s: not removed\n", path);
    close(m->remover);
    free(m);
}
