/*
 * wal_internal.h - what the files of the log share, and nobody else sees.
 *
 * Flow       wal_room.c (room) -> wal_append.c (records, blocks) -> the ring -> wal_flush.c
 *            (blocks to their files) -> wal_segment.c (the files) -> io; and back by wal_load.c
 *            (bytes) -> wal_read.c, wal_read_at.c (records). wal_record.c and wal_block.c know the
 *            bytes.
 * Units      positions and LSNs are log bytes; `pos` is where something begins, `lsn` where a
 *            record ends.
 * Ownership  the thread that has set `flushing` is the flusher, and what is marked as the flusher's
 *            is its own until it clears that again.
 * Locking    flush_mtx or seg_mtx, never both, then tail_mtx. The flusher writes while it holds
 *            none of them; segments are made while seg_mtx is held. Reserving room that is there,
 *            and appending to the open block, take none.
 * Errors     a write or sync that fails poisons the store; want of space, memory or descriptors for
 *            a segment does not.
 * Promise    an append never waits, nor lacks room, for what was reserved: see Room, below.
 *
 * The log's tail lives in a ring: position p is at ring[p % ring_len]. ring_len is a power of two,
 * as the segment size is, and not less than that; a block never crosses a segment, so none wraps.
 *
 *     written_pos         block_pos        tail
 *     |  closed blocks    | open block     |
 *     v                   v                v
 *     [hdr rec rec pad][hdr rec pad]  [hdr rec rec ...
 *
 * Everything below written_pos is in the segment files, durable up to synced_pos, and its ring
 * space is free. Blocks between written_pos and block_pos are closed: nothing is added to them, and
 * a flush writes them. Records go to the open block, at tail. Where the group does not fit in what
 * is left of the segment, the block is closed with the next segment as its successor, and what is
 * left stays unwritten: `used_end` remembers from where.
 *
 * Claims: an appender claims the bytes of its group in the open block by one compare-and-swap on
 * `tail`, and then copies it there beside others, holding nothing. What moves the tail by other
 * means - closing a block, a checkpoint - holds tail_mtx and freezes the tail first; who finds it
 * frozen, or the segment full, claims under tail_mtx. The tail only grows, so a claim also proves
 * that nothing that is stored while the tail is frozen, like redo_lsn, has changed since it was
 * read.
 *
 * Copies: a closed block is whole once all copies that were claimed before have ended. They are
 * counted in two rounds by turns: a flush that has closed a block begins the other round, and waits
 * until the last one's count is zero, then seals its blocks: counts their records and sums up their
 * checksums for the header. The round is a part of the tail's word, and who claims counts itself
 * before: so a claim below block_pos is in the count of the round that the flush waits for.
 *
 * Room: ps_wal_close_bound() is where tail would be if the open block were closed now. Always
 *     ps_wal_close_bound() + reserved <= written_pos + ring_len
 * for reservations that are granted, because each counts with ps_wal_group_cost(), which is no less
 * than what its append can add to the bound.
 */
#ifndef PS_WAL_INTERNAL_H
#define PS_WAL_INTERNAL_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "wal/wal.h"

/* --- bytes on disk (FORMAT.md section 5) -------------------------------------------------- */

#define WAL_BLOCK_MAGIC 0x314c5750u /* the bytes P W L 1 */

struct ps_block_hdr {
    ps_le32 magic;        /* 00-03 */
    ps_le32 crc;          /* 04-07 CRC-32C of bytes 08-63 */
    ps_le64 pos;          /* 08-15 its own position */
    ps_le64 next;         /* 16-23 position of the next block */
    ps_le64 durable_lsn;  /* 24-31 the log was durable up to here when this block was closed */
    ps_le64 prev_lsn;     /* 32-39 LSN of the last record before this block */
    ps_le64 store_tag;    /* 40-47 */
    ps_le32 incarnation;  /* 48-51 */
    ps_le32 payload_len;  /* 52-55 bytes of records */
    ps_le32 record_count; /* 56-59 */
    ps_le32 records_crc;  /* 60-63 CRC-32C of its records' crc fields, in order */
};
static_assert(sizeof(struct ps_block_hdr) == PS_WAL_BLOCK_HDR_LEN, "FORMAT.md section 5");
static_assert(offsetof(struct ps_block_hdr, records_crc) == 60, "FORMAT.md section 5");

