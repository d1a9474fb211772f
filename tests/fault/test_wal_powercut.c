/*
 * The log under power cuts, on a simulated disk.
 *
 * A workload appends groups, writes them out, flushes, checkpoints and recycles over many small
 * segments. It is run once to count its operations on the disk, then again for each of them with
 * the power cut there. Of what was not synced nothing, everything or a random part survives. The
 * log is then read, and gone on with in the next incarnation, cut again, and so on. At each reading
 * - the log is never refused, for nothing but unsynced sectors was lost;
 * - every group that a flush acknowledged is there, whole, in order, with its own bytes;
 * - what follows is a prefix of what was appended since: never a group of which an earlier
 *   reading had said that it is lost.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "format_test.h"
#include "seed.h"
#include "sim_disk.h"
#include "wal_test.h"

#define STEPS 60u
#define GROUPS_MAX 1000u

/* What stands in the control file, which is not what is tested here: always durable. */
struct control {
    uint32_t incarnation;
    uint64_t incarnation_lsn;
    uint64_t redo_lsn;
    uint64_t redo_group; /* the first group behind the redo point */
    uint64_t durable_lsn;
};

/* The log as it should be: group number i was appended by incarnation who[i]. */
struct history {
    uint64_t who[GROUPS_MAX];
    uint64_t appended;
    uint64_t acknowledged;
};

struct machine {
    struct sim_disk *disk;
    struct wal_fixture fix;
    struct control control;
    struct history history;
    uint64_t seed;
    bool killed; /* an operation was made to fail, to end the process and not the power */
};

/* ---- the workload; each step ends it when the power is gone ---- */

static ps_err append_one(struct machine *m)
{
    /* Often of one shape, so that what one incarnation left torn fits the next one's blocks. */
    bool usual = random_below(&m->seed, 2) == 0;
    size_t count = usual ? 2 : 1 + random_below(&m->seed, 3);
    uint32_t len = usual ? 600 : random_below(&m->seed, random_below(&m->seed, 2) ? 700 : 20000);
    struct ps_wal_slot slot = {0};
    struct test_group g;
    ps_err err;

    assert_true(m->history.appended < GROUPS_MAX);
    test_group_make(&g, m->control.incarnation, m->history.appended, count, len);
    err = ps_wal_reserve(m->fix.wal, test_group_len(&g), NULL, &slot);
    if (!err) {
        assert_true(ps_wal_append(m->fix.wal, &slot, g.recs, count, ps_wal_redo_lsn(m->fix.wal)));
        m->history.who[m->history.appended++] = m->control.incarnation;
    }
    test_group_free(&g);
    return err;
}

static ps_err flush_all(struct machine *m)
{
    ps_err err = ps_wal_writer_step(m->fix.wal);

    if (!err)
        m->history.acknowledged = m->history.appended;
    return err;
}

static ps_err checkpoint(struct machine *m)
{
    struct ps_record rec = {.rm = PS_RM_LOG, .type = PS_LOG_CHECKPOINT};
    struct ps_wal_slot slot = {0};
    uint64_t redo;
    ps_err err;

    err = ps_wal_reserve_urgent(m->fix.wal, ps_record_len(&rec), NULL, &slot);
    if (err)
        return err;
    ps_wal_append_checkpoint(m->fix.wal, &slot, &rec, &redo);
    err = flush_all(m);
    if (err)
        return err;
    m->control.redo_lsn = redo;
    m->control.redo_group = m->history.appended;
    m->control.durable_lsn = ps_wal_durable_lsn(m->fix.wal);
    return ps_wal_recycle(m->fix.wal, redo);
}

static ps_err step(struct machine *m)
{
    bool made;

    if (ps_wal_tail_lsn(m->fix.wal) > m->control.redo_lsn + 3 * TEST_SEGMENT)
        return checkpoint(m);
    switch (random_below(&m->seed, 14)) {
    case 0:
        return checkpoint(m);
    case 1:
        return ps_wal_prepare_step(m->fix.wal, &made);
    case 2:
    case 3:
    case 4:
        return flush_all(m);
    case 5:
    case 6:
        return ps_wal_write_out(m->fix.wal, NULL);
    default:
        return append_one(m);
    }
}

/* Opens the log where control and history say, and works until it is done or the power goes; long
 * enough for segments to have been recycled. */
