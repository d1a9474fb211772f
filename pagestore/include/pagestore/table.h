/*
 * table.h - tables, their pages, and their bytes.
 *
 * A table's pages can be addressed one by one or as bytes of one of two spaces: the image (page n
 * at n * page_size, headers and all) and, of raw native tables, the payload (what is behind the
 * headers laid end to end; of any length).
 *
 * Flow       programs, fs, tools -> [table] -> pool, log
 * Units      page numbers are 32 bits and count from 0; offsets and lengths are bytes of a space.
 * Ownership  lookup and get give a reference that ps_table_unref takes back. A dropped table
 *            stays as an object until its last reference goes; its calls give PS_ERR_NOENT.
 * Locking    thread safe. Reads and writes of the same bytes are atomic to each other page by
 *            page, a write's pages change in one step.
 * Errors     PS_ERR_READONLY: the catalog, or a store that is read-only. PS_ERR_CORRUPT: a page
 *            that is not what was written last; counted and traced. PS_ERR_INTERRUPTED.
 * Promise    one write is atomic across a crash, however many pages it covers.
 */
#ifndef PAGESTORE_TABLE_H
#define PAGESTORE_TABLE_H

#include <sys/uio.h>

#include "pagestore/peek.h"
#include "pagestore/pagestore.h"
#include "pagestore/slotted.h"

#define PS_TABLE_NAME_MAX 255u
#define PS_CATALOG_ID 1u
#define PS_CATALOG_NAME "pagestore_catalog"

struct ps_table;
struct ps_page;

struct ps_table_info {
    uint32_t id;
    char name[PS_TABLE_NAME_MAX + 1];
    enum ps_format_id format;
    enum ps_page_type type; /* RAW or SLOTTED */
    uint64_t pages_end;     /* highest allocated page + 1 */
    uint64_t pages_allocated;
    uint64_t pages_used;  /* written at least once */
    uint64_t payload_len; /* raw native tables, else 0 */
    uint64_t mtime_us;    /* of the last change, of the table's files if none since open */
    uint64_t ctime_us;    /* when it was made, or renamed last */
    uint64_t bytes_on_disk;
    uint32_t mode, uid, gid; /* of the page file */
};

/* name: 1 to 255 bytes, no '/', no leading '.'. PS_ERR_INVAL, PS_ERR_RANGE (too long),
 * PS_ERR_EXIST. ret may be NULL. Durable when it returns. */
PS_MUST_USE ps_err ps_table_create(struct ps_store *store, const char *name,
                                   enum ps_format_id format, enum ps_page_type type,
                                   struct ps_table **ret);
/* PS_ERR_NOTEMPTY: it has pages and `even_with_pages` is not set. */
PS_MUST_USE ps_err ps_table_drop(struct ps_store *store, const char *name, bool even_with_pages);
/* PS_ERR_EXIST: there is a table `to`. */
PS_MUST_USE ps_err ps_table_rename(struct ps_store *store, const char *from, const char *to);

PS_MUST_USE ps_err ps_table_lookup(struct ps_store *store, const char *name, struct ps_table **ret);
PS_MUST_USE ps_err ps_table_get(struct ps_store *store, uint32_t id, struct ps_table **ret);
void ps_table_unref(struct ps_table *table);
/* Tables by ascending id, from the first with id >= from. PS_ERR_NOENT at the end. */
PS_MUST_USE ps_err ps_table_next(struct ps_store *store, uint32_t from, struct ps_table **ret);
uint32_t ps_table_count(struct ps_store *store);

uint32_t ps_table_id(const struct ps_table *table);
/* As it is now, whatever became of the table's files. False: the table was dropped. */
bool ps_table_name(struct ps_table *table, char name[PS_TABLE_NAME_MAX + 1]);
struct ps_store *ps_table_store(struct ps_table *table);
PS_MUST_USE ps_err ps_table_info(struct ps_table *table, struct ps_table_info *ret);
void ps_table_stats(struct ps_table *table, ps_stat_fn each, void *ctx);

/* --- pages -------------------------------------------------------------------------------- */

struct ps_page_info {
    uint32_t page_no;
    bool used;         /* false: allocated and never written */
    uint64_t mtime_us; /* of its last change */
    uint64_t lsn;
};

/* PS_ERR_NOENT: not allocated. */
PS_MUST_USE ps_err ps_page_stat(struct ps_table *table, uint32_t page_no, struct ps_page_info *ret);
/* Up to max allocated pages from page number `from` on; *ret_count is 0 at the end. */
PS_MUST_USE ps_err ps_page_list(struct ps_table *table, uint64_t from, struct ps_page_info *ret,
                                uint32_t max, uint32_t *ret_count);
