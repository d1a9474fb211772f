/*
 * pg_layout.h - the fixed parts of PostgreSQL's pages: header and heap tuple header, as they lie
 * on disk. FORMAT.md section 3.
 *
 * Flow       format_postgres.c, pg -> [pg_layout]
 * Units      offsets and lengths are bytes; slots count from 1.
 * Locking    constants and pure functions.
 * Source     src/include/storage/bufpage.h, src/include/access/htup_details.h.
 */
#ifndef PS_FORMAT_PG_LAYOUT_H
#define PS_FORMAT_PG_LAYOUT_H

#include <assert.h>
#include <stddef.h>

#include "base/byteorder.h"
#include "format/layout.h"

#define PS_PG_LAYOUT_VERSION 4u
#define PS_PG_HEADER_LEN 24u
#define PS_PG_LP_LEN 4u /* of a line pointer */

/* pd_flags */
#define PS_PD_HAS_FREE_LINES 0x0001u
#define PS_PD_PAGE_FULL 0x0002u
#define PS_PD_ALL_VISIBLE 0x0004u
#define PS_PD_VALID_FLAGS (PS_PD_HAS_FREE_LINES | PS_PD_PAGE_FULL | PS_PD_ALL_VISIBLE)

struct ps_pg_header {            /* PageHeaderData */
    ps_le32 pd_lsn_xlogid;       /* 00-03 high half of the LSN */
    ps_le32 pd_lsn_xrecoff;      /* 04-07 low half */
    ps_le16 pd_checksum;         /* 08-09 of the page with this field zero */
    ps_le16 pd_flags;            /* 10-11 */
    ps_le16 pd_lower;            /* 12-13 end of the line pointers */
    ps_le16 pd_upper;            /* 14-15 start of the items; 0 on a new page */
    ps_le16 pd_special;          /* 16-17 end of the items */
    ps_le16 pd_pagesize_version; /* 18-19 page size | layout version */
    ps_le32 pd_prune_xid;        /* 20-23 */
    ps_le32 pd_linp[];           /* 24- lp_off:15, lp_flags:2, lp_len:15 from the lowest bit */
};
static_assert(sizeof(struct ps_pg_header) == PS_PG_HEADER_LEN, "FORMAT.md section 3");
static_assert(offsetof(struct ps_pg_header, pd_checksum) == 8, "FORMAT.md section 3");
static_assert(offsetof(struct ps_pg_header, pd_lower) == 12, "FORMAT.md section 3");
static_assert(offsetof(struct ps_pg_header, pd_pagesize_version) == 18, "FORMAT.md section 3");
static_assert(offsetof(struct ps_pg_header, pd_linp) == 24, "FORMAT.md section 3");

/* Line pointer of a slot from 1 on, whose bytes lie on the page. */
static inline struct ps_lp ps_pg_lp_of(const void *page, uint32_t slot)
{
    uint32_t bits = ps_get32(((const struct ps_pg_header *)page)->pd_linp[slot - 1]);

    return (struct ps_lp){
        .off = bits & 0x7fff,
        .flags = (enum ps_lp_flags)(bits >> 15 & 3),
        .len = bits >> 17,
    };
}

struct ps_pg_heap_tuple { /* HeapTupleHeaderData */
    ps_le32 t_xmin;       /* 00-03 */
    ps_le32 t_xmax;       /* 04-07 */
    ps_le32 t_field3;     /* 08-11 t_cid or t_xvac */
    ps_le16 t_ctid_hi;    /* 12-13 block number, high half */
    ps_le16 t_ctid_lo;    /* 14-15 block number, low half */
    ps_le16 t_ctid_posid; /* 16-17 */
    ps_le16 t_infomask2;  /* 18-19 low 11 bits: number of attributes */
    ps_le16 t_infomask;   /* 20-21 */
    uint8_t t_hoff;       /* 22 where the attributes begin */
    uint8_t t_bits[];     /* 23- null bitmap */
};
static_assert(offsetof(struct ps_pg_heap_tuple, t_infomask) == 20, "FORMAT.md section 3");
static_assert(offsetof(struct ps_pg_heap_tuple, t_bits) == 23, "FORMAT.md section 3");

#define PS_PG_TUPLE_LEN_MIN 24u /* the header, aligned */
#define PS_PG_HEAP_HASNULL 0x0001u
#define PS_PG_HEAP_HASOID_OLD 0x0008u
#define PS_PG_HEAP_NATTS 0x07ffu

#endif
