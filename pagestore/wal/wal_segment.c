/*
 * wal_segment.c - segment files: made, recycled, removed.
 *
 * A segment gets its name only when it is written with zeros, synced, and so cannot fail for want
 * of space later. Old ones are renamed to the next number that is needed: their bytes are those
 * of other positions, and so count for nothing. No name is used before its folder is synced.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_internal.h"

#define TMP_PREFIX "tmp."
#define ZEROS_LEN (128u * 1024u)
#define ZEROS_AT_ONCE 32u /* of ZEROS_LEN: more would hold up flushes that run in parallel */
#define SPARES_AHEAD 2u   /* of the tail: what reserve and prepare ask for */

void ps_wal_seg_name(uint64_t seg_no, char name[WAL_NAME_LEN])
{
    snprintf(name, WAL_NAME_LEN, PS_WAL_DIR "/%016" PRIx64, seg_no);
}

/* --- making ------------------------------------------------------------------------------- */

static ps_err write_zeros(struct ps_io *io, struct ps_io_file *file, uint32_t segment_size)
{
    uint32_t len = segment_size < ZEROS_LEN ? segment_size : ZEROS_LEN, i;
    void *zeros = ps_buf_alloc(len);
    struct iovec iov[ZEROS_AT_ONCE];
    struct ps_io_req req = {.file = file, .op = PS_IO_WRITE, .iov = iov};
    ps_err err = PS_OK;

    if (!zeros)
        return ps_fail(PS_ERR_NOMEM, "out of memory for a new log segment");
    for (i = 0; i < ZEROS_AT_ONCE; i++)
        iov[i] = (struct iovec){.iov_base = zeros, .iov_len = len};
    for (; !err && req.off < segment_size; req.off += (uint64_t)req.iov_count * len) {
        uint64_t left = (segment_size - req.off) / len;

        req.iov_count = left < ZEROS_AT_ONCE ? (int)left : (int)ZEROS_AT_ONCE;
        err = ps_io_run(io, &req, 1);
    }
    ps_buf_free(zeros);
    return err;
}

static ps_err fill_segment(struct ps_io *io, const char *path, uint32_t segment_size)
{
    struct ps_io_file *file;
    ps_err err;

    err = io->ops->open(io, path, PS_IO_CREATE, &file);
    if (err)
        return err;
    err = io->ops->truncate(file, 0);
    if (!err)
        err = io->ops->allocate(file, 0, segment_size);
    if (!err)
        err = write_zeros(io, file, segment_size);
    if (!err)
        err = ps_io_sync(file);
    ps_io_close(file);
    return err;
}

/* A segment that could not be made: gives its space back, which matters now, and keeps the message.
 * A leftover that cannot be removed goes at the next open. */
static ps_err give_up_segment(struct ps_io *io, ps_err err, const char *tmp, const char *name)
{
    char why[256];

    snprintf(why, sizeof(why), "%s", ps_message());
    if (io->ops->unlink(io, tmp) != PS_OK)
        return ps_fail(err, "making log segment %s: %s (%s is left behind)", name, why, tmp);
    return ps_fail(err, "making log segment %s: %s", name, why);
}

/* Makes a segment under a temporary name, then gives it its own, durably. */
static ps_err make_segment(struct ps_io *io, uint64_t seg_no, uint32_t segment_size)
{
    char tmp[WAL_NAME_LEN], name[WAL_NAME_LEN];
    ps_err err;

    snprintf(tmp, sizeof(tmp), PS_WAL_DIR "/" TMP_PREFIX "%" PRIx64, seg_no);
    ps_wal_seg_name(seg_no, name);
    err = fill_segment(io, tmp, segment_size);
    if (!err)
        err = io->ops->rename(io, tmp, name);
    if (err)
        return give_up_segment(io, err, tmp, name);
    return io->ops->sync_dir(io, PS_WAL_DIR);
}

ps_err ps_wal_create(struct ps_io *io, uint32_t segment_size)
{
    ps_err err = io->ops->mkdir(io, PS_WAL_DIR);

    if (!err || err == PS_ERR_EXIST)
        err = make_segment(io, 0, segment_size);
    if (!err)
        err = io->ops->sync_dir(io, ".");
    return err;
}

