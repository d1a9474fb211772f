/*
 * test_control.c - the control file survives damage to either copy and a power cut anywhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/byteorder.h"
#include "base/crc32c.h"
#include "file/control.h"
#include "sim_disk.h"

struct fixture {
    struct sim_disk *disk;
    struct ps_io *io;
    struct ps_poison poison;
    struct ps_control control; /* as it was written last */
};

static struct ps_control sample(void)
{
    struct ps_control c = {
        .page_size = 8192,
        .segment_size = 16u << 20,
        .state = PS_STATE_IN_USE,
        .incarnation = 0x01020304,
        .incarnation_lsn = 0x1112131415161718,
        .redo_lsn = 0x2122232425262728,
        .log_start_lsn = 0x3132333435363738,
        .durable_lsn = 0x4142434445464748,
        .end_lsn = 0x5152535455565758,
        .next_txn = 0x6162636465666768,
        .next_table = 0x71727374,
        .written_us = 0x0102030405060708,
    };

    for (uint8_t i = 0; i < sizeof(c.uuid); i++)
        c.uuid[i] = (uint8_t)(0xa0 + i);
    return c;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->disk = sim_disk_new(1);
    f->io = sim_disk_io(f->disk);
    ps_poison_init(&f->poison, NULL, NULL);
    f->control = sample();
    *state = f;
    return ps_control_write(f->io, &f->control, &f->poison) == PS_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    ps_poison_deinit(&f->poison);
    sim_disk_free(f->disk);
    free(f);
    return 0;
}

static void assert_same(const struct ps_control *a, const struct ps_control *b)
{
    assert_memory_equal(a->uuid, b->uuid, sizeof(a->uuid));
    assert_int_equal(a->page_size, b->page_size);
    assert_int_equal(a->segment_size, b->segment_size);
    assert_int_equal(a->state, b->state);
    assert_int_equal(a->incarnation, b->incarnation);
    assert_true(a->incarnation_lsn == b->incarnation_lsn);
    assert_true(a->redo_lsn == b->redo_lsn);
    assert_true(a->log_start_lsn == b->log_start_lsn);
    assert_true(a->durable_lsn == b->durable_lsn);
    assert_true(a->end_lsn == b->end_lsn);
    assert_true(a->next_txn == b->next_txn);
    assert_int_equal(a->next_table, b->next_table);
    assert_true(a->generation == b->generation);
    assert_true(a->written_us == b->written_us);
}

/* Puts bytes into one copy and makes its checksum right again. */
static void patch_copy(struct fixture *f, size_t copy, size_t off, const void *bytes, size_t len)
{
    size_t start = copy * PS_CONTROL_COPY_LEN;
    size_t file_len;
    unsigned char *file;
    uint32_t crc;
    ps_le32 stored;

    sim_disk_patch(f->disk, PS_CONTROL_PATH, start + off, bytes, len);
    file = sim_disk_dump(f->disk, PS_CONTROL_PATH, &file_len);
    crc = ps_crc32c_extend(PS_CRC32C_INIT, file + start, 12);
    crc = ps_crc32c_extend(crc, file + start + 16, PS_CONTROL_COPY_LEN - 16);
    stored = ps_put32(ps_crc32c_finish(crc));
    sim_disk_patch(f->disk, PS_CONTROL_PATH, start + 12, stored.b, sizeof(stored.b));
    free(file);
}

static void what_was_written_is_read(void **state)
{
    struct fixture *f = *state;
    struct ps_control got;
    struct ps_control_report report;

    assert_int_equal(ps_control_read(f->io, &got, &report), PS_OK);
    assert_same(&got, &f->control);
    assert_int_equal(report.copy_err[0], PS_OK);
    assert_int_equal(report.copy_err[1], PS_OK);
    assert_string_equal(report.copy_why[0], "");
    assert_string_equal(report.copy_why[1], "");
}

