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
 * Locking    thread safe. A read sees each page either before a write or after it, never in
 *            between; all pages of one write change in one step.
 * Errors     PS_ERR_READONLY: the catalog, or a store that is read-only. PS_ERR_CORRUPT: a page
 *            that is not what was last written; counted and traced. PS_ERR_INTERRUPTED.
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
    uint64_t mtime_us;    /* of the last change; of the table's files if none since open */
    uint64_t ctime_us;    /* when it was created, or last renamed */
    uint64_t bytes_on_disk;
    uint32_t mode, uid, gid; /* of the page file */
};

/* name: 1 to 255 bytes, no '/', no leading '.'. ret may be NULL. The table is durable when this
 * returns. PS_ERR_INVAL, PS_ERR_RANGE (too long), PS_ERR_EXIST. */
PS_MUST_USE ps_err ps_table_create(struct ps_store *store, const char *name,
                                   enum ps_format_id format, enum ps_page_type type,
                                   struct ps_table **ret);
/* PS_ERR_NOTEMPTY: the table has pages and `even_with_pages` is not set. */
PS_MUST_USE ps_err ps_table_drop(struct ps_store *store, const char *name, bool even_with_pages);
/* PS_ERR_EXIST: there is already a table `to`. */
PS_MUST_USE ps_err ps_table_rename(struct ps_store *store, const char *from, const char *to);

PS_MUST_USE ps_err ps_table_lookup(struct ps_store *store, const char *name, struct ps_table **ret);
PS_MUST_USE ps_err ps_table_get(struct ps_store *store, uint32_t id, struct ps_table **ret);
void ps_table_unref(struct ps_table *table);
/* Tables by ascending id, from the first with id >= from. PS_ERR_NOENT at the end. */
PS_MUST_USE ps_err ps_table_next(struct ps_store *store, uint32_t from, struct ps_table **ret);
uint32_t ps_table_count(struct ps_store *store);

uint32_t ps_table_id(const struct ps_table *table);
/* Its current name, whatever the state of its files. False: the table was dropped. */
bool ps_table_name(struct ps_table *table, char name[PS_TABLE_NAME_MAX + 1]);
struct ps_store *ps_table_store(struct ps_table *table);
PS_MUST_USE ps_err ps_table_info(struct ps_table *table, struct ps_table_info *ret);
void ps_table_stats(struct ps_table *table, ps_stat_fn each, void *ctx);

/* --- pages -------------------------------------------------------------------------------- */