static void work(struct machine *m, uint64_t end_pos, uint64_t last_lsn)
{
    unsigned i;
    ps_err err;

    m->fix.opts.incarnation = m->control.incarnation;
    m->fix.opts.end_pos = end_pos;
    m->fix.opts.last_lsn = last_lsn;
    m->fix.opts.redo_lsn = m->control.redo_lsn;
    m->fix.opts.log_start_lsn = m->control.redo_lsn;
    m->fix.opts.max_wal = 16 * TEST_SEGMENT;
    m->fix.wal = NULL;
    err = ps_wal_open(&m->fix.opts, &m->fix.wal);
    if (!err) /* what was read counts as durable from here on */
        m->history.acknowledged = m->history.appended;
    for (i = 0; !err && (i < STEPS || m->control.redo_lsn <= 2 * TEST_SEGMENT); i++)
        err = step(m);
    if (!err)
        err = flush_all(m);
    assert_true(err == PS_OK || m->killed || sim_disk_is_cut(m->disk));
    wal_fixture_close(&m->fix);
}

static void machine_start(struct machine *m, uint64_t seed)
{
    memset(m, 0, sizeof(*m));
    m->seed = seed;
    m->disk = sim_disk_new(seed);
    wal_fixture_init(&m->fix, sim_disk_io(m->disk));
    m->control.incarnation = 1;
    wal_fixture_create(&m->fix);
}

static void machine_stop(struct machine *m)
{
    wal_fixture_deinit(&m->fix);
    sim_disk_free(m->disk);
}

/* ---- recovery ---- */

struct reading {
    const struct history *history;
    uint64_t next;     /* group expected */
    size_t next_index; /* record of it */
};

static void check_record(void *ctx, const struct ps_record *rec)
{
    struct reading *reading = ctx;
    uint64_t who, no;
    size_t index;

    if (rec->rm == PS_RM_LOG)
        return;
    test_group_check(rec, &who, &no, &index);
    assert_int_equal(no, reading->next);
    assert_int_equal(index, reading->next_index);
    assert_true(no < reading->history->appended);
    assert_int_equal(who, reading->history->who[no]);
    reading->next_index++;
    if (rec->flags & PS_REC_GROUP_END) {
        reading->next_index = 0;
        reading->next++;
    }
}

static ps_err read_back(struct machine *m, struct reading *reading, struct ps_wal_end *ret_end)
{
    *reading = (struct reading){.history = &m->history, .next = m->control.redo_group};
    m->fix.opts.incarnation = m->control.incarnation;
    m->fix.opts.end_pos = m->control.incarnation_lsn;
    return read_log(&m->fix, m->control.redo_lsn, m->control.durable_lsn, check_record, reading,
                    ret_end);
}

/* The store comes up again: reads the log, and forgets what is not in it. */
static void recover(struct machine *m, struct ps_wal_end *ret_end)
{
    struct reading reading;
    ps_err err;

    ps_poison_deinit(&m->fix.poison);
    ps_poison_init(&m->fix.poison, NULL, NULL);
    err = read_back(m, &reading, ret_end);
    if (err != PS_ERR_NOENT)
        fail_msg("log refused: %s", ps_message());
    assert_int_equal(reading.next_index, 0);
    assert_true(reading.next >= m->history.acknowledged);
    m->history.appended = reading.next;
    m->control.incarnation++;
    m->control.incarnation_lsn = ret_end->end_pos;
}

/* ---- tests ---- */

static void cut_and_recover(uint64_t seed, uint64_t cut, enum sim_crash_mode mode)
{
    struct ps_wal_end end;
    struct machine m;
    unsigned round;

    machine_start(&m, seed);
    sim_disk_cut_at(m.disk, cut);
    work(&m, 0, 0);
    for (round = 0; round < 3; round++) {
        sim_disk_crash(m.disk, mode, seed + round);
        recover(&m, &end);
        sim_disk_cut_at(m.disk, random_below(&m.seed, 40));
        work(&m, end.end_pos, end.last_lsn);
    }
    sim_disk_crash(m.disk, mode, seed + round);
    recover(&m, &end);
    work(&m, end.end_pos, end.last_lsn);
    recover(&m, &end);
    assert_int_equal(m.history.appended, m.history.acknowledged);
    machine_stop(&m);
}

/* The process is killed at a sync, of a file or of the folder: what it had written stays readable,
 * and is not durable. The next one reads it, goes on, and meets a power cut. False: there are not
 * so many syncs. */
static bool kill_and_recover(uint64_t seed, enum sim_op_kind kind, uint64_t after, uint64_t cut,
                             enum sim_crash_mode mode)
{
    struct ps_wal_end end;
    struct machine m;
    uint64_t before;
    bool hit;