static void bytes_stand_where_the_format_says(void **state)
{
    static const unsigned char expected[] = {
        0x50, 0x47, 0x53, 0x54, 0x43, 0x54, 0x52, 0x4c, /* magic */
        1,    0,    0,    0,                            /* version */
        0,    0,    0,    0,                            /* checksum, put in below */
        0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
        0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, /* uuid */
        1,    0,    0,    0,    0,    0,    0,    0,    /* generation */
        0x00, 0x20, 0,    0,                            /* page size */
        0,    0,    0,    1,                            /* segment size */
        2,    0,    0,    0,                            /* state */
        4,    3,    2,    1,                            /* incarnation */
        0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, /* incarnation LSN */
        0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, /* redo LSN */
        0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, /* log start LSN */
        0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41, /* durable LSN */
        0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51, /* end LSN */
        0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61, /* next transaction */
        0x74, 0x73, 0x72, 0x71,                         /* next table */
        0,    0,    0,    0,                            /* zero */
        8,    7,    6,    5,    4,    3,    2,    1,    /* written */
    };
    struct fixture *f = *state;
    size_t len;
    unsigned char *file = sim_disk_dump(f->disk, PS_CONTROL_PATH, &len);

    assert_int_equal(len, 2 * PS_CONTROL_COPY_LEN);
    assert_memory_equal(file, expected, 12);
    assert_memory_equal(file + 16, expected + 16, sizeof(expected) - 16);
    for (size_t i = sizeof(expected); i < PS_CONTROL_COPY_LEN; i++)
        assert_int_equal(file[i], 0);
    assert_memory_equal(file, file + PS_CONTROL_COPY_LEN, PS_CONTROL_COPY_LEN);
    free(file);
}

static void any_flipped_bit_leaves_the_other_copy_to_serve(void **state)
{
    struct fixture *f = *state;

    for (uint64_t byte = 0; byte < 2 * PS_CONTROL_COPY_LEN; byte++) {
        size_t copy = byte / PS_CONTROL_COPY_LEN;

        for (unsigned bit = 0; bit < 8; bit++) {
            struct ps_control got;
            struct ps_control_report report;

            sim_disk_flip(f->disk, PS_CONTROL_PATH, byte, bit);
            assert_int_equal(ps_control_read(f->io, &got, &report), PS_OK);
            assert_same(&got, &f->control);
            assert_int_equal(report.copy_err[copy], PS_ERR_CORRUPT);
            assert_string_not_equal(report.copy_why[copy], "");
            assert_int_equal(report.copy_err[1 - copy], PS_OK);
            sim_disk_flip(f->disk, PS_CONTROL_PATH, byte, bit);
        }
    }
}

static void message_says_what_is_wrong_with_both_copies(void **state)
{
    struct fixture *f = *state;
    struct ps_control got = {.page_size = 77};

    sim_disk_flip(f->disk, PS_CONTROL_PATH, 0, 0);
    sim_disk_patch(f->disk, PS_CONTROL_PATH, PS_CONTROL_COPY_LEN + 12, "\1\2\3\4", 4);
    assert_int_equal(ps_control_read(f->io, &got, NULL), PS_ERR_CORRUPT);
    assert_ptr_equal(strstr(ps_message(),
                            "pagestore.control: both copies are damaged: copy 1 (byte 0): magic is "
                            "4c52544354534751, not 4c52544354534750; copy 2 (byte 4096): checksum "
                            "is 04030201, its bytes give "),
                     ps_message());
    assert_int_equal(got.page_size, 77);
}

static void short_file_names_what_is_missing(void **state)
{
    struct fixture *f = *state;
    struct ps_io_file *file;
    struct ps_control got;
    struct ps_control_report report;

    assert_int_equal(f->io->ops->open(f->io, PS_CONTROL_PATH, 0, &file), PS_OK);
    assert_int_equal(f->io->ops->truncate(file, 5000), PS_OK);
    assert_int_equal(ps_control_read(f->io, &got, &report), PS_OK);
    assert_same(&got, &f->control);
    assert_string_equal(report.copy_why[1], "the file ends after 904 of its 4096 bytes");
    assert_int_equal(f->io->ops->truncate(file, 0), PS_OK);
    assert_int_equal(ps_control_read(f->io, &got, NULL), PS_ERR_CORRUPT);
    ps_io_close(file);
    assert_int_equal(f->io->ops->unlink(f->io, PS_CONTROL_PATH), PS_OK);
    assert_int_equal(ps_control_read(f->io, &got, NULL), PS_ERR_NOENT);
}