struct ps_record_hdr {
    ps_le32 len;       /* 00-03 of the whole record */
    ps_le32 crc;       /* 04-07 CRC-32C of bytes 64 to the end, then 00-03, then 08-63 */
    ps_le64 pos;       /* 08-15 its own position */
    ps_le64 prev;      /* 16-23 LSN of the record before it */
    ps_le64 txn;       /* 24-31 */
    ps_le64 txn_prev;  /* 32-39 */
    ps_le64 undo_next; /* 40-47 */
    ps_le64 time_us;   /* 48-55 */
    uint8_t rm;        /* 56 */
    uint8_t type;      /* 57 */
    uint8_t flags;     /* 58 */
    uint8_t ref_count; /* 59 */
    ps_le32 body_len;  /* 60-63 */
};
#define WAL_RECORD_HDR_LEN 64u
#define WAL_RECORD_ALIGN 8u
static_assert(sizeof(struct ps_record_hdr) == WAL_RECORD_HDR_LEN, "FORMAT.md section 5");
static_assert(offsetof(struct ps_record_hdr, body_len) == 60, "FORMAT.md section 5");

struct ps_ref_hdr {
    ps_le32 table;      /* 00-03 */
    ps_le32 page;       /* 04-07 */
    ps_le16 fork;       /* 08-09 */
    ps_le16 flags;      /* 10-11 */
    ps_le32 off;        /* 12-15 */
    ps_le32 len;        /* 16-19 */
    ps_le32 after_len;  /* 20-23 */
    ps_le32 before_off; /* 24-27 */
    ps_le32 before_len; /* 28-31 */
};
#define WAL_REF_HDR_LEN 32u
static_assert(sizeof(struct ps_ref_hdr) == WAL_REF_HDR_LEN, "FORMAT.md section 5");
static_assert(sizeof(struct ps_checkpoint_body) == 16, "FORMAT.md section 5");
static_assert(sizeof(struct ps_checkpoint_txn) == 24, "FORMAT.md section 5");
static_assert(sizeof(struct ps_table_body) == 8, "FORMAT.md section 5");

/* --- blocks (wal_block.c) ----------------------------------------------------------------- */

/* A block header, decoded. */
struct ps_block {
    uint64_t pos;
    uint64_t next;
    uint64_t durable_lsn;
    uint64_t prev_lsn;
    uint64_t store_tag;
    uint32_t incarnation;
    uint32_t payload_len;
    uint32_t record_count;
    uint32_t records_crc;
};

static inline uint64_t ps_wal_align(uint64_t pos)
{
    return (pos + PS_IO_ALIGN - 1) & ~(uint64_t)(PS_IO_ALIGN - 1);
}

/* Where the first record of the block at block_pos goes: the tail, while the block is empty. */
static inline uint64_t ps_wal_first_pos(uint64_t block_pos)
{
    return block_pos + PS_WAL_BLOCK_HDR_LEN;
}

static inline uint64_t ps_wal_seg_no(uint32_t segment_size, uint64_t pos)
{
    return pos / segment_size;
}

static inline uint64_t ps_wal_seg_end(uint32_t segment_size, uint64_t pos)
{
    return (pos | (segment_size - 1)) + 1;
}

void ps_block_encode(const struct ps_block *b, uint8_t *buf);

/* buf holds the PS_WAL_BLOCK_HDR_LEN bytes at position pos. Checks the header alone: after PS_OK
 * its block lies within its segment and its next one is where it can be. Messages say what is
 * wrong, without place. */
PS_MUST_USE ps_err ps_block_decode(const uint8_t *buf, uint64_t pos, uint32_t segment_size,
                                   uint64_t store_tag, struct ps_block *ret);

/* Checks the records of a sound header; buf holds its payload. ret_last_lsn: of the last record,
 * or prev_lsn. *ret_bad_off on error: where in the block the first unsound record begins, or 0
 * where each is sound and the whole is not. */
PS_MUST_USE ps_err ps_block_verify(const struct ps_block *b, const uint8_t *buf,
                                   uint64_t *ret_last_lsn, uint64_t *ret_bad_off);