    machine_start(&m, seed);
    sim_disk_arm(m.disk, kind, after, SIM_EIO);
    m.killed = true;
    before = sim_disk_kind_count(m.disk, kind);
    work(&m, 0, 0);
    hit = sim_disk_kind_count(m.disk, kind) - before > after;
    if (hit) {
        recover(&m, &end);
        m.killed = false;
        sim_disk_cut_at(m.disk, sim_disk_op_count(m.disk) + cut);
        work(&m, end.end_pos, end.last_lsn);
        sim_disk_crash(m.disk, mode, seed);
        recover(&m, &end);
        work(&m, end.end_pos, end.last_lsn);
        recover(&m, &end);
        assert_int_equal(m.history.appended, m.history.acknowledged);
    }
    machine_stop(&m);
    return hit;
}

/* Operations of the workload on the disk, after the log was made. */
static uint64_t count_ops(uint64_t seed, uint64_t *ret_first)
{
    struct machine m;
    uint64_t ops;

    machine_start(&m, seed);
    *ret_first = sim_disk_op_count(m.disk);
    work(&m, 0, 0);
    ops = sim_disk_op_count(m.disk);
    machine_stop(&m);
    return ops;
}

static void cut_everywhere(enum sim_crash_mode mode, unsigned seeds)
{
    uint64_t seed = test_seed(), first, cut, ops;

    for (; seeds > 0; seeds--, seed++) {
        ops = count_ops(seed, &first);
        for (cut = first; cut < ops; cut++)
            cut_and_recover(seed, cut, mode);
    }
}

static void nothing_acknowledged_is_lost_when_unsynced_sectors_are(void **state)
{
    (void)state;
    cut_everywhere(SIM_CRASH_DROP, 1);
}

static void nothing_acknowledged_is_lost_when_unsynced_sectors_stay(void **state)
{
    (void)state;
    cut_everywhere(SIM_CRASH_KEEP, 1);
}

static void nothing_acknowledged_is_lost_when_some_sectors_are(void **state)
{
    (void)state;
    cut_everywhere(SIM_CRASH_SAMPLE, 4);
}

static void what_a_killed_process_left_unsynced_is_durable_once_the_log_is_open(void **state)
{
    static const enum sim_crash_mode modes[] = {SIM_CRASH_DROP, SIM_CRASH_SAMPLE};
    static const enum sim_op_kind kinds[] = {SIM_SYNC, SIM_SYNC_DIR};
    uint64_t seed = test_seed(), after, cut;
    size_t kind;

    (void)state;
    for (kind = 0; kind < 2; kind++) {
        after = 0;
        while (kill_and_recover(seed, kinds[kind], after, 0, SIM_CRASH_DROP)) {
            for (cut = 1; cut < 20; cut++)
                kill_and_recover(seed, kinds[kind], after, cut, modes[cut % 2]);
            after++;
        }
        assert_true(after > 3);
    }
}

/* Positions of durable bytes that a block proves: [from, to) of records before the last flush. */
struct extents {
    uint64_t from[GROUPS_MAX * 4];
    uint64_t to[GROUPS_MAX * 4];
    size_t count;
};

static void keep_extent(void *ctx, const struct ps_record *rec)
{
    struct extents *e = ctx;

    e->from[e->count] = rec->pos;
    e->to[e->count] = rec->lsn;
    e->count++;
}

static void seg_name(uint64_t pos, char *name, size_t len)
{
    snprintf(name, len, "wal/%016" PRIx64, pos / TEST_SEGMENT);
}

/* A finished log, with something behind the redo point, whose last flush holds one group alone.
 * Blocks before it are proven durable. */
static void finished_log(struct machine *m, uint64_t seed, struct extents *e)
{
    struct ps_wal_end end;
    unsigned i;

    machine_start(m, seed);
    work(m, 0, 0);
    recover(m, &end);
    m->fix.opts.incarnation = m->control.incarnation;
    m->fix.opts.end_pos = end.end_pos;
    m->fix.opts.last_lsn = end.last_lsn;
    wal_fixture_open(&m->fix);
    for (i = 0; i < 20; i++) {
        assert_int_equal(append_one(m), PS_OK);
        if (i == 18) {
            assert_int_equal(flush_all(m), PS_OK);
            e->count = 0;
            assert_int_equal(read_log(&m->fix, m->control.redo_lsn, 0, keep_extent, e, &end),
                             PS_ERR_NOENT);
        }
    }
    assert_int_equal(flush_all(m), PS_OK);
    wal_fixture_close(&m->fix);
    m->control.durable_lsn = 0; /* the blocks alone must tell */
}

