/*
 * cluster_map.c - pg_filenode.map: where those catalogs lie that say where all others lie.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/crc32c.h"
#include "pg/cluster_internal.h"

#define MAP_NAME "pg_filenode.map"
#define MAP_MAGIC 0x592717u
#define MAP_LEN_MAX 4096u

/* RelMapFile: the header, room for that many mappings, a CRC32C of all before; then padding. */
struct map_header {
    ps_le32 magic; /* 0-3 */
    ps_le32 count; /* 4-7 mappings that are used */
};
struct map_entry {
    ps_le32 relation; /* 0-3 */
    ps_le32 node;     /* 4-7 */
};
static_assert(sizeof(struct map_header) == 8 && sizeof(struct map_entry) == 8, "relmapper.c");

static size_t crc_at(uint32_t room)
{
    return sizeof(struct map_header) + room * sizeof(struct map_entry);
}

/* 62 mappings up to version 15, in a file of 512 bytes, 64 in one of 524 from then on. */
static ps_err check_map(const uint8_t *bytes, size_t len)
{
    const struct map_header *header = (const struct map_header *)bytes;
    const uint32_t room = len == 512 ? 62 : 64;
    uint32_t crc, stored;

    if (len != 512 && len != crc_at(room) + sizeof(ps_le32))
        return ps_fail(PS_ERR_CORRUPT, "it has %zu bytes, not 512 or 524", len);
    if (ps_get32(header->magic) != MAP_MAGIC)
        return ps_fail(PS_ERR_CORRUPT, "its magic is 0x%x, not 0x%x", ps_get32(header->magic),
                       MAP_MAGIC);
    crc = ps_crc32c(bytes, crc_at(room));
    stored = ps_get32(*(const ps_le32 *)(bytes + crc_at(room)));
    if (crc != stored)
        return ps_fail(PS_ERR_CORRUPT, "its checksum is 0x%08x, the bytes give 0x%08x", stored,
                       crc);
    if (ps_get32(header->count) > room)
        return ps_fail(PS_ERR_CORRUPT, "it has %u mappings, and room for %u",
                       ps_get32(header->count), room);
    return PS_OK;
}

static void decode_map(const uint8_t *bytes, struct ps_cluster_map *map)
{
    const struct map_header *header = (const struct map_header *)bytes;
    const struct map_entry *entries = (const struct map_entry *)(header + 1);

    map->count = ps_get32(header->count);
    assert(map->count <= PS_CLUSTER_MAPPINGS_MAX);
    for (uint32_t i = 0; i < map->count; i++) {
        map->mappings[i].relation = ps_get32(entries[i].relation);
        map->mappings[i].node = ps_get32(entries[i].node);
    }
}

static void read_map(struct ps_pg_cluster *c, struct ps_cluster_db *db)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    char path[PS_CLUSTER_PATH_MAX];
    ps_err err;

    (void)snprintf(path, sizeof(path), "%s/" MAP_NAME, db->dir);
    err = ps_cluster_read(c, db->root, path, MAP_LEN_MAX, &bytes, &len);
    if (!err) {
        err = check_map(bytes, len);
        if (err)
            (void)ps_fail_in(err, "%s", path);
    }
    if (err)
        ps_pg_note(c, "%s; catalogs are sought by other means", ps_message());
    else
        decode_map(bytes, &db->map);
    free(bytes);
}

void ps_cluster_read_maps(struct ps_pg_cluster *c)
{
    for (uint32_t i = 0; i < c->db_count; i++)
        read_map(c, &c->dbs[i]);
}