/* Hands on the result of work on segments. Want of space, memory or descriptors passes; after
 * anything else it is not known what is on disk. Called without locks. */
static ps_err judge_segments(struct ps_wal *wal, ps_err err)
{
    if (err == PS_OK || err == PS_ERR_NOSPC || err == PS_ERR_NOMEM || err == PS_ERR_FILES)
        return err;
    err = ps_poison_raise(wal->opts.poison);
    ps_wal_wake(wal);
    return err;
}

ps_err ps_wal_seg_ensure(struct ps_wal *wal, uint64_t seg_no)
{
    uint64_t next;
    ps_err err = PS_OK;

    ps_mutex_lock(&wal->seg_mtx);
    while (!err && (next = atomic_load(&wal->seg_limit)) <= seg_no) {
        err = make_segment(wal->opts.io, next, wal->opts.segment_size);
        if (!err) {
            atomic_store(&wal->seg_limit, next + 1);
            atomic_store(&wal->short_of_space, false);
            atomic_fetch_add(&wal->counters.segments_made, 1);
        }
    }
    ps_mutex_unlock(&wal->seg_mtx);
    return judge_segments(wal, err);
}

/* One segment ahead is what reserve demands; from the middle of a segment on, one more. */
ps_err ps_wal_prepare_step(struct ps_wal *wal, bool *ret_made)
{
    uint32_t segment_size = wal->opts.segment_size;
    uint64_t seg_no =
        ps_wal_seg_no(segment_size, atomic_load(&wal->block_pos) + segment_size / 2) + 1;
    ps_err err = ps_poison_check(wal->opts.poison);

    *ret_made = !err && atomic_load(&wal->seg_limit) <= seg_no;
    return *ret_made ? ps_wal_seg_ensure(wal, seg_no) : err;
}

/* --- listing ------------------------------------------------------------------------------ */

struct listing {
    uint64_t no_max; /* positions of segments up to here do not overflow */
    uint64_t *nos;
    size_t count, cap;
};

bool ps_wal_seg_parse(const char *name, uint64_t *ret_seg_no)
{
    if (strspn(name, "0123456789abcdef") != 16 || name[16] != '\0')
        return false;
    *ret_seg_no = strtoull(name, NULL, 16);
    return true;
}

static ps_err list_entry(void *ctx, const char *name)
{
    struct listing *l = ctx;
    uint64_t no, *nos;

    if (!ps_wal_seg_parse(name, &no) || no > l->no_max)
        return PS_OK;
    if (l->count == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 64;
        nos = realloc(l->nos, l->cap * sizeof(*nos));
        if (!nos)
            return ps_fail(PS_ERR_NOMEM, "out of memory for the list of log segments");
        l->nos = nos;
    }
    l->nos[l->count++] = no;
    return PS_OK;
}

