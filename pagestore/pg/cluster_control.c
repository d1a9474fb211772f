/*
 * cluster_control.c - pg_control and PG_VERSION: which PostgreSQL this is of, and where it stopped.
 *
 * The control file's layout is the same in versions 12 to 17 as far as we read it: 17 has a field
 * more in what was padding.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/byteorder.h"
#include "base/crc32c.h"
#include "pg/cluster_internal.h"

#define CONTROL_PATH "global/pg_control"
#define CONTROL_LEN_MAX (64u << 10)
#define VERSION_LEN_MAX 64u
#define WAL_SEGMENT_MIN (1u << 20)
#define WAL_SEGMENT_MAX (1u << 30)

struct control_file {           /* ControlFileData */
    ps_le64 system_identifier;  /* 000-007 */
    ps_le32 pg_control_version; /* 008-011 */
    ps_le32 catalog_version_no; /* 012-015 */
    ps_le32 state;              /* 016-019 */
    uint8_t padding_1[4];       /* 020-023 */
    ps_le64 time;               /* 024-031 */
    ps_le64 checkpoint;         /* 032-039 */
    /* CheckPoint checkPointCopy */
    ps_le64 redo;                     /* 040-047 */
    ps_le32 this_timeline;            /* 048-051 */
    ps_le32 prev_timeline;            /* 052-055 */
    uint8_t full_page_writes[4];      /* 056-059 */
    ps_le32 checkpoint_wal_level;     /* 060-063 from 17 on */
    ps_le64 next_xid;                 /* 064-071 with epoch */
    ps_le32 next_oid;                 /* 072-075 */
    ps_le32 next_multi;               /* 076-079 */
    ps_le32 next_multi_offset;        /* 080-083 */
    ps_le32 oldest_xid;               /* 084-087 */
    ps_le32 oldest_xid_db;            /* 088-091 */
    ps_le32 oldest_multi;             /* 092-095 */
    ps_le32 oldest_multi_db;          /* 096-099 */
    uint8_t padding_2[4];             /* 100-103 */
    uint8_t rest_of_checkpoint[24];   /* 104-127 */
    ps_le64 unlogged_lsn;             /* 128-135 */
    ps_le64 min_recovery_point;       /* 136-143 */
    uint8_t backup_and_settings[72];  /* 144-215 */
    ps_le32 block_size;               /* 216-219 */
    ps_le32 segment_blocks;           /* 220-223 */
    ps_le32 wal_block_size;           /* 224-227 */
    ps_le32 wal_segment_size;         /* 228-231 */
    ps_le32 name_len;                 /* 232-235 */
    ps_le32 index_keys_max;           /* 236-239 */
    ps_le32 toast_chunk_max;          /* 240-243 */
    ps_le32 large_object_block;       /* 244-247 */
    uint8_t float_by_value[4];        /* 248-251 */
    ps_le32 checksum_version;         /* 252-255 */
    uint8_t authentication_nonce[32]; /* 256-287 */
    ps_le32 crc;                      /* 288-291 CRC32C of all before */
};
static_assert(sizeof(struct control_file) == 292, "pg_control.h");
static_assert(offsetof(struct control_file, redo) == 40, "pg_control.h");
static_assert(offsetof(struct control_file, next_xid) == 64, "pg_control.h");
static_assert(offsetof(struct control_file, oldest_multi) == 92, "pg_control.h");
static_assert(offsetof(struct control_file, min_recovery_point) == 136, "pg_control.h");
static_assert(offsetof(struct control_file, block_size) == 216, "pg_control.h");
static_assert(offsetof(struct control_file, checksum_version) == 252, "pg_control.h");
static_assert(offsetof(struct control_file, crc) == 288, "pg_control.h");

/* enum DBState */
#define STATE_SHUTDOWNED 1u

const char *ps_cluster_state_name(uint32_t state)
{
    static const char *const names[] = {
        "starting up",       "shut down",           "shut down in recovery", "shutting down",
        "in crash recovery", "in archive recovery", "in production"};

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unrecognized";
}

/* A standby that was shut down may have left changes to its log. */
bool ps_cluster_state_is_clean(uint32_t state)
{
    return state == STATE_SHUTDOWNED;
}

/* Can PostgreSQL's pages have that size, as far as we read them? */
static bool page_size_ok(uint32_t size)
{
    return size >= PS_PAGE_SIZE_MIN && size <= PS_PG_PAGE_SIZE_MAX && (size & (size - 1)) == 0;
}

/* --- pg_control --------------------------------------------------------------------------- */

static bool is_known_version(uint32_t control_version)
{
    return control_version == 1201 || control_version == 1300 || control_version == 1700;
}

static ps_err check_control(const uint8_t *bytes, size_t len)
{
    const struct control_file *f = (const struct control_file *)bytes;
    uint32_t crc;

    if (len < sizeof(*f))
        return ps_fail(PS_ERR_CORRUPT, "it has %zu bytes only", len);
    if (!is_known_version(ps_get32(f->pg_control_version)))
        return ps_fail(PS_ERR_UNSUPPORTED,
                       "version %u of it is not known, versions 1201 (of PostgreSQL 12), 1300 (13 "
                       "to 16) and 1700 (17) are",
                       ps_get32(f->pg_control_version));
    crc = ps_crc32c(bytes, offsetof(struct control_file, crc));
    if (crc != ps_get32(f->crc))
        return ps_fail(PS_ERR_CORRUPT, "its checksum is 0x%08x, the bytes give 0x%08x",
                       ps_get32(f->crc), crc);
    return PS_OK;
}

