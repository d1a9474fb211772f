/*
 * test_pg_visibility.c - which rows a server would see, by hint bits and by pg_xact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csv.h"
#include "pg/visibility.h"
#include "pg_bed.h"

#include <string.h>

#define XID 1000u

static struct ps_pg_tuple tuple(uint16_t infomask, uint32_t xmax)
{
    return (struct ps_pg_tuple){.xmin = XID, .xmax = xmax, .infomask = infomask};
}

static enum ps_pg_seen seen(struct ps_pg_tuple t)
{
    return ps_pg_visible(&t, NULL).seen;
}

static void frozen_row_is_seen(void **state)
{
    (void)state;
    assert_int_equal(seen(tuple(PS_PG_XMIN_FROZEN | PS_PG_XMAX_INVALID, 0)), PS_PG_SEEN);
}

static void committed_row_without_end_is_seen(void **state)
{
    (void)state;
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_INVALID, 0)), PS_PG_SEEN);
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_INVALID, XID + 1)), PS_PG_SEEN);
}

static void committed_row_with_committed_end_is_dead(void **state)
{
    (void)state;
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_COMMITTED, XID + 1)), PS_PG_DEAD);
}

static void aborted_insert_is_dead(void **state)
{
    struct ps_pg_tuple t = tuple(PS_PG_XMIN_INVALID | PS_PG_XMAX_INVALID, 0);

    (void)state;
    assert_int_equal(seen(t), PS_PG_DEAD);
    assert_string_equal(ps_pg_visible(&t, NULL).why, "aborted");
}

static void lock_is_no_end(void **state)
{
    (void)state;
    assert_int_equal(
        seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_LOCK_ONLY | PS_PG_XMAX_KEYSHR_LOCK, XID + 1)),
        PS_PG_SEEN);
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_LOCK_ONLY | PS_PG_XMAX_EXCL_LOCK |
                                    PS_PG_XMAX_IS_MULTI,
                                7)),
                     PS_PG_SEEN);
    /* as servers before 9.3 marked a row locked for update */
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_EXCL_LOCK, XID + 1)), PS_PG_SEEN);
}

static void without_hints_and_pg_xact_a_row_is_undecided(void **state)
{
    (void)state;
    assert_int_equal(seen(tuple(0, 0)), PS_PG_UNDECIDED);
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED, XID + 1)), PS_PG_UNDECIDED);
    assert_int_equal(seen(tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_IS_MULTI, 7)), PS_PG_UNDECIDED);
}

static void bootstrap_rows_need_no_pg_xact(void **state)
{
    struct ps_pg_tuple t = tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_INVALID, 0);

    (void)state;
    t.xmin = PS_PG_XID_BOOTSTRAP;
    assert_int_equal(seen(t), PS_PG_SEEN);
}

/* --- with the corpus' pg_xact and pg_multixact ---------------------------------------------- */

struct opened {
    struct ps_pg_cluster *cluster;
    struct ps_pg_xacts *xacts;
};

static struct opened open_xacts(const struct corpus *corpus)
{
    const struct ps_pg_options opts = {0};
    struct ps_store_options store_opts;
    struct opened o = {0};
    char path[600];

    ps_store_options_default(&store_opts);
    assert_int_equal(
        ps_pg_open(corpus_path(corpus, "cluster", path), &opts, &store_opts, &o.cluster), PS_OK);
    assert_int_equal(ps_pg_xacts_open(o.cluster, &o.xacts), PS_OK);
    return o;
}

static void close_xacts(struct opened *o)
{
    ps_pg_xacts_close(o->xacts);
    ps_pg_close(o->cluster);
}

static void every_xid_has_the_fate_that_postgresql_tells(void **state)
{
    struct opened o = open_xacts(*state);
    char path[600];
    struct csv *csv = csv_open(corpus_path(*state, "truth/xact_status.csv", path));
    unsigned count = 0;

    assert_non_null(csv);
    for (; csv_next(csv); count++) {
        enum ps_pg_fate fate = ps_pg_xact_fate(o.xacts, (uint32_t)csv_number(csv, "xid"));
        const char *status = csv_field(csv, "status");

        if (strcmp(status, "committed") == 0)
            assert_int_equal(fate, PS_PG_COMMITTED);
        else
            assert_int_equal(fate, PS_PG_ABORTED); /* what ran when it stopped did, too */
    }
    assert_true(count > 100);
    csv_close(csv);
    close_xacts(&o);
}

static void xid_beyond_the_next_one_is_unknown(void **state)
{
    struct opened o = open_xacts(*state);
    uint32_t next = (uint32_t)ps_pg_control(o.cluster)->next_xid;

    assert_true(next > PS_PG_XID_FIRST_NORMAL);
    assert_int_equal(ps_pg_xact_fate(o.xacts, next), PS_PG_UNKNOWN);
    assert_true(ps_pg_xact_in_future(o.xacts, next));
    assert_false(ps_pg_xact_in_future(o.xacts, next - 1));
    assert_int_equal(ps_pg_xact_fate(o.xacts, PS_PG_XID_FROZEN), PS_PG_COMMITTED);
    close_xacts(&o);
}

