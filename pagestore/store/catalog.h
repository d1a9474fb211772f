/*
 * catalog.h - table 1, `pagestore_catalog`: one item a table, on slotted native pages.
 *
 * Bytes of an item: FORMAT.md section 7. The catalog lists itself. Items are found by scanning, as
 * there are as many as there are tables; store keeps them in memory (table_registry.c).
 *
 * Flow       store (the table of tables), verify -> [catalog] -> bytes of items
 * Units      lengths are bytes; ctime_us is microseconds since 1970.
 * Ownership  an entry is a value; its name is copied.
 * Locking    pure functions.
 * Errors     PS_ERR_CORRUPT: an item that is no catalog item; the message names page and slot.
 */
#ifndef PS_STORE_CATALOG_H
#define PS_STORE_CATALOG_H

#include <assert.h>
#include <stddef.h>

#include "base/byteorder.h"
#include "pagestore/table.h"

struct ps_catalog_item {
    ps_le32 table;    /* 00-03 id, never used again after a drop */
    uint8_t format;   /* 04 enum ps_format_id */
    uint8_t type;     /* 05 enum ps_page_type: RAW or SLOTTED */
    ps_le16 name_len; /* 06-07 1 to 255 */
    ps_le64 ctime_us; /* 08-15 when it was made or renamed last */
    /* then the name, name_len bytes */
};
static_assert(sizeof(struct ps_catalog_item) == 16, "FORMAT.md section 7");
static_assert(offsetof(struct ps_catalog_item, ctime_us) == 8, "FORMAT.md section 7");

#define PS_CATALOG_ITEM_MAX (sizeof(struct ps_catalog_item) + PS_TABLE_NAME_MAX)

struct ps_catalog_entry {
    uint32_t table;
    enum ps_format_id format;
    enum ps_page_type type;
    uint64_t ctime_us;
    char name[PS_TABLE_NAME_MAX + 1];
};

/* buf has PS_CATALOG_ITEM_MAX bytes; returns how many are used. */
uint32_t ps_catalog_encode(const struct ps_catalog_entry *entry, void *buf);
/* Of a store with pages of page_size, which not every format can have. */
PS_MUST_USE ps_err ps_catalog_decode(const void *buf, size_t len, uint32_t page_size,
                                     struct ps_catalog_entry *ret);

/* 1 to 255 bytes, no '/', no NUL, no leading '.'. PS_ERR_INVAL, PS_ERR_RANGE. */
PS_MUST_USE ps_err ps_table_name_check(const char *name);

#endif
