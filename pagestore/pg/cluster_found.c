/*
 * cluster_found.c - from names of files to files: a relation's fork is one, whatever its segments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg/cluster_internal.h"

ps_err ps_cluster_finds_add(struct ps_cluster_finds *f, const struct ps_cluster_found *found)
{
    struct ps_cluster_found *bigger;
    uint32_t cap = f->cap ? 2 * f->cap : 256;

    if (f->count == f->cap) {
        bigger = realloc(f->found, cap * sizeof(*bigger));
        if (!bigger)
            return ps_fail(PS_ERR_NOMEM, "no memory for the names of %u files", cap);
        f->found = bigger;
        f->cap = cap;
    }
    f->found[f->count++] = *found;
    return PS_OK;
}

void ps_cluster_finds_deinit(struct ps_cluster_finds *f)
{
    ps_cluster_texts_deinit(&f->folders);
    free(f->found);
}

static int compare_finds(const void *a, const void *b)
{
    const struct ps_cluster_found *x = a, *y = b;
    int by = ps_cluster_compare_files(&x->file, &y->file);

    return by ? by : (x->segment > y->segment) - (x->segment < y->segment);
}

/* The file's path without segment. */
static void path_of(const struct ps_cluster_finds *f, const struct ps_cluster_found *found,
                    char path[PS_CLUSTER_PATH_MAX])
{
    char name[PS_PG_FILE_NAME_MAX];

    ps_pg_file_name(&found->file, name);
    (void)snprintf(path, PS_CLUSTER_PATH_MAX, "%s/%s", f->folders.text[found->folder], name);
}

/* How many of the finds, which are of one file, are segments without a gap. */
static uint32_t run_len(const struct ps_cluster_found *found, uint32_t count)
{
    uint32_t n = 0;

    while (n < count && found[n].segment == n)
        n++;
    return n;
}

static ps_err add_file(struct ps_pg_cluster *c, const struct ps_cluster_found *found,
                       const char *path, uint32_t segments)
{
    struct ps_pg_file *file = &c->files[c->file_count];

    *file = found->file;
    file->id = c->file_count + 1;
    file->path = strdup(path);
    if (!file->path)
        return ps_fail(PS_ERR_NOMEM, "no memory for the names of files");
    c->segments[c->file_count++] = segments;
    return PS_OK;
}

/* A folder, a link, a pipe, what may not be read: the relation is there as one without its file. */
static bool can_be_opened(struct ps_pg_cluster *c, const struct ps_cluster_found *found,
                          const char *path)
{
    uint64_t len;

    if (ps_cluster_file_len(c, found->file.root, path, &len) == PS_OK)
        return true;
    ps_pg_note(c, "%s; taken as missing", ps_message());
    return false;
}

/* The finds are of one file. */
static ps_err settle_file(struct ps_pg_cluster *c, const struct ps_cluster_finds *f,
                          const struct ps_cluster_found *found, uint32_t count)
{
    const uint32_t whole = run_len(found, count);
    char path[PS_CLUSTER_PATH_MAX];

    path_of(f, found, path);
    if (whole == 0) {
        ps_pg_note(c, "%s: missing, though %u of its segments are there, from .%u on", path, count,
                   found[0].segment);
        return PS_OK;
    }
    if (whole < count)
        ps_pg_note(c, "%s: segment .%u is missing; %u later ones are no part of the relation", path,
                   whole, count - whole);
    return can_be_opened(c, found, path) ? add_file(c, found, path, whole) : PS_OK;
}

ps_err ps_cluster_finds_settle(struct ps_pg_cluster *c, struct ps_cluster_finds *f)
{
    uint32_t i, n;
    ps_err err = PS_OK;

    if (f->count > PS_FOREIGN_ID_MAX / 2)
        return ps_fail(PS_ERR_RANGE, "%u files are more than can be shown", f->count);
    c->files = malloc((f->count + 1) * sizeof(*c->files));
    c->segments = malloc((f->count + 1) * sizeof(*c->segments));
    if (!c->files || !c->segments)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u files", f->count);
    if (f->count > 0)
        qsort(f->found, f->count, sizeof(*f->found), compare_finds);
    for (i = 0; i < f->count && !err; i += n) {
        for (n = 1; i + n < f->count &&
                    ps_cluster_compare_files(&f->found[i].file, &f->found[i + n].file) == 0;
             n++)
            continue;
        err = settle_file(c, f, &f->found[i], n);
    }
    return err;
}