/* --- records (wal_record.c) --------------------------------------------------------------- */

/* The length that the record at buf claims; 0 if that is impossible: not aligned, shorter than a
 * header, or longer than avail. */
size_t ps_record_peek_len(const uint8_t *buf, size_t avail);
/* GROUP_END of a record that was verified before. */
bool ps_record_peek_group_end(const uint8_t *buf);
/* ps_record_decode() without the checksum, of a record that was verified before. */
PS_MUST_USE ps_err ps_record_parse(const uint8_t *buf, size_t avail, uint64_t pos,
                                   struct ps_record *ret);

/* --- the open log ------------------------------------------------------------------------- */

/* An open segment of the flusher. */
struct ps_wal_handle {
    uint64_t seg_no;
    struct ps_io_file *file; /* NULL: none */
};

struct ps_wal_counters {
    _Atomic uint64_t images, image_bytes;
    _Atomic uint64_t flushes, bytes_written, flush_waits, segments_made, segments_recycled;
    _Atomic uint64_t room_waits, buffer_waits, segment_waits;
};

#define PS_WAL_LINE 64 /* bytes of a cache line */

struct ps_wal {
    /* constant after open */
    struct ps_wal_options opts;
    struct ps_arena ring;
    uint64_t ring_len;
    uint64_t group_max;
    uint32_t span; /* segments that the ring's bytes can touch: entries of the arrays below */

    /* A cache line that every appender writes to, without a lock */
    alignas(PS_WAL_LINE) _Atomic uint64_t tail; /* where the next record goes, and flags: below */
    _Atomic uint64_t copying[2];                /* [round]: claims whose copies have not ended */
    _Atomic uint64_t reserved;                  /* costs of all slots held */
    _Atomic uint64_t records, bytes_appended;   /* counters, for statistics */

    /* One that they read: written under tail_mtx, from block_pos on while the tail is frozen */
    alignas(PS_WAL_LINE) _Atomic uint64_t written_pos;
    _Atomic uint64_t written_lsn;    /* of the last record below written_pos */
    _Atomic uint64_t log_start_lsn;  /* only grows */
    _Atomic uint64_t block_pos;      /* of the open block; its header's place is kept free */
    _Atomic uint64_t block_prev_lsn; /* LSN of the last record before the open block */
    _Atomic uint64_t redo_lsn;
    _Atomic bool copies_awaited;   /* the flusher may wait for copy_cond */
    _Atomic uint32_t room_waiters; /* written without tail_mtx: who may have to wait for room */
    _Atomic bool flush_wanted;     /* likewise: want_flush was called since the last flush began */

    alignas(PS_WAL_LINE) struct ps_mutex tail_mtx; /* rank WAL_TAIL; guards the following */
    struct ps_cond room_cond; /* written_pos, log_start_lsn or reserved has moved; a turn is over */
    struct ps_cond copy_cond; /* a round's count of copies has come to zero */
    bool turn_taken;          /* somebody waits for room; others wait for their turn */
    uint64_t *used_end;       /* [segment number % span]: end of its last block, once closed */
    uint64_t memory_pos;      /* from here on the ring has had memory for what was appended */
    uint64_t trim_tail;       /* where tail was at the last ps_wal_trim() */

    _Atomic uint64_t durable_lsn; /* written by the flusher; only grows */

    struct ps_mutex flush_mtx;     /* rank WAL_FLUSH */
    struct ps_cond flush_cond;     /* with flush_mtx: flushing has become false, or room was made */
    bool flushing;                 /* guarded by flush_mtx; who set it is the flusher */
    uint64_t synced_pos;           /* the flusher's: everything below is durable */
    struct ps_wal_handle *handles; /* [segment number % handle_count]; the flusher's */
    uint32_t handle_count;         /* constant: no more segments are written and not synced */
    struct ps_io_req *reqs;        /* handle_count of them; the flusher's */
    struct iovec *iovs;            /* likewise */

    struct ps_mutex seg_mtx;    /* rank WAL_FLUSH, never together with flush_mtx: makes, renames
                                   and removes segment files */
    _Atomic uint64_t seg_limit; /* written under seg_mtx: segments from the tail's up to here are
                                   there, written, under durable names */

    _Atomic bool short_of_space; /* the file system had no room for the last segment that was due */
    struct ps_wal_counters counters;
};