static int compare_nos(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

ps_err ps_wal_seg_list(struct ps_io *io, uint32_t segment_size, uint64_t **ret, size_t *ret_count)
{
    struct listing l = {.no_max = UINT64_MAX / segment_size - 2};
    ps_err err = io->ops->list(io, PS_WAL_DIR, list_entry, &l);

    if (err) {
        free(l.nos);
        return err;
    }
    if (l.count > 0)
        qsort(l.nos, l.count, sizeof(*l.nos), compare_nos);
    *ret = l.nos;
    *ret_count = l.count;
    return PS_OK;
}

ps_err ps_wal_oldest_pos(struct ps_io *io, uint32_t segment_size, uint64_t *ret_pos)
{
    uint64_t *nos = NULL;
    size_t count = 0;
    ps_err err = ps_wal_seg_list(io, segment_size, &nos, &count);

    if (err)
        return err;
    if (count > 0)
        *ret_pos = nos[0] * segment_size;
    free(nos);
    return count > 0 ? PS_OK : ps_fail(PS_ERR_NOENT, "no log segment in %s", PS_WAL_DIR);
}

/* --- adopting what a reader has found ----------------------------------------------------- */

/* Spare segments are kept up to here: as many as the log can come to need, its tail being at
 * max_wal. */
static uint64_t spares_end(const struct ps_wal *wal, uint64_t tail_no)
{
    uint64_t last_no =
        ps_wal_seg_no(wal->opts.segment_size, atomic_load(&wal->log_start_lsn) + wal->opts.max_wal);

    return (last_no > tail_no ? last_no : tail_no) + SPARES_AHEAD + 1;
}

struct leftovers {
    char names[16][WAL_NAME_LEN];
    size_t count;
};

/* Segments that were being made when the store was last closed. There is at most one; more are
 * cleared away by later opens. */
static ps_err find_leftover(void *ctx, const char *name)
{
    struct leftovers *l = ctx;

    if (strncmp(name, TMP_PREFIX, strlen(TMP_PREFIX)) != 0 || strlen(name) > 20 ||
        l->count == sizeof(l->names) / sizeof(l->names[0]))
        return PS_OK;
    snprintf(l->names[l->count++], WAL_NAME_LEN, PS_WAL_DIR "/%.20s", name);
    return PS_OK;
}

static ps_err remove_leftovers(struct ps_io *io)
{
    struct leftovers l = {.count = 0};
    ps_err err = io->ops->list(io, PS_WAL_DIR, find_leftover, &l);
    size_t i;

    for (i = 0; !err && i < l.count; i++)
        err = io->ops->unlink(io, l.names[i]);
    return err;
}

static ps_err sync_segment(struct ps_io *io, uint64_t seg_no)
{
    char name[WAL_NAME_LEN];
    struct ps_io_file *file;
    ps_err err;

    ps_wal_seg_name(seg_no, name);
    err = io->ops->open(io, name, 0, &file);
    if (err)
        return err;
    err = ps_io_sync(file);
    ps_io_close(file);
    return err;
}

static ps_err stat_segment(struct ps_io *io, uint64_t seg_no, uint64_t *ret_size)
{
    char name[WAL_NAME_LEN];
    struct ps_io_stat st;
    struct ps_io_file *file;
    ps_err err;

    ps_wal_seg_name(seg_no, name);
    err = io->ops->open(io, name, PS_IO_RDONLY, &file);
    if (err)
        return err;
    err = io->ops->stat(file, &st);
    if (!err)
        *ret_size = st.size;
    ps_io_close(file);
    return err;
}

ps_err ps_wal_check_size(struct ps_io *io, uint32_t segment_size, uint64_t from, uint64_t to)
{
    const uint64_t first = ps_wal_seg_no(segment_size, from);
    const uint64_t last = ps_wal_seg_no(segment_size, to);
    uint64_t *nos = NULL, size = 0;
    char name[WAL_NAME_LEN];
    size_t count = 0, i;
    ps_err err = ps_wal_seg_list(io, segment_size, &nos, &count);

    for (i = 0; !err && i < count; i++) {
        if (nos[i] < first || nos[i] > last)
            continue;
        err = stat_segment(io, nos[i], &size);
        if (err || (size >= segment_size && size / 2 < segment_size))
            continue;
        ps_wal_seg_name(nos[i], name);
        err =
            ps_fail(PS_ERR_CORRUPT, "%s has %" PRIu64 " bytes, a segment of this log has %" PRIu32,
                    name, size, segment_size);
    }
    free(nos);
    return err;
}

/* The segment that the tail lies in counts as it is; later ones are spares, and good only if they
 * continue the row and have their size. Returns by how many entries of nos the row goes on. */
static ps_err count_row(struct ps_wal *wal, const uint64_t *nos, size_t count, uint64_t tail_no,
                        uint64_t *ret_limit)
{
    uint64_t limit = tail_no, size = 0;
    size_t i;
    ps_err err;

    for (i = 0; i < count && limit < spares_end(wal, tail_no); i++) {
        if (nos[i] < tail_no)
            continue;
        if (nos[i] != limit)
            break;
        err = stat_segment(wal->opts.io, nos[i], &size);
        if (err)
            return err;
        if (nos[i] != tail_no && size != wal->opts.segment_size)
            break;
        limit++;
    }
    *ret_limit = limit;
    return PS_OK;
}

/* A reader may have read what a killed process had written and not synced: from here on it
 * counts as durable, so it must be. */
static ps_err sync_live(struct ps_wal *wal, const uint64_t *nos, size_t count, uint64_t tail_no)
{
    uint64_t first = ps_wal_seg_no(wal->opts.segment_size, atomic_load(&wal->redo_lsn));
    ps_err err = PS_OK;
    size_t i;

    for (i = 0; !err && i < count; i++) {
        if (nos[i] >= first && nos[i] <= tail_no)
            err = sync_segment(wal->opts.io, nos[i]);
    }
    return err;
}

static ps_err remove_segment(struct ps_io *io, uint64_t seg_no)
{
    char name[WAL_NAME_LEN];

    ps_wal_seg_name(seg_no, name);
    return io->ops->unlink(io, name);
}

ps_err ps_wal_seg_adopt(struct ps_wal *wal)
{
    uint64_t tail_no = ps_wal_seg_no(wal->opts.segment_size, atomic_load(&wal->block_pos));
    struct ps_io *io = wal->opts.io;
    uint64_t *nos = NULL, limit = tail_no;
    size_t count = 0, i;
    ps_err err;

    err = remove_leftovers(io);
    if (!err)
        err = ps_wal_seg_list(io, wal->opts.segment_size, &nos, &count);
    if (!err)
        err = sync_live(wal, nos, count, tail_no);
    if (!err)
        err = count_row(wal, nos, count, tail_no, &limit);
    for (i = 0; !err && i < count; i++) {
        if (nos[i] >= limit)
            err = remove_segment(io, nos[i]);
    }
    if (!err)
        err = io->ops->sync_dir(io, PS_WAL_DIR);
    atomic_init(&wal->seg_limit, limit);
    free(nos);
    return err;
}

/* --- recycling ---------------------------------------------------------------------------- */

/* One segment that is no longer needed: the next spare one, or gone. */
static ps_err recycle_one(struct ps_wal *wal, uint64_t seg_no, uint64_t end, uint64_t *next)
{
    char from[WAL_NAME_LEN], to[WAL_NAME_LEN];
    ps_err err;

    if (*next >= end)
        return remove_segment(wal->opts.io, seg_no);
    ps_wal_seg_name(seg_no, from);
    ps_wal_seg_name(*next, to);
    err = wal->opts.io->ops->rename(wal->opts.io, from, to);
    if (!err)
        (*next)++;
    return err;
}

/* Renames or removes what lies below log_start; the new names count once they are durable. */
static ps_err recycle_below(struct ps_wal *wal, uint64_t log_start_lsn)
{
    uint32_t segment_size = wal->opts.segment_size;
    uint64_t end = spares_end(wal, ps_wal_seg_no(segment_size, atomic_load(&wal->block_pos)));
    uint64_t *nos = NULL, next = atomic_load(&wal->seg_limit), first = next;
    size_t count = 0, i;
    ps_err err;

    ps_assert_held(&wal->seg_mtx);
    err = ps_wal_seg_list(wal->opts.io, segment_size, &nos, &count);
    for (i = 0; !err && i < count; i++) {
        if ((nos[i] + 1) * segment_size > log_start_lsn)
            break;
        err = recycle_one(wal, nos[i], end, &next);
    }
    free(nos);
    if (!err)
        err = wal->opts.io->ops->sync_dir(wal->opts.io, PS_WAL_DIR);
    if (err)
        return err;
    if (next > first)
        atomic_store(&wal->short_of_space, false);
    atomic_store(&wal->seg_limit, next);
    atomic_fetch_add(&wal->counters.segments_recycled, next - first);
    return PS_OK;
}

ps_err ps_wal_recycle(struct ps_wal *wal, uint64_t log_start_lsn)
{
    ps_err err;

    ps_mutex_lock(&wal->tail_mtx);
    assert(log_start_lsn <= atomic_load(&wal->block_pos));
    if (log_start_lsn > atomic_load(&wal->log_start_lsn))
        atomic_store(&wal->log_start_lsn, log_start_lsn);
    ps_cond_broadcast(&wal->room_cond);
    ps_mutex_unlock(&wal->tail_mtx);

    err = ps_poison_check(wal->opts.poison);
    if (err)
        return err;
    ps_mutex_lock(&wal->seg_mtx);
    err = recycle_below(wal, atomic_load(&wal->log_start_lsn));
    ps_mutex_unlock(&wal->seg_mtx);
    return judge_segments(wal, err);
}
