/*
 * record_check.c - what a record must be so that recovery can act on it. Its checksum says only
 * that somebody wrote it.
 */
#include <inttypes.h>

#include "alloc/map.h"
#include "pagestore/table.h"
#include "recovery/recovery.h"

static ps_err check_bytes(const struct ps_ref *ref, uint32_t page_size)
{
    if (ref->flags & PS_REF_IMAGE) {
        if (ref->len == page_size && ref->after_len <= page_size)
            return PS_OK;
    } else if (ref->after_len == ref->len && ref->len <= page_size &&
               ref->off <= page_size - ref->len) {
        return PS_OK;
    }
    return ps_fail(PS_ERR_CORRUPT, "bytes %" PRIu32 "+%" PRIu32 " do not fit a page of %" PRIu32,
                   ref->off, ref->len, page_size);
}

static ps_err check_format(const struct ps_ref *ref, uint32_t page_size)
{
    const unsigned id = ref->flags >> PS_REF_FORMAT_SHIFT;
    const struct ps_format *fmt = ps_format_by_id(id);

    if (!fmt || page_size > fmt->page_size_max)
        return ps_fail(PS_ERR_CORRUPT, "there is no format %u of pages of %" PRIu32 " bytes", id,
                       page_size);
    if (ref->table == PS_CATALOG_ID && fmt->id != PS_FORMAT_NATIVE)
        return ps_fail(PS_ERR_CORRUPT, "the catalog cannot be of format %s", fmt->name);
    return PS_OK;
}

static ps_err check_place(const struct ps_ref *ref, uint32_t page_size)
{
    struct ps_map map;

    if (ref->table == 0)
        return ps_fail(PS_ERR_CORRUPT, "there is no table 0");
    if (ref->fork > PS_FORK_MAP)
        return ps_fail(PS_ERR_CORRUPT, "table %" PRIu32 " has no fork %u", ref->table, ref->fork);
    if (ref->fork == PS_FORK_MAP)
        ps_map_init(&map, NULL, 0, ref->table, page_size);
    if (ref->fork == PS_FORK_MAP ? !ps_map_has_page(&map, ref->page)
                                 : ref->page >= PS_MAP_PAGES_MAX)
        return ps_fail(PS_ERR_CORRUPT, "table %" PRIu32 "%s has no page %" PRIu32, ref->table,
                       ref->fork == PS_FORK_MAP ? "'s allocation map" : "", ref->page);
    return PS_OK;
}

static ps_err check_refs(const struct ps_record *rec, uint32_t page_size)
{
    ps_err err = PS_OK;
    unsigned i;

    for (i = 0; i < rec->ref_count && !err; i++) {
        err = check_place(&rec->refs[i], page_size);
        if (!err)
            err = check_format(&rec->refs[i], page_size);
        if (!err)
            err = check_bytes(&rec->refs[i], page_size);
        if (err)
            err = ps_fail_in(err, "reference %u", i);
    }
    return err;
}

static ps_err check_table(const struct ps_record *rec)
{
    const struct ps_table_body *body = rec->body;
    uint32_t table;

    if (rec->body_len < sizeof(*body))
        return ps_fail(PS_ERR_CORRUPT, "table record of %" PRIu32 " bytes is too short",
                       rec->body_len);
    table = ps_get32(body->table);
    if (table == 0 || table == UINT32_MAX || (table == PS_CATALOG_ID && rec->type == PS_TABLE_DROP))
        return ps_fail(PS_ERR_CORRUPT, "no %s of table %" PRIu32 " can be",
                       ps_record_type_name(rec), table);
    return PS_OK;
}

ps_err ps_record_check(const struct ps_record *rec, uint32_t page_size)
{
    ps_err err = PS_OK;

    if (rec->rm == PS_RM_PAGE)
        err = check_refs(rec, page_size);
    if (rec->rm == PS_RM_TABLE)
        err = check_table(rec);
    if (err)
        return ps_fail_in(err, "log: record at %" PRIu64, rec->pos);
    return PS_OK;
}
