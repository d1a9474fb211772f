/*
 * native_layout.h - the header of native pages, as it lies on disk. FORMAT.md section 2.
 *
 * Flow       format_native.c, verify, pg -> [native_layout]
 * Units      offsets and lengths are bytes.
 * Locking    constants.
 */
#ifndef PS_FORMAT_NATIVE_LAYOUT_H
#define PS_FORMAT_NATIVE_LAYOUT_H

#include <assert.h>
#include <stddef.h>

#include "base/byteorder.h"

#define PS_NATIVE_MAGIC 0x42444750u /* "PGDB" */

struct ps_native_hdr { /* FORMAT.md section 2; a layout change bumps version */
    ps_le32 magic;     /* 00-03 "PGDB" */
    ps_le16 version;   /* 04-05 1 */
    ps_le16 flags;     /* 06-07 low 8 bits: page type */
    ps_le64 page_no;   /* 08-15 its own number, catches misdirected writes */
    ps_le64 lsn;       /* 16-23 end of the last log record applied here */
    ps_le32 crc32c;    /* 24-27 over bytes 00-23 and 28 to the end of the page */
    ps_le32 table_id;  /* 28-31 owner, lets a checker rebuild the catalog */
};
static_assert(sizeof(struct ps_native_hdr) == 32, "FORMAT.md section 2");
static_assert(offsetof(struct ps_native_hdr, version) == 4, "FORMAT.md section 2");
static_assert(offsetof(struct ps_native_hdr, page_no) == 8, "FORMAT.md section 2");
static_assert(offsetof(struct ps_native_hdr, lsn) == 16, "FORMAT.md section 2");
static_assert(offsetof(struct ps_native_hdr, crc32c) == 24, "crc32c leaves out only itself");
static_assert(offsetof(struct ps_native_hdr, table_id) == 28, "FORMAT.md section 2");

#endif