static void impossible_values_are_corrupt_under_a_good_checksum(void **state)
{
    static const struct {
        size_t off;
        uint32_t value;
        const char *why;
    } cases[] = {
        {40, 2048, "page size 2048 is not a power of two from 4096 to 1048576"},
        {40, 12288, "page size 12288 is not a power of two from 4096 to 1048576"},
        {40, 2097152, "page size 2097152 is not a power of two from 4096 to 1048576"},
        {44, 0, "segment size 0 is not a power of two from 65536 on"},
        {44, 32768, "segment size 32768 is not a power of two from 65536 on"},
        {44, 69632, "segment size 69632 is not a power of two from 65536 on"},
        {48, 0, "state 0 is unknown"},
        {48, 3, "state 3 is unknown"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ps_le32 value = ps_put32(cases[i].value);
        struct ps_control got;
        struct ps_control_report report;

        assert_int_equal(ps_control_write(f->io, &f->control, &f->poison), PS_OK);
        patch_copy(f, 0, cases[i].off, value.b, sizeof(value.b));
        assert_int_equal(ps_control_read(f->io, &got, &report), PS_OK);
        assert_int_equal(report.copy_err[0], PS_ERR_CORRUPT);
        assert_string_equal(report.copy_why[0], cases[i].why);
    }
}

static void unknown_version_is_refused_even_beside_a_known_one(void **state)
{
    struct fixture *f = *state;
    ps_le32 version = ps_put32(2);
    struct ps_control got;

    patch_copy(f, 0, 8, version.b, sizeof(version.b));
    assert_int_equal(ps_control_read(f->io, &got, NULL), PS_ERR_UNSUPPORTED);
    assert_string_equal(ps_message(),
                        "pagestore.control: version is 2, this program knows version 1");
}

static void newer_of_two_sound_copies_counts(void **state)
{
    struct fixture *f = *state;

    for (size_t copy = 0; copy < 2; copy++) {
        ps_le64 generation = ps_put64(1000 + copy);
        ps_le64 redo = ps_put64(555 + copy);
        struct ps_control got;

        patch_copy(f, copy, 32, generation.b, sizeof(generation.b));
        patch_copy(f, copy, 64, redo.b, sizeof(redo.b));
        assert_int_equal(ps_control_read(f->io, &got, NULL), PS_OK);
        assert_true(got.redo_lsn == 555 + copy);
    }
}

static void copies_that_no_write_leaves_are_reported(void **state)
{
    const uint64_t ahead[][2] = {{8, 7}, {7, 8}, {9, 7}};
    const bool wrong[] = {false, true, true};
    struct fixture *f = *state;
    struct ps_control_report report;
    struct ps_control got;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        for (size_t copy = 0; copy < 2; copy++) {
            ps_le64 generation = ps_put64(ahead[i][copy]);

            patch_copy(f, copy, 32, generation.b, sizeof(generation.b));
        }
        assert_int_equal(ps_control_read(f->io, &got, &report), PS_OK);
        assert_int_equal(report.differ[0] != '\0', wrong[i]);
        assert_true(got.generation == (ahead[i][0] > ahead[i][1] ? ahead[i][0] : ahead[i][1]));
    }
}

static void copies_of_one_generation_that_differ_are_corrupt(void **state)
{
    struct fixture *f = *state;
    ps_le64 written = ps_put64(1);
    struct ps_control got;

    patch_copy(f, 1, 112, written.b, sizeof(written.b));
    assert_int_equal(ps_control_read(f->io, &got, NULL), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(),
                        "pagestore.control: both copies are of generation 1, and differ");
}

static void bytes_without_meaning_are_reported(void **state)
{
    static const size_t places[] = {108, 120, 4095};
    struct fixture *f = *state;
    struct ps_control_report report;
    struct ps_control got;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        assert_int_equal(ps_control_write(f->io, &f->control, &f->poison), PS_OK);
        for (size_t copy = 0; copy < 2; copy++)
            patch_copy(f, copy, places[i], "x", 1);
        sim_disk_patch(f->disk, PS_CONTROL_PATH, 8192, "yz", 2);
        assert_int_equal(ps_control_read(f->io, &got, &report), PS_OK);
        assert_true(report.copy_has_reserved[0] && report.copy_has_reserved[1]);
        assert_int_equal(report.trailing, 2);
    }
}

static void log_positions_follow_each_other(void **state)
{
    const struct ps_control sound = {
        .state = PS_STATE_CLEAN,
        .incarnation_lsn = 4096,
        .log_start_lsn = 4096,
        .redo_lsn = 8192,
        .durable_lsn = 8300,
        .end_lsn = 8300,
    };
    struct ps_control bad[6];

    (void)state;
    assert_int_equal(ps_control_check_log(&sound), PS_OK);
    for (size_t i = 0; i < 6; i++)
        bad[i] = sound;
    bad[0].redo_lsn = 8193;
    bad[1].incarnation_lsn = 1;
    bad[2].log_start_lsn = 8193;
    bad[3].redo_lsn = 12288;
    bad[4].durable_lsn = 8192;
    bad[5].end_lsn = 8301;
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(ps_control_check_log(&bad[i]), PS_ERR_CORRUPT);
}