static unsigned mode_number(const char *mode)
{
    static const char *const modes[] = {"keysh", "sh", "fornokeyupd", "forupd", "nokeyupd", "upd"};
    unsigned i;

    for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(mode, modes[i]) == 0)
            return i;
    fail_msg("no such mode: %s", mode);
    return 0;
}

struct sought {
    struct ps_pg_member member;
    unsigned found;
};

static bool count_if_sought(void *ctx, const struct ps_pg_member *member)
{
    struct sought *s = ctx;

    s->found += member->xid == s->member.xid && member->status == s->member.status;
    return true;
}

static void every_multixact_has_the_members_that_postgresql_tells(void **state)
{
    struct opened o = open_xacts(*state);
    char path[600];
    struct csv *csv = csv_open(corpus_path(*state, "truth/multixact_members.csv", path));
    unsigned checked = 0;

    assert_non_null(csv);
    for (; csv_next(csv); checked++) {
        struct sought s = {.member = {.xid = (uint32_t)csv_number(csv, "xid"),
                                      .status = (uint8_t)mode_number(csv_field(csv, "mode"))}};

        assert_int_equal(
            ps_pg_multi_members(o.xacts, (uint32_t)csv_number(csv, "mx"), count_if_sought, &s),
            PS_OK);
        assert_int_equal(s.found, 1);
    }
    assert_true(checked > 0);
    csv_close(csv);
    close_xacts(&o);
}

static void multixact_that_was_never_made_is_noent(void **state)
{
    struct opened o = open_xacts(*state);
    struct sought s = {0};

    assert_int_equal(
        ps_pg_multi_members(o.xacts, ps_pg_control(o.cluster)->next_multi, count_if_sought, &s),
        PS_ERR_NOENT);
    close_xacts(&o);
}

static void hint_that_pg_xact_denies_is_told(void **state)
{
    struct opened o = open_xacts(*state);
    char path[600];
    struct csv *csv = csv_open(corpus_path(*state, "truth/xact_status.csv", path));
    unsigned aborted = 0;

    assert_non_null(csv);
    while (csv_next(csv)) {
        struct ps_pg_tuple t = tuple(PS_PG_XMIN_COMMITTED | PS_PG_XMAX_INVALID, 0);
        struct ps_pg_verdict v;

        t.xmin = (uint32_t)csv_number(csv, "xid");
        v = ps_pg_visible(&t, o.xacts);
        assert_int_equal(v.seen, PS_PG_SEEN); /* hints are believed */
        assert_int_equal(v.hint_wrong, strcmp(csv_field(csv, "status"), "committed") != 0);
        aborted += v.hint_wrong;
    }
    assert_true(aborted > 0);
    csv_close(csv);
    close_xacts(&o);
}

/* --- with a pg_xact of our own -------------------------------------------------------------- */

#define XACT_BYTES 8192u
#define NEXT_XID_EPOCH_AT 68u /* in pg_control */

static enum ps_pg_fate fate_in(struct bed *b, uint32_t xid)
{
    struct ps_pg_xacts *xacts;
    enum ps_pg_fate fate;

    ok(try_open(b, ""));
    ok(ps_pg_xacts_open(b->cluster, &xacts));
    fate = ps_pg_xact_fate(xacts, xid);
    ps_pg_xacts_close(xacts);
    shut(b);
    return fate;
}

/* How many transactions a segment has follows from the page size. */
static void fates_are_found_without_pg_control_whatever_the_page_size(void **state)
{
    static const uint32_t sizes[] = {4096, 8192, 16384, 32768};
    static const uint8_t committed[] = {0x55};
    struct bed b;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const uint32_t a_segment = sizes[i] * 4 * 32;

        begin(&b, state);
        run("rm '%s/global/pg_control' && rm '%s/pg_xact/'*", b.data, b.data);
        put(&b, "pg_xact/0003", committed, sizeof(committed));
        b.opts.page_size = sizes[i];
        assert_int_equal(fate_in(&b, 3 * a_segment), PS_PG_COMMITTED);
        assert_int_equal(fate_in(&b, 3 * a_segment + 3), PS_PG_COMMITTED);
        assert_int_equal(fate_in(&b, 3 * a_segment - 1), PS_PG_UNKNOWN);
        end(&b);
    }
}

/* A multixact of so many members, the last of which changed the row. */
static enum ps_pg_seen seen_with_members(struct bed *b, uint32_t count)
{
    enum { MULTI = 7, GROUP = 20, GROUPS_A_PAGE = XACT_BYTES / GROUP, PAGES = 41 };
    static uint8_t members[PAGES * XACT_BYTES];
    uint32_t offsets[MULTI + 2] = {[MULTI] = 1, [MULTI + 1] = 1 + count};
    struct ps_pg_tuple t = tuple(PS_PG_XMIN_FROZEN | PS_PG_XMAX_IS_MULTI, MULTI);
    struct ps_pg_xacts *xacts;
    enum ps_pg_seen seen;

