/*
 * catalog.c - items of the catalog, and which names tables can have.
 */
#include "store/catalog.h"

#include <string.h>

ps_err ps_table_name_check(const char *name)
{
    size_t len = strlen(name);

    if (len == 0)
        return ps_fail(PS_ERR_INVAL, "a table name cannot be empty");
    if (len > PS_TABLE_NAME_MAX)
        return ps_fail(PS_ERR_RANGE, "table name of %zu bytes: at most %u", len, PS_TABLE_NAME_MAX);
    if (name[0] == '.')
        return ps_fail(PS_ERR_INVAL, "table name '%s': cannot start with '.'", name);
    if (strchr(name, '/'))
        return ps_fail(PS_ERR_INVAL, "table name '%s': cannot contain '/'", name);
    return PS_OK;
}

uint32_t ps_catalog_encode(const struct ps_catalog_entry *entry, void *buf)
{
    size_t name_len = strlen(entry->name);
    struct ps_catalog_item item = {
        .table = ps_put32(entry->table),
        .format = (uint8_t)entry->format,
        .type = (uint8_t)entry->type,
        .name_len = ps_put16((uint16_t)name_len),
        .ctime_us = ps_put64(entry->ctime_us),
    };

    memcpy(buf, &item, sizeof(item));
    memcpy((uint8_t *)buf + sizeof(item), entry->name, name_len);
    return (uint32_t)(sizeof(item) + name_len);
}

static bool is_catalog_itself(const struct ps_catalog_entry *entry)
{
    return entry->table == PS_CATALOG_ID && strcmp(entry->name, PS_CATALOG_NAME) == 0 &&
           entry->format == PS_FORMAT_NATIVE && entry->type == PS_PAGE_SLOTTED;
}

ps_err ps_catalog_decode(const void *buf, size_t len, uint32_t page_size,
                         struct ps_catalog_entry *ret)
{
    struct ps_catalog_entry entry = {0};
    struct ps_catalog_item item;
    size_t name_len;

    if (len < sizeof(item))
        return ps_fail(PS_ERR_CORRUPT, "catalog item of %zu bytes: too short", len);
    memcpy(&item, buf, sizeof(item));
    name_len = ps_get16(item.name_len);
    if (name_len > PS_TABLE_NAME_MAX || len != sizeof(item) + name_len)
        return ps_fail(PS_ERR_CORRUPT, "catalog item of %zu bytes says its name has %zu", len,
                       name_len);
    entry.table = ps_get32(item.table);
    entry.format = item.format;
    entry.type = item.type;
    entry.ctime_us = ps_get64(item.ctime_us);
    memcpy(entry.name, (const uint8_t *)buf + sizeof(item), name_len);
    if (strlen(entry.name) != name_len)
        return ps_fail(PS_ERR_CORRUPT, "catalog item of table %u: NUL in its name", entry.table);
    if (entry.table == 0 || !ps_format_by_id(item.format) || item.type > PS_PAGE_SLOTTED)
        return ps_fail(PS_ERR_CORRUPT, "catalog item of '%s': table id %u, format %u, type %u",
                       entry.name, entry.table, item.format, item.type);
    if (page_size > ps_format_by_id(item.format)->page_size_max)
        return ps_fail(PS_ERR_CORRUPT,
                       "catalog item of '%s': format %s has pages of at most %u bytes", entry.name,
                       ps_format_by_id(item.format)->name,
                       ps_format_by_id(item.format)->page_size_max);
    if ((entry.table == PS_CATALOG_ID || strcmp(entry.name, PS_CATALOG_NAME) == 0) &&
        !is_catalog_itself(&entry))
        return ps_fail(
            PS_ERR_CORRUPT,
            "catalog item of table %u '%s', format %u, type %u: the catalog is table %u '%s', "
            "native and slotted",
            entry.table, entry.name, item.format, item.type, PS_CATALOG_ID, PS_CATALOG_NAME);
    if (ps_table_name_check(entry.name))
        return ps_fail_in(PS_ERR_CORRUPT, "catalog item of table %u", entry.table);
    *ret = entry;
    return PS_OK;
}
