/*
 * segments.c - which file has a page, and where they end.
 */
#include "file/segments.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUFFIX_MAX 16u /* ".4294967295" */

ps_err ps_segments_init(struct ps_segments *s, struct ps_open_files *open_files, struct ps_io *io,
                        const char *path, uint32_t page_size, uint32_t segment_pages,
                        struct ps_poison *poison)
{
    *s = (struct ps_segments){
        .open_files = open_files,
        .io = io,
        .poison = poison,
        .path = strdup(path),
        .page_size = page_size,
        .segment_pages = segment_pages,
    };
    if (!s->path)
        return ps_fail(PS_ERR_NOMEM, "no memory for the path of %s", path);
    ps_mutex_init(&s->mtx, PS_RANK_TABLE_OPEN, "segments.mtx");
    return PS_OK;
}

void ps_segments_deinit(struct ps_segments *s)
{
    if (!s->path)
        return;
    for (uint32_t i = 0; i < s->file_cap; i++) {
        if (!s->files[i])
            continue;
        ps_pagefile_close(s->files[i]);
        free(s->files[i]);
    }
    free(s->files);
    ps_mutex_deinit(&s->mtx);
    free(s->path);
    s->path = NULL;
}

void ps_segments_path(const struct ps_segments *s, uint32_t segment, char *buf, size_t len)
{
    if (segment == 0)
        (void)snprintf(buf, len, "%s", s->path);
    else
        (void)snprintf(buf, len, "%s.%u", s->path, segment);
}

uint32_t ps_segments_of(const struct ps_segments *s, uint64_t page_no)
{
    return s->segment_pages ? (uint32_t)(page_no / s->segment_pages) : 0;
}

/* --- opening files as they are found ------------------------------------------------------ */

static ps_err make_room(struct ps_segments *s, uint32_t segment)
{
    const uint32_t cap = segment < 2 * s->file_cap ? 2 * s->file_cap : segment + 1;
    struct ps_pagefile **bigger;

    if (segment < s->file_cap)
        return PS_OK;
    bigger = realloc(s->files, cap * sizeof(*bigger));
    if (!bigger)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u segments of %s", cap, s->path);
    memset(bigger + s->file_cap, 0, (cap - s->file_cap) * sizeof(*bigger));
    s->files = bigger;
    s->file_cap = cap;
    return PS_OK;
}

/* PATH.N of the segment, in a string to be freed; NULL: there is no memory. */
static char *path_of(const struct ps_segments *s, uint32_t segment)
{
    const size_t len = strlen(s->path) + SUFFIX_MAX;
    char *path = malloc(len);

    if (path)
        ps_segments_path(s, segment, path, len);
    return path;
}

/* Opens the segment, for the first time. mtx is held. */
static ps_err open_segment(struct ps_segments *s, uint32_t segment)
{
    struct ps_pagefile *file = malloc(sizeof(*file));
    char *path = path_of(s, segment);
    ps_err err = make_room(s, segment);

    if (!err && (!file || !path))
        err = ps_fail(PS_ERR_NOMEM, "no memory to open %s", s->path);
    if (!err)
        err = ps_pagefile_open_in(file, s->open_files, s->io, path, s->page_size, PS_IO_RDONLY,
                                  s->poison);
    free(path);
    if (err) {
        free(file);
        return err;
    }
    s->files[segment] = file;
    return PS_OK;
}

static bool is_open(const struct ps_segments *s, uint32_t segment)
{
    return segment < s->file_cap && s->files[segment];
}

/* Pages that the file of length `size` counts for. */
static uint64_t pages_of(const struct ps_segments *s, uint64_t size)
{
    uint64_t pages = size / s->page_size;

    return s->segment_pages && pages > s->segment_pages ? s->segment_pages : pages;
}

static void add_file(const struct ps_segments *s, uint32_t segment, const struct ps_io_stat *st,
                     struct ps_segments_info *info)
{
    const uint64_t pages = pages_of(s, st->size);

    if (segment == 0) {
        info->st = *st;
    } else {
        info->st.size += st->size;
        info->st.spent += st->spent;
        if (info->st.mtime_us < st->mtime_us)
            info->st.mtime_us = st->mtime_us;
    }
    info->pages += pages;
    info->stamp = (info->stamp + st->mtime_us) * 0x9e3779b97f4a7c15ull + st->size;
    if (info->tail == 0 && st->size > pages * s->page_size) {
        info->tail = st->size - pages * s->page_size;
        info->tail_segment = segment;
    }
}

/* One that was opened is asked itself, as its pages come from it, others by name: opening a
 * thousand takes long. PATH is opened, so that one that cannot be read is found out at once. */
static ps_err stat_segment(struct ps_segments *s, uint32_t segment, struct ps_io_stat *ret)
{
    char *path;
    ps_err err = PS_OK;

    if (segment == 0 && !is_open(s, segment))
        err = open_segment(s, segment);
    if (err)
        return err;
    if (is_open(s, segment))
        return ps_pagefile_stat(s->files[segment], ret);
    path = path_of(s, segment);
    err = path ? s->io->ops->stat_path(s->io, path, ret)
               : ps_fail(PS_ERR_NOMEM, "no memory to look at %s", s->path);
    free(path);
    return err;
}

/* Of what has the segment's name now: another program may have removed the file that is open, and
 * made a new one. */
static ps_err stat_file(struct ps_segments *s, uint32_t segment, struct ps_io_stat *ret)
{
    ps_err err = stat_segment(s, segment, ret);

    if (!err && ret->unlinked && is_open(s, segment)) {
        ps_open_files_forget(s->open_files, s->files[segment]);
        err = ps_pagefile_stat(s->files[segment], ret);
    }
    if (!err && ret->unlinked) /* a request still reads it, or it goes just now */
        err = ps_fail(PS_ERR_NOENT, "%s: segment %u was removed", s->path, segment);
    return err;
}