    memset(members, 0, sizeof(members));
    for (uint32_t at = 1; at <= count; at++) {
        const uint32_t group = at / 4, page = group / GROUPS_A_PAGE;
        uint8_t *bytes = members + page * XACT_BYTES + group % GROUPS_A_PAGE * GROUP;
        const uint32_t xid = PS_PG_XID_FIRST_NORMAL + 1;

        bytes[at % 4] = at < count ? 0 : 5;
        memcpy(bytes + 4 + at % 4 * 4, &xid, sizeof(xid));
    }
    put(b, "pg_multixact/offsets/0000", offsets, sizeof(offsets));
    put(b, "pg_multixact/members/0000", members, 32 * XACT_BYTES);
    put(b, "pg_multixact/members/0001", members + 32 * XACT_BYTES, (PAGES - 32) * XACT_BYTES);
    ok(try_open(b, ""));
    ok(ps_pg_xacts_open(b->cluster, &xacts));
    seen = ps_pg_visible(&t, xacts).seen;
    ps_pg_xacts_close(xacts);
    shut(b);
    return seen;
}

static void row_that_thousands_locked_is_dead_if_the_last_deleted_it(void **state)
{
    static uint8_t committed[XACT_BYTES];
    struct bed b;

    begin(&b, state);
    memset(committed, 0x55, sizeof(committed));
    run("rm '%s/global/pg_control'", b.data);
    put(&b, "pg_xact/0000", committed, sizeof(committed));
    assert_int_equal(seen_with_members(&b, 3), PS_PG_DEAD);
    assert_int_equal(seen_with_members(&b, 513), PS_PG_DEAD);
    assert_int_equal(seen_with_members(&b, 65536), PS_PG_DEAD);
    assert_int_equal(seen_with_members(&b, 65537), PS_PG_UNDECIDED);
    end(&b);
}

/* From version 17 on the epoch is part of the file's name, of the next transaction or the one
 * before. */
static void prepared_transactions_are_found_by_either_name(void **state)
{
    static const uint8_t running[XACT_BYTES];
    uint32_t next;
    char path[64];
    struct bed b;

    begin(&b, state);
    ok(try_open(&b, ""));
    next = (uint32_t)ps_pg_control(b.cluster)->next_xid;
    shut(&b);
    run("mkdir -p '%s/pg_twophase'", b.data);
    put(&b, "pg_xact/0000", running, sizeof(running));
    put(&b, "pg_xact/0FFF", running, sizeof(running));
    patch_control(&b, NEXT_XID_EPOCH_AT, 2);
    assert_int_equal(fate_in(&b, next - 1), PS_PG_ABORTED);
    (void)snprintf(path, sizeof(path), "pg_twophase/00000002%08X", next - 1);
    put(&b, path, "x", 1);
    assert_int_equal(fate_in(&b, next - 1), PS_PG_RUNNING);
    (void)snprintf(path, sizeof(path), "pg_twophase/%08X", next - 2);
    put(&b, path, "x", 1);
    assert_int_equal(fate_in(&b, next - 2), PS_PG_RUNNING);
    (void)snprintf(path, sizeof(path), "pg_twophase/00000000%08X", next - 3);
    put(&b, path, "x", 1); /* of another epoch: long over */
    assert_int_equal(fate_in(&b, next - 3), PS_PG_ABORTED);
    put(&b, "pg_twophase/00000001FFF00001", "x", 1);
    assert_int_equal(fate_in(&b, 0xfff00001), PS_PG_RUNNING);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frozen_row_is_seen),
        cmocka_unit_test(committed_row_without_end_is_seen),
        cmocka_unit_test(committed_row_with_committed_end_is_dead),
        cmocka_unit_test(aborted_insert_is_dead),
        cmocka_unit_test(lock_is_no_end),
        cmocka_unit_test(without_hints_and_pg_xact_a_row_is_undecided),
        cmocka_unit_test(bootstrap_rows_need_no_pg_xact),
        cmocka_unit_test(every_xid_has_the_fate_that_postgresql_tells),
        cmocka_unit_test(xid_beyond_the_next_one_is_unknown),
        cmocka_unit_test(every_multixact_has_the_members_that_postgresql_tells),
        cmocka_unit_test(multixact_that_was_never_made_is_noent),
        cmocka_unit_test(hint_that_pg_xact_denies_is_told),
        cmocka_unit_test(fates_are_found_without_pg_control_whatever_the_page_size),
        cmocka_unit_test(row_that_thousands_locked_is_dead_if_the_last_deleted_it),
        cmocka_unit_test(prepared_transactions_are_found_by_either_name),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
