#include "corpus.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int unpack(const char *archive, const char *folder)
{
    char *argv[] = {"tar", "-xJf", (char *)archive, "-C", (char *)folder, NULL};
    pid_t pid;
    int status;

    if (posix_spawnp(&pid, "tar", NULL, NULL, argv, environ) != 0)
        return -1;
    if (waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Waits until the test has closed its end, or is dead, and says how removing went. */
_Noreturn static void remove_when_told(const char *folder, int told, int removed)
{
    char byte;

    while (read(told, &byte, 1) < 0 && errno == EINTR)
        continue;
    byte = nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0;
    _exit(write(removed, &byte, 1) == 1 ? 0 : 1);
}

/* Of a session of its own and nobody's child, so that who kills a test's group, or all below its
 * process, leaves it alone. */
static int start_remover(struct corpus *c)
{
    int told[2], removed[2], status = -1;
    pid_t pid;

    if (pipe2(told, O_CLOEXEC) != 0 || pipe2(removed, O_CLOEXEC) != 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        close(told[1]);
        close(removed[0]);
        if (setsid() < 0 || (pid = fork()) < 0)
            _exit(1);
        if (pid > 0)
            _exit(0);
        remove_when_told(c->tmp, told[0], removed[1]);
    }
    close(told[0]);
    close(removed[1]);
    c->remove_when_closed = told[1];
    c->removed = removed[0];
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int make_folder(struct corpus *c)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(c->tmp, sizeof(c->tmp), "%s/pgcorpus.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(c->tmp))
        return -1;
    snprintf(c->dir, sizeof(c->dir), "%s/pgcorpus", c->tmp);
    if (start_remover(c) != 0) {
        rmdir(c->tmp);
        return -1;
    }
    return 0;
}

int corpus_setup(void **state)
{
    static const char archive[] = PS_TEST_DIR "/data/pgcorpus.tar.xz";
    struct corpus *c = calloc(1, sizeof(*c));

    if (!c || make_folder(c) != 0) {
        perror("a temporary folder for the corpus");
        free(c);
        return -1;
    }
    *state = c;
    if (unpack(archive, c->tmp) != 0) {
        fprintf(stderr, "cannot unpack %s\n", archive);
        corpus_teardown(state);
        return -1;
    }
    return 0;
}

int corpus_teardown(void **state)
{
    struct corpus *c = *state;
    char went_well = 0;
    ssize_t got;

    if (!c)
        return 0; /* the setup failed */
    *state = NULL;
    close(c->remove_when_closed);
    do
        got = read(c->removed, &went_well, 1);
    while (got < 0 && errno == EINTR);
    close(c->removed);
    free(c);
    return got == 1 && went_well ? 0 : -1;
}

const char *corpus_path(const struct corpus *c, const char *name, char buf[600])
{
    snprintf(buf, 600, "%s/%s", c->dir, name);
    return buf;
}
