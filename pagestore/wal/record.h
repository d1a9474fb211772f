/*
 * record.h - log records: what they say, and their bytes.
 *
 * A record's position is where its first byte lies in the log, its LSN is the position one past
 * its last byte. Records that must take effect together form a group: they are appended in one
 * step, lie in one block (wal.h), and every page that the group changes takes the LSN of the
 * group's last record. Bytes: FORMAT.md section 5.
 *
 * Flow       group, recovery, checkpoint -> [record] -> wal (append); and back through the reader
 * Units      positions and LSNs are log bytes; record lengths are multiples of 8.
 * Ownership  a decoded record points into the buffer it was decoded from.
 * Locking    pure functions.
 * Errors     PS_ERR_CORRUPT: the bytes are no sound record; no length in them is trusted.
 * Promise    what decodes has a right checksum, and its parts lie within its bytes.
 */
#ifndef PS_WAL_RECORD_H
#define PS_WAL_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "base/byteorder.h"
#include "pagestore/err.h"

/* Resource managers: who understands a record's type and body. */
enum ps_rm {
    PS_RM_LOG = 0,   /* the log itself */
    PS_RM_PAGE = 1,  /* changes of bytes of pages, any table, any fork */
    PS_RM_TXN = 2,   /* ends of transactions */
    PS_RM_TABLE = 3, /* tables made, dropped, renamed */
};

enum ps_rm_log_type {
    PS_LOG_CHECKPOINT = 1, /* body: struct ps_checkpoint_body; starts a block */
};

enum ps_rm_page_type {
    PS_PAGE_CHANGE = 1, /* after-bytes of each reference; before-bytes if it can be undone */
    PS_PAGE_CLR = 2,    /* compensation: redo only, undo_next says what is left to undo */
};

enum ps_rm_txn_type { PS_TXN_COMMIT = 1, PS_TXN_ABORT = 2 /* undone completely */ };

enum ps_rm_table_type {
    PS_TABLE_CREATE = 1, /* body: struct ps_table_body; the catalog's page changes stand in */
    PS_TABLE_DROP = 2,   /* the same group; redo of DROP removes the files */
    PS_TABLE_RENAME = 3,
};

enum ps_rec_flags {
    PS_REC_GROUP_END = 1, /* last record of its group */
};

enum ps_ref_flags {
    PS_REF_IMAGE = 1,        /* the whole page as it was after the change; off is 0 */
    PS_REF_BEFORE = 2,       /* before-bytes of [off, off + len) follow the after-bytes */
    PS_REF_FORMAT_SHIFT = 8, /* high 8 bits: the page's enum ps_format_id, so that redo needs no
                                catalog to know how its pages are stamped */
};

/*
 * One page that a record is about. For an image, len is the page size and after_len may be less:
 * what is missing at the end are zeros. With BEFORE an image has before_off and before_len of
 * its own, because undo puts back only what was changed. Otherwise after_len is len, and the
 * before-bytes are those of [off, off + len): encoding does not look at the other fields.
 * Decoding promises that off + len does not overflow and that before-bytes of an image lie within
 * len; whether that fits the page is for its user to check.
 */
struct ps_ref {
    uint32_t table;
    uint32_t page;
    uint16_t fork;  /* 0 data, 1 allocation map */
    uint16_t flags; /* enum ps_ref_flags */
    uint32_t off;
    uint32_t len;
    const uint8_t *after;
    uint32_t after_len;
    uint32_t before_off;
    uint32_t before_len;
    const uint8_t *before; /* before_len bytes, NULL without BEFORE */
};

#define PS_REFS_MAX 16u

struct ps_record {
    uint8_t rm;
    uint8_t type;
    uint8_t flags;
    uint16_t ref_count;
    uint64_t txn;       /* 0: commits by itself */
    uint64_t txn_prev;  /* position of the transaction's previous record, 0: none */
    uint64_t undo_next; /* CLR: position of the next record to undo, 0: none left */
    uint64_t time_us;   /* wall clock; becomes the mtime of pages */
    const void *body;
    uint32_t body_len;
    /* set by append and by decode */
    uint64_t pos;
    uint64_t lsn;
    uint64_t prev;      /* LSN of the record before this one in the log */
    uint64_t group_lsn; /* LSN of its group's last record: what its pages take. Decoding a single
                           record cannot know it; the reader sets it */
    uint32_t crc;       /* CRC-32C of the record's bytes, as it stands in them */
    struct ps_ref refs[PS_REFS_MAX]; /* the last field: of a decoded record ref_count are set */
};

/* Bytes the record takes in the log. */
size_t ps_record_len(const struct ps_record *rec);

/* Encoding is in two steps, so that most of the checksum happens before the record's place is
 * known: body_crc reads everything but the header; encode copies all of it to buf, which has
 * ps_record_len() bytes, with position and prev, and sets pos, lsn, prev and crc. */
uint32_t ps_record_body_crc(const struct ps_record *rec);
void ps_record_encode(struct ps_record *rec, uint8_t *buf, uint32_t body_crc, uint64_t pos,
                      uint64_t prev);

/* buf holds avail bytes from position pos on. On an error *ret is untouched and the message says
 * what is wrong: "record crc is ..., should be ...". */
PS_MUST_USE ps_err ps_record_decode(const uint8_t *buf, size_t avail, uint64_t pos,
                                    struct ps_record *ret);

/* "change", "image", "clr", "commit", "abort", "checkpoint", "create", ...: for `wal` listings. */
const char *ps_record_type_name(const struct ps_record *rec);

/* Bodies. */
struct ps_checkpoint_body {
    ps_le64 next_txn;   /* 00-07 */
    ps_le32 next_table; /* 08-11 */
    ps_le32 txn_count;  /* 12-15 then as many struct ps_checkpoint_txn */
};
struct ps_checkpoint_txn {
    ps_le64 id;        /* 00-07 */
    ps_le64 first_pos; /* 08-15 position of its first record */
    ps_le64 last_pos;  /* 16-23 position of its last record */
};
struct ps_table_body {
    ps_le32 table;    /* 00-03 */
    uint8_t format;   /* 04 enum ps_format_id */
    uint8_t type;     /* 05 enum ps_page_type at creation */
    ps_le16 name_len; /* 06-07 then the name */
};

#endif
