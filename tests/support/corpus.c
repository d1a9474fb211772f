#include "corpus.h"

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

int corpus_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    struct corpus *c = calloc(1, sizeof(*c));

    if (!c)
        return -1;
    *state = c;
    snprintf(c->tmp, sizeof(c->tmp), "%s/pgcorpus.XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(c->tmp)) {
        perror(c->tmp);
        free(c);
        return -1;
    }
    snprintf(c->dir, sizeof(c->dir), "%s/pgcorpus", c->tmp);
    if (unpack(PS_TEST_DIR "/data/pgcorpus.tar.xz", c->tmp) != 0) {
        fprintf(stderr, "cannot unpack " PS_TEST_DIR "/data/pgcorpus.tar.xz\n");
        corpus_teardown(state);
        return -1;
    }
    return 0;
}

int corpus_teardown(void **state)
{
    struct corpus *c = *state;
    int rc = nftw(c->tmp, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    free(c);
    return rc;
}

const char *corpus_path(const struct corpus *c, const char *name, char buf[600])
{
    snprintf(buf, 600, "%s/%s", c->dir, name);
    return buf;
}