/* Power cut at each operation of a write, each kind of crash: the old content or the new. */
static void power_cut_anywhere_leaves_a_whole_control_file(void **state)
{
    struct fixture *f = *state;
    uint64_t seen[2] = {0, 0};
    uint64_t op = 0;
    bool cut = true;

    for (; cut; op++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct sim_disk *disk = sim_disk_clone(f->disk);
            struct ps_io *io = sim_disk_io(disk);
            struct ps_control next = f->control;
            struct ps_control got;
            struct ps_poison poison;
            ps_err err;

            ps_poison_init(&poison, NULL, NULL);
            next.redo_lsn++;
            sim_disk_cut_at(disk, sim_disk_op_count(disk) + op);
            err = ps_control_write(io, &next, &poison);
            cut = sim_disk_is_cut(disk);
            assert_int_equal(err, cut ? PS_ERR_IO : PS_OK);
            assert_int_equal(ps_poison_reason(&poison) != NULL, cut);
            sim_disk_crash(disk, seed % 3, seed);
            assert_int_equal(ps_control_read(io, &got, NULL), PS_OK);
            assert_same(&got, got.generation == next.generation ? &next : &f->control);
            assert_true(cut || got.generation == next.generation);
            seen[got.generation - f->control.generation]++;
            ps_poison_deinit(&poison);
            sim_disk_free(disk);
        }
    }
    assert_int_equal(op, 5); /* write, sync, write, sync, and the run without a cut */
    assert_true(seen[0] > 0 && seen[1] > 0);
}

static void completed_write_leaves_nothing_old_behind(void **state)
{
    struct fixture *f = *state;

    f->control.redo_lsn = 999;
    assert_int_equal(ps_control_write(f->io, &f->control, &f->poison), PS_OK);
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    for (size_t copy = 0; copy < 2; copy++) {
        struct ps_control got;

        sim_disk_flip(f->disk, PS_CONTROL_PATH, copy * PS_CONTROL_COPY_LEN + 64, 0);
        assert_int_equal(ps_control_read(f->io, &got, NULL), PS_OK);
        assert_int_equal(got.redo_lsn, 999);
        sim_disk_flip(f->disk, PS_CONTROL_PATH, copy * PS_CONTROL_COPY_LEN + 64, 0);
    }
}

static void first_write_makes_the_name_durable(void **state)
{
    struct fixture *f = *state;
    struct ps_control got;

    sim_disk_crash(f->disk, SIM_CRASH_DROP, 0);
    assert_int_equal(ps_control_read(f->io, &got, NULL), PS_OK);
    assert_same(&got, &f->control);
}

static void failed_write_poisons_and_is_not_repeated(void **state)
{
    static const struct {
        enum sim_op_kind kind;
        uint64_t after;
    } faults[] = {{SIM_WRITE, 0}, {SIM_SYNC, 0}, {SIM_WRITE, 1}, {SIM_SYNC, 1}};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct sim_disk *disk = sim_disk_clone(f->disk);
        struct ps_control control = f->control;
        struct ps_poison poison;
        uint64_t ops;

        ps_poison_init(&poison, NULL, NULL);
        sim_disk_arm(disk, faults[i].kind, faults[i].after, SIM_EIO);
        assert_int_equal(ps_control_write(sim_disk_io(disk), &control, &poison), PS_ERR_IO);
        assert_non_null(strstr(ps_poison_reason(&poison), PS_CONTROL_PATH));
        ops = sim_disk_op_count(disk);
        assert_int_equal(ps_control_write(sim_disk_io(disk), &control, &poison), PS_ERR_POISONED);
        assert_int_equal(sim_disk_op_count(disk), ops);
        ps_poison_deinit(&poison);
        sim_disk_free(disk);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_written_is_read),
        T(bytes_stand_where_the_format_says),
        T(any_flipped_bit_leaves_the_other_copy_to_serve),
        T(message_says_what_is_wrong_with_both_copies),
        T(short_file_names_what_is_missing),
        T(impossible_values_are_corrupt_under_a_good_checksum),
        T(unknown_version_is_refused_even_beside_a_known_one),
        T(newer_of_two_sound_copies_counts),
        T(copies_that_no_write_leaves_are_reported),
        T(copies_of_one_generation_that_differ_are_corrupt),
        T(bytes_without_meaning_are_reported),
        T(log_positions_follow_each_other),
        T(power_cut_anywhere_leaves_a_whole_control_file),
        T(completed_write_leaves_nothing_old_behind),
        T(first_write_makes_the_name_durable),
        T(failed_write_poisons_and_is_not_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
