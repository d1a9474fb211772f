#include "corpus.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

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

int corpus_setup(void **state)
{
    static const char archive[] = PS_TEST_DIR "/data/pgcorpus.tar.xz";
    struct corpus *c = calloc(1, sizeof(*c));

    if (!c)
        return -1;
    temp_dir_make(c->tmp);
    snprintf(c->dir, sizeof(c->dir), "%s/pgcorpus", c->tmp);
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

    if (!c)
        return 0; /* the setup failed */
    *state = NULL;
    temp_dir_remove(c->tmp);
    free(c);
    return 0;
}

const char *corpus_path(const struct corpus *c, const char *name, char buf[600])
{
    snprintf(buf, 600, "%s/%s", c->dir, name);
    return buf;
}
