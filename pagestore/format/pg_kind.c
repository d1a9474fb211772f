#include "format/pg_kind.h"

#include "base/byteorder.h"

/* Sizes of the special spaces and the marks in their last two bytes. */
#define HASH_PAGE_ID 0xff80u
#define GIST_PAGE_ID 0xff81u
#define SPGIST_PAGE_ID 0xff82u
#define BLOOM_PAGE_ID 0xff83u
#define BRIN_META 0xf091u
#define BRIN_REVMAP 0xf092u
#define BRIN_REGULAR 0xf093u
#define BTREE_CYCLE_ID_MAX 0xff7fu
#define SEQUENCE_MAGIC 0x1717u

#define GIST_DELETED (1u << 1)
#define BTREE_DELETED (1u << 2)
#define BTREE_META (1u << 3)
#define HASH_OVERFLOW (1u << 0)
#define HASH_BUCKET (1u << 1)
#define SPGIST_META (1u << 0)
#define GIN_DATA (1u << 0)
#define GIN_DELETED (1u << 2)
#define GIN_META (1u << 3)
#define GIN_FLAGS_ALL 0xffu

/* B-tree, hash and GiST: link fields, flags in bytes 12-13, cycle or page id in 14-15. */
static struct ps_pg_kind kind_of_16(const unsigned char *special)
{
    unsigned flags = ps_get16_at(special + 12);
    unsigned id = ps_get16_at(special + 14);

    if (id == HASH_PAGE_ID)
        return (struct ps_pg_kind){"hash", flags & (HASH_OVERFLOW | HASH_BUCKET), false};
    if (id == GIST_PAGE_ID)
        return (struct ps_pg_kind){"gist", !(flags & GIST_DELETED), false};
    if (id <= BTREE_CYCLE_ID_MAX)
        return (struct ps_pg_kind){"btree", !(flags & (BTREE_META | BTREE_DELETED)), false};
    return (struct ps_pg_kind){"unknown", false, false};
}

/* SP-GiST, bloom, BRIN and sequences mark themselves; GIN has its flags in the last bytes. */
static struct ps_pg_kind kind_of_8(const unsigned char *special)
{
    unsigned id = ps_get16_at(special + 6);

    if (id == SPGIST_PAGE_ID)
        return (struct ps_pg_kind){"spgist", !(ps_get16_at(special) & SPGIST_META), false};
    if (id == BLOOM_PAGE_ID)
        return (struct ps_pg_kind){"bloom", false, false};
    if (id == BRIN_META || id == BRIN_REVMAP || id == BRIN_REGULAR)
        return (struct ps_pg_kind){"brin", id == BRIN_REGULAR, false};
    if (ps_get16_at(special) == SEQUENCE_MAGIC && ps_get16_at(special + 2) == 0)
        return (struct ps_pg_kind){"sequence", true, true};
    if (id <= GIN_FLAGS_ALL)
        return (struct ps_pg_kind){"gin", !(id & (GIN_DATA | GIN_DELETED | GIN_META)), false};
    return (struct ps_pg_kind){"unknown", false, false};
}

struct ps_pg_kind ps_pg_kind(const void *page, uint32_t page_size, uint32_t special)
{
    const unsigned char *bytes = page;

    if (special == page_size)
        return (struct ps_pg_kind){"plain", true, true};
    if (special < page_size && page_size - special == 16)
        return kind_of_16(bytes + special);
    if (special < page_size && page_size - special == 8)
        return kind_of_8(bytes + special);
    return (struct ps_pg_kind){"unknown", false, false};
}