static void damage_in_durable_sectors_is_refused_and_named(void **state)
{
    static struct extents e;
    uint64_t seed = test_seed(), pos;
    struct ps_wal_end end;
    struct reading reading;
    struct machine m;
    char name[64];
    size_t i;

    (void)state;
    finished_log(&m, seed, &e);
    assert_true(e.count >= 19);
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_NOENT);
    for (i = 0; i < e.count; i++) {
        unsigned bit = random_below(&seed, 8);

        pos = e.from[i] + random_below(&seed, (uint32_t)(e.to[i] - e.from[i]));
        seg_name(pos, name, sizeof(name));
        sim_disk_flip(m.disk, name, pos % TEST_SEGMENT, bit);
        assert_int_equal(read_back(&m, &reading, &end), PS_ERR_CORRUPT);
        assert_non_null(strstr(ps_message(), name));
        assert_non_null(strstr(ps_message(), " byte "));
        assert_non_null(strstr(ps_message(), "was durable up to LSN"));
        assert_true(end.end_pos <= pos);
        sim_disk_flip(m.disk, name, pos % TEST_SEGMENT, bit);
    }
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_NOENT);
    machine_stop(&m);
}

static void hole_of_zeros_in_durable_sectors_is_refused(void **state)
{
    static const uint8_t zeros[SIM_SECTOR];
    static struct extents e;
    uint64_t seed = test_seed(), pos;
    struct ps_wal_end end;
    struct reading reading;
    struct machine m;
    char name[64];
    size_t i;

    (void)state;
    finished_log(&m, seed, &e);
    for (i = 0; i < e.count; i++) {
        struct sim_disk *sound = m.disk;

        /* The sector that the record's header begins in is never zero before. */
        pos = e.from[i] / SIM_SECTOR * SIM_SECTOR;
        seg_name(pos, name, sizeof(name));
        m.disk = sim_disk_clone(sound);
        m.fix.io = sim_disk_io(m.disk);
        sim_disk_patch(m.disk, name, pos % TEST_SEGMENT, zeros, sizeof(zeros));
        assert_int_equal(read_back(&m, &reading, &end), PS_ERR_CORRUPT);
        sim_disk_free(m.disk);
        m.disk = sound;
        m.fix.io = sim_disk_io(m.disk);
    }
    machine_stop(&m);
}

static void missing_segment_before_durable_ones_is_refused(void **state)
{
    static struct extents e;
    struct ps_wal_end end;
    struct reading reading;
    struct machine m;
    uint64_t seed = test_seed();
    struct ps_io *io;
    char name[64];

    (void)state;
    finished_log(&m, seed, &e);
    seg_name(m.control.redo_lsn, name, sizeof(name));
    io = sim_disk_io(m.disk);
    if (e.to[e.count - 1] / TEST_SEGMENT == m.control.redo_lsn / TEST_SEGMENT)
        m.control.durable_lsn = e.to[e.count - 1]; /* only the control file can know */
    assert_int_equal(io->ops->unlink(io, name), PS_OK);
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_CORRUPT);
    assert_non_null(strstr(ps_message(), name));
    assert_non_null(strstr(ps_message(), "there is no such segment file"));
    machine_stop(&m);
}

static void end_before_what_the_control_file_calls_durable_is_refused(void **state)
{
    static struct extents e;
    struct ps_wal_end end;
    struct reading reading;
    struct machine m;
    char name[64];
    uint64_t pos;

    (void)state;
    finished_log(&m, test_seed(), &e);
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_NOENT);
    m.control.durable_lsn = end.last_lsn;
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_NOENT);
    pos = end.last_lsn - 1; /* damage of the very last block, which no block proves */
    seg_name(pos, name, sizeof(name));
    sim_disk_flip(m.disk, name, pos % TEST_SEGMENT, 0);
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_CORRUPT);
    assert_non_null(strstr(ps_message(), "the control file says"));
    m.control.durable_lsn = end.end_pos;
    assert_int_equal(read_back(&m, &reading, &end), PS_ERR_NOENT);
    machine_stop(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_when_unsynced_sectors_are),
        cmocka_unit_test(nothing_acknowledged_is_lost_when_unsynced_sectors_stay),
        cmocka_unit_test(nothing_acknowledged_is_lost_when_some_sectors_are),
        cmocka_unit_test(what_a_killed_process_left_unsynced_is_durable_once_the_log_is_open),
        cmocka_unit_test(damage_in_durable_sectors_is_refused_and_named),
        cmocka_unit_test(hole_of_zeros_in_durable_sectors_is_refused),
        cmocka_unit_test(missing_segment_before_durable_ones_is_refused),
        cmocka_unit_test(end_before_what_the_control_file_calls_durable_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