/* PS_ERR_EXIST: it is allocated already. */
PS_MUST_USE ps_err ps_page_create(struct ps_table *table, uint32_t page_no,
                                  struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_page_free(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel);

/* What the extended attributes show. Reads the page in. */
struct ps_page_meta {
    uint64_t lsn, page_id;
    uint32_t checksum; /* as it is, or would be, on disk */
    bool checksum_ok, checksum_none;
    bool dirty;
    uint32_t pins;
    enum ps_page_type type;
};
PS_MUST_USE ps_err ps_page_meta(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                                struct ps_page_meta *ret);

/* A sealed copy of one page, for whoever shows it as something else. Damaged pages are given too,
 * as they lie on disk: the bytes are there and the return value is PS_ERR_CORRUPT. */
PS_MUST_USE ps_err ps_page_copy(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                                void *buf);

/* The page as text (struct ps_format's describe), with what the allocation map knows. */
PS_MUST_USE ps_err ps_page_text(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                                FILE *out);

/* --- heat --------------------------------------------------------------------------------- */

/*
 * Where a table is accessed, and what of it is in the pool, for people to see. The table is cut
 * into cells of equally many pages, a power of two: one as long as PS_HEAT_CELLS_MAX pages are
 * enough. Accesses of resident pages are counted in their frames (pool.h), those of others by cell,
 * so that a table takes 16 KiB at most, from its first evicted page on. All are halved every five
 * minutes.
 */
#define PS_HEAT_CELLS_MAX 4096u

struct ps_heat_cell {
    uint64_t accesses; /* not long ago */
    uint32_t pages;    /* that the cell stands for; less than cell_pages in the last one */
    uint32_t allocated, resident, dirty;
    uint32_t corrupt; /* found damaged since the store was opened, and not repaired since; the
                         last PS_DAMAGED_MAX that were found */
};
#define PS_DAMAGED_MAX 64u

struct ps_heat {
    uint64_t pages_end; /* the cells stand for the pages below */
    uint64_t cell_pages;
    uint32_t cell_count;
    struct ps_heat_cell total;
    struct ps_heat_cell cells[PS_HEAT_CELLS_MAX];
};

/* The cells of a table that ends there, with nothing in them yet. */
void ps_heat_shape(uint64_t pages_end, struct ps_heat *ret);

/* Not of one moment: pages may come and go meanwhile. Costs a walk over the pool's frames, and one
 * down the allocation map for each run of pages in one state; holds the table's lock for a part of
 * these at a time. */
PS_MUST_USE ps_err ps_table_heat(struct ps_table *table, struct ps_cancel *cancel,
                                 struct ps_heat *ret);

/* --- bytes -------------------------------------------------------------------------------- */

enum ps_space { PS_SPACE_IMAGE, PS_SPACE_PAYLOAD };

/* Length of the space in bytes. PS_ERR_WRONG_TYPE: payload of a table that has none. */
PS_MUST_USE ps_err ps_space_len(struct ps_table *table, enum ps_space space, uint64_t *ret);

enum ps_read_flags {
    PS_READ_PAGE = 1,  /* image, within one page that must be allocated: PS_ERR_NOENT if not */
    PS_READ_WHOLE = 2, /* a damaged page is an error also where others come before it */
};

/*
 * A read in two steps, so that a reply can go out straight from the frames: begin pins and
 * latches, end pays back. iov names what was asked for, len bytes of it: less at the end of the
 * space, or before a damaged page (which is an error only when it comes first).
 * Holes are zeros. Between begin and end the thread does nothing but send the bytes.
 */
struct ps_read {
    struct iovec *iov;
    int iov_count;
    size_t len;
    /* private */
    struct ps_table *table;
    struct ps_page **pages;
    uint32_t page_count, latched, reserved;
    void *bounce;
    void *memory;
    struct iovec inline_iov[4];
    struct ps_page *inline_pages[4];
};
/* Longest single read: of more, only so much is there. 1 MiB, less in small pools of large
 * pages. */
size_t ps_read_max(const struct ps_store *store);
PS_MUST_USE ps_err ps_read_begin(struct ps_table *table, enum ps_space space, uint64_t off,
                                 size_t len, unsigned flags, struct ps_cancel *cancel,
                                 struct ps_read *r);
void ps_read_end(struct ps_read *r);
/* Both, into a buffer. */
PS_MUST_USE ps_err ps_read(struct ps_table *table, enum ps_space space, uint64_t off, void *buf,
                           size_t len, struct ps_cancel *cancel, size_t *ret_len);

enum ps_write_flags {
    PS_WRITE_PAGE = 1,    /* image, within one page that must be allocated: PS_ERR_NOENT if not,
                             PS_ERR_RANGE if the write passes the page's end */
    PS_WRITE_DURABLE = 2, /* the log is flushed before it returns */
    PS_WRITE_APPEND = 4,  /* at the end of the space; off is ignored */
};
/* Longest single write: more is PS_ERR_RANGE. 1 MiB, less with small log segments. */
size_t ps_write_max(const struct ps_store *store);
/* Pages that are not allocated are; those between the old end and off become virgin (payload) or
 * stay free (image). LSN, checksum and identity fields are the store's: what is written there is
 * stamped over. */
PS_MUST_USE ps_err ps_write(struct ps_table *table, enum ps_space space, uint64_t off,
                            const void *buf, size_t len, unsigned flags, struct ps_cancel *cancel);

/* image: a multiple of the page size (else PS_ERR_INVAL). Growing allocates, shrinking frees. */
PS_MUST_USE ps_err ps_truncate(struct ps_table *table, enum ps_space space, uint64_t len,
                               struct ps_cancel *cancel);
/* Allocates what is not allocated in the range; grows the space unless keep_size. Space on
 * disk is taken, so that later writes cannot fail for want of it. */
PS_MUST_USE ps_err ps_allocate(struct ps_table *table, enum ps_space space, uint64_t off,
                               uint64_t len, bool keep_size, struct ps_cancel *cancel);
/* The range reads as zeros after; whole pages in it are freed (image) or become virgin (payload),
 * and their space on disk is given back. */
PS_MUST_USE ps_err ps_punch(struct ps_table *table, enum ps_space space, uint64_t off, uint64_t len,
                            struct ps_cancel *cancel);
/* The next byte >= off that is data, or hole. PS_ERR_NOENT: none (for data), off past the end. */
PS_MUST_USE ps_err ps_seek(struct ps_table *table, enum ps_space space, uint64_t off, bool data,
                           uint64_t *ret);

/* --- items of slotted tables -------------------------------------------------------------- */

/* All or none, atomic while they fit one write (ps_write_max), in order. An empty raw table
 * becomes slotted. PS_ERR_WRONG_TYPE, PS_ERR_RANGE (longer than a page takes). */
PS_MUST_USE ps_err ps_items_append(struct ps_table *table, const struct ps_item *items,
                                   uint32_t count, unsigned flags, struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_item_insert(struct ps_table *table, const void *data, uint32_t len,
                                  uint32_t *ret_page, uint32_t *ret_slot, struct ps_cancel *cancel);
/* Copies up to buf_len bytes; *ret_len is the item's length. */
PS_MUST_USE ps_err ps_item_get(struct ps_table *table, uint32_t page_no, uint32_t slot, void *buf,
                               uint32_t buf_len, uint32_t *ret_len, struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_item_delete(struct ps_table *table, uint32_t page_no, uint32_t slot,
                                  struct ps_cancel *cancel);

/* --- pins --------------------------------------------------------------------------------- */

/* A pin of the caller's own, for as long as it likes; its bytes are ps_page_bytes. Latch shared to
 * read. Change pages through ps_write, ps_txn_write or the item calls only. PS_ERR_PINNED: such
 * pins hold all of the pool, or all but one frame and the page is not resident.
 *
 * This, and pin.h, is what users of the library have of the pool: pool/pool.h is its inside, and
 * its short pins need reservations and rules of order that only the store keeps. Pins left when
 * the store is closed are told to its message callback ("pin leak: page 5 of table 2: pinned at
 * foo.c:123, 1 pin"); the place is known where library and caller are compiled with
 * PS_DEBUG_PINS. */
PS_MUST_USE ps_err ps_pin(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                          struct ps_page **ret);
void ps_unpin(struct ps_table *table, struct ps_page *page);
void ps_latch_shared(struct ps_table *table, struct ps_page *page); /* sealed: checksum verifies */
void ps_unlatch(struct ps_table *table, struct ps_page *page);
const uint8_t *ps_page_bytes(const struct ps_page *page);

/* An optimistic read (peek.h). False: pin the page instead. */
bool ps_peek(struct ps_table *table, uint32_t page_no, struct ps_peek *ret);

/* Notes who made a pin, if it was made; returns err. */
PS_MUST_USE ps_err ps_pin_noted(struct ps_table *table, ps_err err, struct ps_page *const *page,
                                const char *file, int line);
#ifdef PS_DEBUG_PINS
#define ps_pin(table, page_no, cancel, ret) \
    ps_pin_noted(table, (ps_pin)(table, page_no, cancel, ret), ret, __FILE__, __LINE__)
#endif

#endif
