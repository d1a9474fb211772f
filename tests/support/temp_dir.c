/*
 * temp_dir.c - mkdtemp, and rm -r.
 */
#include "temp_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define OPEN_FOLDERS_MAX 16

void temp_dir_make(char path[TEMP_DIR_LEN])
{
    const char *parent = getenv("TMPDIR");

    snprintf(path, TEMP_DIR_LEN, "%s/pagefs-test-XXXXXX", parent && *parent ? parent : "/tmp");
    if (!mkdtemp(path)) {
        perror(path);
        abort();
    }
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void temp_dir_remove(const char *path)
{
    if (nftw(path, remove_entry, OPEN_FOLDERS_MAX, FTW_DEPTH | FTW_PHYS) != 0)
        perror(path);
}