/* Positions are multiples of WAL_RECORD_ALIGN: */
#define WAL_TAIL_FLAGS (uint64_t)(WAL_RECORD_ALIGN - 1)
#define WAL_TAIL_FROZEN 1u /* claims are made under tail_mtx */
#define WAL_TAIL_ROUND 2u  /* which of copying[] counts claims */

static inline uint64_t ps_wal_tail_pos(const struct ps_wal *wal)
{
    return atomic_load(&wal->tail) & ~WAL_TAIL_FLAGS;
}

/* Under tail_mtx, until ps_wal_thaw(): only the caller moves the tail. Returns its position. */
static inline uint64_t ps_wal_freeze(struct ps_wal *wal)
{
    uint64_t tail = atomic_fetch_or(&wal->tail, WAL_TAIL_FROZEN);

    ps_assert_held(&wal->tail_mtx);
    assert(!(tail & WAL_TAIL_FROZEN));
    return tail & ~WAL_TAIL_FLAGS;
}

static inline void ps_wal_thaw(struct ps_wal *wal)
{
    ps_assert_held(&wal->tail_mtx);
    atomic_fetch_and(&wal->tail, ~(uint64_t)WAL_TAIL_FROZEN);
}

static inline uint8_t *ps_wal_ring_at(const struct ps_wal *wal, uint64_t pos)
{
    return wal->ring.base + (pos & (wal->ring_len - 1));
}

/* Bytes of log that appending a group of `bytes` can take up, whatever comes before it. */
uint64_t ps_wal_group_cost(uint64_t bytes);

/* Where tail would be if the open block were closed now, or was closed since. An empty one need not
 * be. */
uint64_t ps_wal_close_bound(const struct ps_wal *wal);

/* --- bytes of the log from its files (wal_load.c) ------------------------------------------- */

/* A stream that begins at pos; `ahead`: a thread loads what comes next. One thread uses it. */
struct ps_wal_loader; /* private */
PS_MUST_USE ps_err ps_wal_loader_open(struct ps_io *io, uint32_t segment_size, uint64_t pos,
                                      bool ahead, struct ps_wal_loader **ret);
void ps_wal_loader_close(struct ps_wal_loader *l);
/* From now on bytes from pos on are needed, and none before. */
void ps_wal_loader_seek(struct ps_wal_loader *l, uint64_t pos);
/* The bytes [pos, pos + len), of one segment; they stay until the next seek. PS_ERR_NOENT: there is
 * no such segment file. PS_ERR_CORRUPT: it is too short. PS_ERR_IO. */
PS_MUST_USE ps_err ps_wal_loader_need(struct ps_wal_loader *l, uint64_t pos, uint64_t len,
                                      const uint8_t **ret);
/* Where the byte at pos is, that was needed before. */
const uint8_t *ps_wal_loader_at(const struct ps_wal_loader *l, uint64_t pos);

/* What a flush writes. (wal_append.c) */
struct ps_wal_batch {
    uint64_t from; /* closed blocks in [from, to) */
    uint64_t to;
    uint64_t lsn; /* of the last record in them */
};

/* By the flusher, holding no lock: closes the open block if it has records, waits until all that
 * was claimed up to there is copied, and seals the blocks. */
void ps_wal_take_batch(struct ps_wal *wal, struct ps_wal_batch *ret);

/* Segments (wal_segment.c). A name is "wal/%016x". */
#define WAL_NAME_LEN 32
void ps_wal_seg_name(uint64_t seg_no, char name[WAL_NAME_LEN]);
/* Fsyncs what the reader found, clears away leftovers, and sets seg_limit. */
PS_MUST_USE ps_err ps_wal_seg_adopt(struct ps_wal *wal);
/* Makes segments until seg_limit > seg_no. A failure other than NOSPC, NOMEM and FILES poisons. */
PS_MUST_USE ps_err ps_wal_seg_ensure(struct ps_wal *wal, uint64_t seg_no);

/* Segment numbers there are, in ascending order; *ret is malloc'd. */
PS_MUST_USE ps_err ps_wal_seg_list(struct ps_io *io, uint32_t segment_size, uint64_t **ret,
                                   size_t *ret_count);

#endif
