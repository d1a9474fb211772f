/*
 * demo_state.c - the frames of the last workload, kept as text in the form of the file `frames` of
 * a mount: a line of column names, then a line a frame.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "demo.h"

#define COLUMNS_MAX 16

int demo_state_path(char path[PATH_MAX])
{
    const char *base = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int len;

    if (base && base[0] == '/')
        len = snprintf(path, PATH_MAX, "%s/pagefs/demo-frames", base);
    else if (home && home[0] == '/')
        len = snprintf(path, PATH_MAX, "%s/.local/state/pagefs/demo-frames", home);
    else
        return demo_error(
            "neither XDG_STATE_HOME nor HOME says where frames are kept: use --state");
    if (len < 0 || len >= PATH_MAX)
        return demo_error("the name of the file for frames is too long: use --state");
    return DEMO_OK;
}

/* Makes the folders above a file, as far as they are missing. */
static void make_folders(const char *path)
{
    char folder[PATH_MAX];
    char *slash;

    (void)snprintf(folder, sizeof(folder), "%s", path);
    for (slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(folder, 0700); /* what is wrong shows when the file is made */
        *slash = '/';
    }
}

static void write_frames(FILE *file, struct ps_pool *pool)
{
    struct ps_frame_info f;
    uint32_t i;

    (void)fputs("frame table page pin dirty usage lsn fork\n", file);
    for (i = 0; i < ps_pool_frames(pool); i++) {
        ps_pool_frame_info(pool, i, &f);
        if (f.valid)
            (void)fprintf(file, "%u %u %u %u %d %u %llu %s\n", i, f.tag.table, f.tag.page, f.pins,
                          f.dirty, f.usage, (unsigned long long)f.lsn,
                          f.tag.fork == PS_FORK_MAP ? "map" : "data");
        else
            (void)fprintf(file, "%u - - - - - - -\n", i);
    }
}

/* A new list takes the old one's name: nothing else may lose its name by that. */
static bool may_replace(const char *path)
{
    struct stat st;

    return lstat(path, &st) != 0 || S_ISREG(st.st_mode);
}

static int save_as(const char *path, struct ps_pool *pool)
{
    char part[PATH_MAX + 8];
    bool failed;
    FILE *file;

    if (!may_replace(path))
        return demo_error("frames are not kept: %s: not a regular file", path);
    (void)snprintf(part, sizeof(part), "%s.new", path);
    file = fopen(part, "we");
    if (!file)
        return demo_error("frames are not kept: %s: %s", part, strerror(errno));
    write_frames(file, pool);
    failed = ferror(file) != 0;
    failed |= fclose(file) != 0;
    if (!failed && rename(part, path) == 0)
        return DEMO_OK;
    (void)demo_error("frames are not kept: %s: %s", path, strerror(errno));
    (void)unlink(part);
    return DEMO_FAILED;
}

/* If no place was asked for and the usual one is not available, a warning will do. */
int demo_state_save(const struct demo_config *config, struct ps_pool *pool)
{
    char path[PATH_MAX];

    if (config->state)
        return save_as(config->state, pool);
    if (demo_state_path(path) == DEMO_OK) {
        make_folders(path);
        (void)save_as(path, pool);
    }
    return DEMO_OK;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Cuts a line into words; returns how many. */
static int split(char *line, char *words[COLUMNS_MAX])
{
    char *rest = NULL;
    char *word = strtok_r(line, " \n", &rest);
    int count = 0;

    for (; word && count < COLUMNS_MAX; word = strtok_r(NULL, " \n", &rest))
        words[count++] = word;
    return count;
}

/* The word below a title; "-" where there is none. */
static void take(char ret[24], const char *title, char *titles[], char *words[], int count)
{
    int i;

    for (i = 0; i < count && strcmp(titles[i], title) != 0; i++)
        ;
    (void)snprintf(ret, 24, "%s", i < count ? words[i] : "-");
}

static void take_all(struct demo_frame *ret, char *titles[], char *words[], int count)
{
    take(ret->page, "page", titles, words, count);
    take(ret->pin, "pin", titles, words, count);
    take(ret->dirty, "dirty", titles, words, count);
    take(ret->usage, "usage", titles, words, count);
    take(ret->table, "table", titles, words, count);
    take(ret->fork, "fork", titles, words, count);
    take(ret->lsn, "lsn", titles, words, count);
}

static int find_in(const char *path, FILE *file, uint32_t frame, struct demo_frame *ret)
{
    char first[512], line[512];
    char *titles[COLUMNS_MAX], *words[COLUMNS_MAX];
    int title_count, count;
    uint32_t frames = 0;

    if (!fgets(first, sizeof(first), file) || strncmp(first, "frame ", 6) != 0)
        return demo_error("%s: not a list of frames", path);
    title_count = split(first, titles);
    for (; fgets(line, sizeof(line), file); frames++) {
        count = split(line, words);
        if (count != title_count)
            return demo_error("%s: line %u is not that of a frame", path, frames + 2);
        if (strtoul(words[0], NULL, 10) != frame)
            continue;
        take_all(ret, titles, words, count);
        return DEMO_OK;
    }
    if (ferror(file))
        return demo_error("%s: %s", path, strerror(errno));
    return demo_error("there is no frame %u: %s has %u", frame, path, frames);
}

int demo_frame_find(const char *path, const char *hint, uint32_t frame, struct demo_frame *ret)
{
    FILE *file = fopen(path, "re");
    int status;

    if (!file)
        return demo_error("%s: %s%s", path, strerror(errno), hint);
    status = find_in(path, file, frame, ret);
    (void)fclose(file);
    return status;
}