static void decode_control(struct ps_pg_cluster *c, const struct control_file *f)
{
    c->control = (struct ps_pg_control){
        .known = true,
        .control_version = ps_get32(f->pg_control_version),
        .catalog_version = ps_get32(f->catalog_version_no),
        .system_id = ps_get64(f->system_identifier),
        .state = ps_get32(f->state),
        .checkpoint_lsn = ps_get64(f->checkpoint),
        .redo_lsn = ps_get64(f->redo),
        .timeline = ps_get32(f->this_timeline),
        .next_xid = ps_get64(f->next_xid),
        .oldest_xid = ps_get32(f->oldest_xid),
        .next_multi = ps_get32(f->next_multi),
        .oldest_multi = ps_get32(f->oldest_multi),
        .next_multi_offset = ps_get32(f->next_multi_offset),
        .block_size = ps_get32(f->block_size),
        .segment_blocks = ps_get32(f->segment_blocks),
        .wal_segment_size = ps_get32(f->wal_segment_size),
        .checksum_version = ps_get32(f->checksum_version),
    };
    c->min_recovery_lsn = ps_get64(f->min_recovery_point);
}

/* A checksum that is right does not make sizes possible. Those that are not become 0: not known. */
static void check_sizes(struct ps_pg_cluster *c)
{
    struct ps_pg_control *control = &c->control;
    const uint32_t wal = control->wal_segment_size;

    if (!page_size_ok(control->block_size)) {
        ps_pg_note(c, CONTROL_PATH ": a block size of %u cannot be read; the pages decide",
                   control->block_size);
        control->block_size = 0;
    }
    if (control->segment_blocks == 0) {
        ps_pg_note(c, CONTROL_PATH ": segments of 0 blocks cannot be; taken as %u",
                   PS_PG_SEGMENT_BLOCKS_DEFAULT);
        control->segment_blocks = PS_PG_SEGMENT_BLOCKS_DEFAULT;
    }
    if (wal < WAL_SEGMENT_MIN || wal > WAL_SEGMENT_MAX || (wal & (wal - 1)) != 0) {
        ps_pg_note(c, CONTROL_PATH ": log segments of %u bytes cannot be", wal);
        control->wal_segment_size = 0;
    }
}

static void read_control(struct ps_pg_cluster *c)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    ps_err err = ps_cluster_read(c, 0, CONTROL_PATH, CONTROL_LEN_MAX, &bytes, &len);

    if (!err) {
        err = check_control(bytes, len);
        if (err)
            (void)ps_fail_in(err, CONTROL_PATH);
    }
    if (err) {
        ps_pg_note(c,
                   "%s; sizes and checksums are judged from the pages, and whether the cluster was "
                   "shut down is not known",
                   ps_message());
    } else {
        decode_control(c, (const struct control_file *)bytes);
        check_sizes(c);
    }
    free(bytes);
}

/* --- the version -------------------------------------------------------------------------- */

/* The major version; 0: the file does not say. */
static uint32_t read_version(struct ps_pg_cluster *c)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    const char *end;
    uint32_t version = 0;
    ps_err err = ps_cluster_read(c, 0, "PG_VERSION", VERSION_LEN_MAX, &bytes, &len);

    if (err) {
        ps_pg_note(c, "%s", ps_message());
        return 0;
    }
    if (!ps_cluster_parse_number((const char *)bytes, &end, &version) || *end != '\n')
        version = 0;
    if (version == 0)
        ps_pg_note(c, "PG_VERSION: is not a line with a version");
    free(bytes);
    return version;
}

/* pg_control has one version for 13 to 16, whose catalogs' versions differ. */
static uint32_t version_of_control(const struct ps_pg_control *control)
{
    static const struct {
        uint32_t catalog, version;
    } last[] = {{202007201, 13}, {202107181, 14}, {202209061, 15}, {202307071, 16}};

    if (control->control_version == 1201)
        return 12;
    if (control->control_version == 1700)
        return 17;
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        if (control->catalog_version == last[i].catalog)
            return last[i].version;
    return 0;
}

static void settle_version(struct ps_pg_cluster *c)
{
    const uint32_t by_file = read_version(c);
    const uint32_t by_control = version_of_control(&c->control);

    if (by_file && by_control && by_file != by_control)
        ps_pg_note(c, "PG_VERSION says %u, " CONTROL_PATH " is of %u", by_file, by_control);
    c->version = c->opts.version ? c->opts.version : by_file ? by_file : by_control;
    if (c->version && (c->version < PS_PG_VERSION_MIN || c->version > PS_PG_VERSION_MAX))
        ps_pg_note(c, "PostgreSQL %u is not known, versions %u to %u are", c->version,
                   PS_PG_VERSION_MIN, PS_PG_VERSION_MAX);
}

void ps_cluster_read_control(struct ps_pg_cluster *c)
{
    read_control(c);
    settle_version(c);
}
