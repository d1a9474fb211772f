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

/* A process that removes the folder once the write end of its pipe is closed: by the teardown,
 * or by the kernel when the test program dies without one. */
static int start_remover(struct corpus *c)
{
    char byte;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    c->remover = fork();
    if (c->remover == 0) {
        close(ends[1]);
        while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
            continue;
        _exit(nftw(c->tmp, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 1);
    }
    close(ends[0]);
    c->remove_when_closed = ends[1];
    return c->remover > 0 ? 0 : -1;
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
    pid_t remover;
    int status = -1;

    if (!c)
        return 0; /* the setup failed */
    *state = NULL;
    remover = c->remover;
    close(c->remove_when_closed);
    free(c);
    return waitpid(remover, &status, 0) == remover && status == 0 ? 0 : -1;
}

const char *corpus_path(const struct corpus *c, const char *name, char buf[600])
{
    snprintf(buf, 600, "%s/%s", c->dir, name);
    return buf;
}