/* mtx is held. */
static ps_err measure(struct ps_segments *s)
{
    struct ps_segments_info info = {0};
    struct ps_io_stat st;
    uint32_t i = 0;
    ps_err err;

    do {
        err = stat_file(s, i, &st);
        if (err)
            break;
        add_file(s, i++, &st, &info);
    } while (s->segment_pages && pages_of(s, st.size) == s->segment_pages);
    if (err && (err != PS_ERR_NOENT || i == 0))
        return err;
    s->info = info;
    s->measured = true;
    return PS_OK;
}

ps_err ps_segments_measure(struct ps_segments *s, struct ps_segments_info *ret)
{
    ps_err err = PS_OK;

    ps_mutex_lock(&s->mtx);
    if (!s->constant || !s->measured)
        err = measure(s);
    if (!err)
        *ret = s->info;
    ps_mutex_unlock(&s->mtx);
    return err;
}

/* --- reading ------------------------------------------------------------------------------ */

static ps_err file_of(struct ps_segments *s, uint32_t segment, struct ps_pagefile **ret)
{
    ps_err err;

    ps_mutex_lock(&s->mtx);
    err = is_open(s, segment) ? PS_OK : open_segment(s, segment);
    if (!err)
        *ret = s->files[segment];
    ps_mutex_unlock(&s->mtx);
    return err;
}

ps_err ps_segments_holds(struct ps_segments *s, uint64_t page_no, bool *ret)
{
    const uint32_t segment = ps_segments_of(s, page_no);
    const uint64_t within = page_no - (uint64_t)segment * s->segment_pages;
    struct ps_pagefile *file = NULL;
    struct ps_io_stat st;
    ps_err err = file_of(s, segment, &file);

    if (!err)
        err = ps_pagefile_stat(file, &st);
    *ret = !err && within < st.size / s->page_size;
    return err;
}

/* The same of the segment that the page lies in; the next one's first page: nothing up to there. */
static uint64_t next_data_in(struct ps_segments *s, uint64_t page_no)
{
    const uint32_t segment = ps_segments_of(s, page_no);
    const uint64_t first = (uint64_t)segment * s->segment_pages;
    const uint64_t pages = s->segment_pages ? s->segment_pages : UINT64_MAX;
    struct ps_pagefile *file = NULL;
    uint64_t next = 0;
    ps_err err = file_of(s, segment, &file);

    if (!err)
        err = ps_pagefile_next_data(file, page_no - first, &next);
    if (err || first + next < page_no) /* the file has become shorter */
        return page_no;
    return first + (next < pages ? next : pages);
}

/* Do all bytes of the files have their place on the disk? Then there are no holes worth asking for.
 * Only of files that nobody changes is that known without a call. */
static bool is_dense(struct ps_segments *s)
{
    bool dense;

    ps_mutex_lock(&s->mtx);
    dense = s->constant && s->measured && s->info.st.spent >= s->info.st.size;
    ps_mutex_unlock(&s->mtx);
    return dense;
}

uint64_t ps_segments_next_data(struct ps_segments *s, uint64_t page_no, uint64_t end)
{
    uint64_t at = page_no, next;

    assert(page_no <= end);
    if (is_dense(s))
        return page_no;
    for (; at < end; at = next) {
        next = next_data_in(s, at);
        /* Behind a full segment the next one goes on; anywhere else is where data is. */
        if (s->segment_pages == 0 || next == at || next % s->segment_pages != 0) {
            at = next;
            break;
        }
    }
    return at < end ? at : end;
}

void ps_segments_will_read(struct ps_segments *s, uint64_t first, uint64_t count)
{
    const uint64_t end = first + count;
    uint64_t next;

    for (uint64_t at = first; at < end; at = next) {
        const uint32_t segment = ps_segments_of(s, at);
        const uint64_t start = (uint64_t)segment * s->segment_pages;
        struct ps_pagefile *file;

        next = s->segment_pages && end - start > s->segment_pages ? start + s->segment_pages : end;
        if (file_of(s, segment, &file) == PS_OK)
            ps_pagefile_will_read(file, at - start, next - at);
    }
}

/* Reads pages of one segment, under their numbers in it. */
static ps_err read_segment(struct ps_segments *s, uint32_t segment, struct ps_pagefile_page *pages,
                           size_t count)
{
    const uint64_t first = (uint64_t)segment * s->segment_pages;
    struct ps_pagefile *file = NULL;
    size_t i;
    ps_err err = file_of(s, segment, &file);

    for (i = 0; err && i < count; i++)
        pages[i].err = err;
    if (err)
        return err;
    for (i = 0; i < count; i++)
        pages[i].page_no -= first;
    err = ps_pagefile_read(file, pages, count);
    for (i = 0; i < count; i++)
        pages[i].page_no += first;
    return err;
}

ps_err ps_segments_read(struct ps_segments *s, struct ps_pagefile_page *pages, size_t count)
{
    ps_err first = PS_OK;
    size_t i, n;

    for (i = 0; i < count; i += n) {
        const uint32_t segment = ps_segments_of(s, pages[i].page_no);
        ps_err err;

        for (n = 1; i + n < count && ps_segments_of(s, pages[i + n].page_no) == segment; n++)
            continue;
        err = read_segment(s, segment, &pages[i], n);
        if (!first)
            first = err;
    }
    return first;
}