struct ps_page_info {
    uint32_t page_no;
    bool used;         /* false: allocated, but never written */
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

/* What the extended attributes show. Loads the page. */
struct ps_page_meta {
    uint64_t lsn, page_id;
    uint32_t checksum; /* as it is on disk, or would be if written now */
    bool checksum_ok, checksum_none;
    bool dirty;
    uint32_t pins;
    enum ps_page_type type;
};
PS_MUST_USE ps_err ps_page_meta(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                                struct ps_page_meta *ret);

/* A sealed copy of one page, for views that show it in another form. A damaged page is copied as it
 * lies on disk, and the call returns PS_ERR_CORRUPT. */
PS_MUST_USE ps_err ps_page_copy(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                                void *buf);

/* The page as text (struct ps_format's describe). A damaged one is shown, too, below a line that
 * says what is wrong with it. */
PS_MUST_USE ps_err ps_page_text(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                                FILE *out);

/* --- heat --------------------------------------------------------------------------------- */

/*
 * Where a table is accessed, and which of its pages are in the pool, for people to look at. The
 * table is cut into at most PS_HEAT_CELLS_MAX cells of equal size, a power of two of pages.
 * Accesses to resident pages are counted in their frames (pool.h), those to others by cell. That
 * takes memory from the first evicted page on: less than 8 bytes for each page up to the last one
 * evicted, but 32 at least and 16 KiB at most. All counts are halved every five minutes.
 */
#define PS_HEAT_CELLS_MAX 4096u

struct ps_heat_cell {
    uint64_t accesses; /* recent ones */
    uint32_t pages;    /* in the cell; fewer than cell_pages in the last one */
    uint32_t allocated, resident, dirty;
    uint32_t corrupt; /* found damaged since the store was opened and not repaired since: of the
                         PS_DAMAGED_MAX most recent finds */
};
#define PS_DAMAGED_MAX 64u

struct ps_heat {
    uint64_t pages_end; /* the cells cover the pages below this one */
    uint64_t cell_pages;
    uint32_t cell_count;
    struct ps_heat_cell total;
    struct ps_heat_cell cells[PS_HEAT_CELLS_MAX];
};

/* The cells of a table that ends at pages_end, all counts zero. */
void ps_heat_shape(uint64_t pages_end, struct ps_heat *ret);

/* Not a snapshot: pages may come and go meanwhile. Walks over the pool's frames, and down the
 * allocation map once for each run of pages in one state, holding the table's lock for only a part
 * of that at a time. */
PS_MUST_USE ps_err ps_table_heat(struct ps_table *table, struct ps_cancel *cancel,
                                 struct ps_heat *ret);

/* --- bytes -------------------------------------------------------------------------------- */

enum ps_space { PS_SPACE_IMAGE, PS_SPACE_PAYLOAD };

/* Length of the space in bytes. PS_ERR_WRONG_TYPE: payload of a table that has none. */
PS_MUST_USE ps_err ps_space_len(struct ps_table *table, enum ps_space space, uint64_t *ret);

enum ps_read_flags {
    PS_READ_PAGE = 1,  /* image, within one page that must be allocated: PS_ERR_NOENT if not */
    PS_READ_WHOLE = 2, /* a damaged page is an error even if sound ones precede it */
};

/*
 * A read in two steps, so that a reply can go out straight from the frames: begin pins and
 * latches, end unlatches and unpins. iov describes the bytes, len of them: fewer than were asked
 * for at the end of the space, or in front of a damaged page (which is an error only if it comes
 * first). Holes read as zeros. Between begin and end the thread does nothing but send the bytes.
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
/* Longest single read; a longer one is cut to this. 1 MiB, less where the pool is small and pages
 * are large. */
size_t ps_read_max(const struct ps_store *store);
PS_MUST_USE ps_err ps_read_begin(struct ps_table *table, enum ps_space space, uint64_t off,
                                 size_t len, unsigned flags, struct ps_cancel *cancel,
                                 struct ps_read *r);
void ps_read_end(struct ps_read *r);
/* Both steps, into a buffer. */
PS_MUST_USE ps_err ps_read(struct ps_table *table, enum ps_space space, uint64_t off, void *buf,
                           size_t len, struct ps_cancel *cancel, size_t *ret_len);

enum ps_write_flags {
    PS_WRITE_PAGE = 1,    /* image, within one page that must be allocated: PS_ERR_NOENT if not,
                             PS_ERR_RANGE if the write passes the page's end */
    PS_WRITE_DURABLE = 2, /* the log is flushed before it returns */
    PS_WRITE_APPEND = 4,  /* at the end of the space; off is ignored */
};
/* Longest single write; a longer one is PS_ERR_RANGE. 1 MiB, less with small log segments. */
size_t ps_write_max(const struct ps_store *store);
/* Allocates the pages it touches; those between the old end and off become virgin (payload) or stay
 * free (image). LSN, checksum and identity fields belong to the store: what is written there is
 * stamped over. */
PS_MUST_USE ps_err ps_write(struct ps_table *table, enum ps_space space, uint64_t off,
                            const void *buf, size_t len, unsigned flags, struct ps_cancel *cancel);

/* Of an image, len must be a multiple of the page size (PS_ERR_INVAL). Growing allocates pages,
 * shrinking frees them. A file that then cannot be shortened is no error: a message tells. */
PS_MUST_USE ps_err ps_truncate(struct ps_table *table, enum ps_space space, uint64_t len,
                               struct ps_cancel *cancel);
/* Allocates every page of the range that is not allocated; grows the space unless keep_size is set.
 * Takes the space on disk, so that later writes cannot run out of it. */
PS_MUST_USE ps_err ps_allocate(struct ps_table *table, enum ps_space space, uint64_t off,
                               uint64_t len, bool keep_size, struct ps_cancel *cancel);
/* Makes the range read as zeros: whole pages in it are freed (image) or become virgin (payload),
 * and give back their space on disk. */
PS_MUST_USE ps_err ps_punch(struct ps_table *table, enum ps_space space, uint64_t off, uint64_t len,
                            struct ps_cancel *cancel);
/* The first byte from off on that is data, or is in a hole. PS_ERR_NOENT: off is past the end, or
 * no data follows. */
PS_MUST_USE ps_err ps_seek(struct ps_table *table, enum ps_space space, uint64_t off, bool data,
                           uint64_t *ret);

/* --- items of slotted tables -------------------------------------------------------------- */

/* Appends the items in order: all or none, as long as they fit one write (ps_write_max). An empty
 * raw table becomes slotted. PS_ERR_WRONG_TYPE, PS_ERR_RANGE (longer than a page can hold). */
PS_MUST_USE ps_err ps_items_append(struct ps_table *table, const struct ps_item *items,
                                   uint32_t count, unsigned flags, struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_item_insert(struct ps_table *table, const void *data, uint32_t len,
                                  uint32_t *ret_page, uint32_t *ret_slot, struct ps_cancel *cancel);
/* Copies up to buf_len bytes of the item; *ret_len is its whole length. */
PS_MUST_USE ps_err ps_item_get(struct ps_table *table, uint32_t page_no, uint32_t slot, void *buf,
                               uint32_t buf_len, uint32_t *ret_len, struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_item_delete(struct ps_table *table, uint32_t page_no, uint32_t slot,
                                  struct ps_cancel *cancel);

/* --- pins --------------------------------------------------------------------------------- */

/* A pin that the caller keeps for as long as it likes. Latch shared to read ps_page_bytes; change
 * pages only through ps_write, ps_txn_write and the item calls. PS_ERR_PINNED: such pins hold the
 * whole pool, or all but one frame while the page is not resident.
 *
 * This and pin.h are all of the pool that users of the library see: pool/pool.h is internal, and
 * its short pins need reservations and an order that only the store keeps. Pins that are left when
 * the store is closed are reported to its message callback ("pin leak: page 5 of table 2: pinned at
 * foo.c:123, 1 pin"); the place is known if library and caller are compiled with PS_DEBUG_PINS. */
PS_MUST_USE ps_err ps_pin(struct ps_table *table, uint32_t page_no, struct ps_cancel *cancel,
                          struct ps_page **ret);
void ps_unpin(struct ps_table *table, struct ps_page *page);
void ps_latch_shared(struct ps_table *table, struct ps_page *page); /* sealed: checksum verifies */
void ps_unlatch(struct ps_table *table, struct ps_page *page);
const uint8_t *ps_page_bytes(const struct ps_page *page);

/* An optimistic read (peek.h). False: pin the page instead. */
bool ps_peek(struct ps_table *table, uint32_t page_no, struct ps_peek *ret);

/* Records where a pin was taken, unless err says that none was; returns err. */
PS_MUST_USE ps_err ps_pin_noted(struct ps_table *table, ps_err err, struct ps_page *const *page,
                                const char *file, int line);
#ifdef PS_DEBUG_PINS
#define ps_pin(table, page_no, cancel, ret) \
    ps_pin_noted(table, (ps_pin)(table, page_no, cancel, ret), ret, __FILE__, __LINE__)
#endif

#endif
