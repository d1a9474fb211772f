/*
 * segments.h - pages that go on from file to file: PATH, PATH.1, PATH.2, ... as PostgreSQL's
 * relations do. To be read only.
 *
 * A file that has fewer pages than a full one ends it all, whatever files come behind. Only whole
 * pages count.
 *
 * Flow       store (tables of others) -> [segments] -> file
 * Units      page numbers count from 0 over all the files; a segment's number is that in its name,
 *            0 for PATH.
 * Ownership  init and deinit; the path is copied. A file, once it was read from, is kept, but not
 *            its descriptor (open_files.h); to be measured only PATH itself is opened.
 * Locking    thread safe. mtx is held while files are measured, and opened for the first time.
 * Errors     those of io.h. PS_ERR_NOENT: there is no PATH.
 * Promise    no byte of any segment is changed.
 * Source     src/backend/storage/smgr/md.c, mdnblocks().
 */
#ifndef PS_FILE_SEGMENTS_H
#define PS_FILE_SEGMENTS_H

#include "file/file.h"

struct ps_segments_info {
    uint64_t pages;
    uint64_t tail;         /* bytes behind the pages of the first file that has such */
    uint32_t tail_segment; /* which one that is */
    uint64_t stamp;        /* another one once a file has changed: of lengths and times */
    struct ps_io_stat st;  /* of PATH; size, spent and mtime_us of all */
};

struct ps_segments {
    struct ps_open_files *open_files;
    struct ps_io *io;
    struct ps_poison *poison;
    char *path;
    uint32_t page_size;
    uint32_t segment_pages;       /* of a full file; 0: there is only PATH, of any length */
    struct ps_mutex mtx;          /* rank TABLE_OPEN */
    struct ps_pagefile **files;   /* guarded by mtx: by segment; NULL: it was not opened yet */
    uint32_t file_cap;            /* guarded by mtx */
    bool constant;                /* set after init: nobody changes the files; measured once */
    bool measured;                /* guarded by mtx: info is what there is */
    struct ps_segments_info info; /* guarded by mtx */
};

/* io: the root that path is below. open_files may be another root's. */
PS_MUST_USE ps_err ps_segments_init(struct ps_segments *s, struct ps_open_files *open_files,
                                    struct ps_io *io, const char *path, uint32_t page_size,
                                    uint32_t segment_pages, struct ps_poison *poison);
void ps_segments_deinit(struct ps_segments *s);

/* Measures the files anew, unless they are constant: a stat of each, by its name if it is not
 * open. */
PS_MUST_USE ps_err ps_segments_measure(struct ps_segments *s, struct ps_segments_info *ret);

/* Is a page that was there when it was measured last there now? Costs one call. */
PS_MUST_USE ps_err ps_segments_holds(struct ps_segments *s, uint64_t page_no, bool *ret);

/* The first page of [page_no, end) that may be anything but zeros, or end: what lies before it are
 * holes of the files. page_no itself where a file does not tell: to read the page says why; or
 * where constant files spend as many bytes on the disk as they have. end is not beyond what was
 * measured. */
uint64_t ps_segments_next_data(struct ps_segments *s, uint64_t page_no, uint64_t end);

/* As ps_pagefile_will_read(). */
void ps_segments_will_read(struct ps_segments *s, uint64_t first, uint64_t count);

/* As ps_pagefile_read(); of pages that were there when it was measured last. */
ps_err ps_segments_read(struct ps_segments *s, struct ps_pagefile_page *pages, size_t count);

/* PATH.N as it is on disk, of a segment or of the one that has a page. */
void ps_segments_path(const struct ps_segments *s, uint32_t segment, char *buf, size_t len);
uint32_t ps_segments_of(const struct ps_segments *s, uint64_t page_no);

#endif
