/* Damage looked for piece by piece, by threads: the lines are those that one thread finds, in the
 * same order, and what pages of several pieces say together is not lost between them. */
#include "pg/damage.h"

#include <pthread.h>
#include <sched.h>

#include "pg/damage_hand.h"
#include "pg_bed.h"

#define T_HOT "base/16384/16504"
#define T_HOT_KEY "base/16384/16509"
#define T_IDX_HASH "base/16384/16610"
#define T_IDX_SPGIST "base/16384/16615"
#define PIECE (524288u / PAGE)
#define LP_AT(slot) (24u + ((slot)-1u) * 4u)

static void look(struct bed *b, unsigned threads, struct ps_text *ret)
{
    struct ps_pg_damage_counts counts;
    struct ps_pg_catalog *catalog;
    struct ps_pg_damage *d;
    uint64_t lines = 0;
    bool done = false;

    memset(ret, 0, sizeof(*ret));
    ok(try_open(b, ""));
    ok(ps_pg_catalog_open(b->cluster, &catalog));
    ok(ps_pg_damage_open_all(catalog, threads, &d));
    while (!done)
        ok(ps_pg_damage_step(d, NULL, ret, &done));
    counts = ps_pg_damage_counts(d);
    ps_pg_damage_close(d);
    ps_pg_catalog_close(catalog);
    shut(b);
    ps_text_add(ret, "", 1);
    ok(ps_text_err(ret));
    for (const char *at = ret->data; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, counts.faults + counts.suspects);
    assert_true(counts.pages > 600);
}

static void expect_line(const struct ps_text *text, const char *line)
{
    if (!strstr(text->data, line))
        fail_msg("no '%s' in\n%s", line, text->data);
}

static void fetch_page(const struct bed *b, const char *file, uint32_t block, uint8_t *page)
{
    char path[TEMP_DIR_LEN + 300];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", b->data, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, page, PAGE, (off_t)block * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
}

/* Where the file ends before the block, zeros come between. */
static void write_page(const struct bed *b, const char *file, uint32_t block, uint8_t *page)
{
    struct ps_page_ident who = {.page_size = PAGE, .page_no = block};
    char path[TEMP_DIR_LEN + 300];
    int fd;

    ps_format_postgres.seal(page, &who);
    (void)snprintf(path, sizeof(path), "%s/%s", b->data, file);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, page, PAGE, (off_t)block * PAGE), PAGE);
    assert_int_equal(close(fd), 0);
}

static void copy_page(const struct bed *b, const char *file, uint32_t from, uint32_t to)
{
    uint8_t page[PAGE];

    fetch_page(b, file, from, page);
    write_page(b, file, to, page);
}

/* A leaf of the index, behind its end, of which two items have changed places. */
static void add_leaf_out_of_order(const struct bed *b, uint32_t block)
{
    uint8_t page[PAGE], lp[4];

    fetch_page(b, T_HOT_KEY, 1, page);
    memcpy(lp, page + LP_AT(2), sizeof(lp));
    memcpy(page + LP_AT(2), page + LP_AT(3), sizeof(lp));
    memcpy(page + LP_AT(3), lp, sizeof(lp));
    write_page(b, T_HOT_KEY, block, page);
}

/* The only page that leads to block 25 lies in the last piece, when the first is done with. */
static void lose_pages_of_spgist(const struct bed *b)
{
    copy_page(b, T_IDX_SPGIST, 11, 3 * PIECE);
    run("for block in 11 25; do dd if=/dev/zero of='%s/%s' bs=8192 seek=$block count=1 "
        "conv=notrunc "
        "status=none || exit 1; done",
        b->data, T_IDX_SPGIST);
}

static void damage_much(const struct bed *b)
{
    copy_page(b, T_HOT, 0, 3 * PIECE + 5);
    add_leaf_out_of_order(b, 2 * PIECE + 3);
    add_leaf_out_of_order(b, 2 * PIECE + 4);
    add_leaf_out_of_order(b, 4 * PIECE);
    run("cp '%s/%s' '%s/base/16384/77777'", b->data, T_HOT, b->data);
    run("printf x | dd of='%s/base/16384/77777' bs=1 seek=9000 conv=notrunc status=none", b->data);
    run("for f in '%s'/base/*/26*; do printf x | dd of=\"$f\" bs=1 seek=4000 conv=notrunc "
        "status=none; done",
        b->data);
    run("truncate -s +100 '%s/%s'", b->data, T_HOT);
    lose_pages_of_spgist(b);
}

static void threads_find_the_same_lines_in_the_same_order(void **state)
{
    static const unsigned threads[] = {2, 3, 16};
    struct ps_text one, many;
    struct bed b;

    begin(&b, state);
    damage_much(&b);
    look(&b, 1, &one);
    assert_true(one.len > 1000);
    for (unsigned i = 0; i < sizeof(threads) / sizeof(threads[0]); i++) {
        look(&b, threads[i], &many);
        assert_string_equal(many.data, one.data);
        ps_text_deinit(&many);
    }
    ps_text_deinit(&one);
    end(&b);
}

static void zeros_over_several_pieces_are_one_run(void **state)
{
    struct ps_text text;
    struct bed b;

    begin(&b, state);
    copy_page(&b, T_HOT, 0, 3 * PIECE + 5);
    copy_page(&b, T_HOT, 0, 4 * PIECE);
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        look(&b, threads, &text);
        expect_line(&text, T_HOT "\t4\t-\tsuspect\tzero\t193 pages from here on are all zero");
        expect_line(&text, T_HOT "\t198\t-\tsuspect\tzero\t58 pages from here on are all zero");
        ps_text_deinit(&text);
    }
    end(&b);
}

/* The hash index is as long as its metapage has it; zeros behind that are no pages of its. */
static void pages_that_an_index_uses_are_known_in_every_piece(void **state)
{
    struct ps_text text;
    struct bed b;

    begin(&b, state);
    lose_pages_of_spgist(&b);
    copy_page(&b, T_IDX_HASH, 2, 2 * PIECE);
    run("dd if=/dev/zero of='%s/%s' bs=8192 seek=16 count=2 conv=notrunc status=none", b.data,
        T_IDX_HASH);
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        look(&b, threads, &text);
        expect_line(&text, T_IDX_SPGIST "\t11\t-\tfault\tzero\tthe page is all zero, but its");
        expect_line(&text, T_IDX_SPGIST "\t25\t-\tfault\tzero\tthe page is all zero, but its");
        expect_line(&text,
                    T_IDX_HASH "\t16\t-\tfault\tzero\t2 pages from here on are all zero, but");
        assert_null(strstr(text.data, "later ones are not"));
        ps_text_deinit(&text);
    }
    end(&b);
}

/* Which order its keys are in is known from its first piece on. */
static void order_is_judged_in_every_piece_of_an_index(void **state)
{
    struct ps_text text;
    struct bed b;

    begin(&b, state);
    add_leaf_out_of_order(&b, 2 * PIECE);
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        look(&b, threads, &text);
        expect_line(&text, T_HOT_KEY "\t128\t3\tfault\torder\titem 3 is not beyond the one before");
        ps_text_deinit(&text);
    }
    end(&b);
}

static void threads_can_be_stopped_at_any_line(void **state)
{
    struct bed b;

    begin(&b, state);
    damage_much(&b);
    for (unsigned steps = 0; steps < 100; steps += 9) {
        struct ps_text text = {0};
        struct ps_pg_catalog *catalog;
        struct ps_pg_damage *d;
        bool done = false;

        ok(try_open(&b, ""));
        ok(ps_pg_catalog_open(b.cluster, &catalog));
        ok(ps_pg_damage_open_all(catalog, 4, &d));
        for (unsigned i = 0; i < steps && !done; i++)
            ok(ps_pg_damage_step(d, NULL, &text, &done));
        ps_pg_damage_close(d);
        ps_pg_catalog_close(catalog);
        shut(&b);
        ps_text_deinit(&text);
    }
    end(&b);
}

/* --- interrupted ----------------------------------------------------------------------------- */

/* Where threads are held that are about to walk a piece. */
static struct {
    pthread_mutex_t mtx;
    pthread_cond_t opened;
    bool closed; /* guarded by mtx */
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void set_gate(bool closed)
{
    (void)pthread_mutex_lock(&gate.mtx);
    gate.closed = closed;
    (void)pthread_cond_broadcast(&gate.opened);
    (void)pthread_mutex_unlock(&gate.mtx);
}

ps_err __real_ps_pg_hand_begin(struct ps_pg_hand *hand, const struct ps_pg_piece *piece,
                               struct ps_pg_out *out, bool *ret_has);
ps_err __wrap_ps_pg_hand_begin(struct ps_pg_hand *hand, const struct ps_pg_piece *piece,
                               struct ps_pg_out *out, bool *ret_has);

ps_err __wrap_ps_pg_hand_begin(struct ps_pg_hand *hand, const struct ps_pg_piece *piece,
                               struct ps_pg_out *out, bool *ret_has)
{
    (void)pthread_mutex_lock(&gate.mtx);
    while (gate.closed)
        (void)pthread_cond_wait(&gate.opened, &gate.mtx);
    (void)pthread_mutex_unlock(&gate.mtx);
    return __real_ps_pg_hand_begin(hand, piece, out, ret_has);
}

/* Raises the token once its owner waits. */
static void *interrupt(void *arg)
{
    struct ps_cancel *cancel = arg;
    bool waits = false;

    while (!waits) {
        sched_yield();
        (void)pthread_mutex_lock(&cancel->mtx);
        waits = cancel->waits_mtx != NULL;
        (void)pthread_mutex_unlock(&cancel->mtx);
    }
    ps_cancel_raise(cancel);
    return NULL;
}

/* Takes lines while all threads are held, until somebody ends the wait for them. */
static void wait_until_interrupted(struct ps_pg_damage *d, struct ps_text *text)
{
    struct ps_cancel cancel;
    pthread_t thread;
    bool done = false;
    ps_err err = PS_OK;

    ps_cancel_init(&cancel);
    assert_int_equal(pthread_create(&thread, NULL, interrupt, &cancel), 0);
    while (!err && !done)
        err = ps_pg_damage_step(d, &cancel, text, &done);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ps_cancel_deinit(&cancel);
    assert_int_equal(err, PS_ERR_INTERRUPTED);
    assert_false(done);
}

static void who_waits_for_threads_can_be_interrupted_and_go_on(void **state)
{
    struct ps_text all, text = {0};
    struct ps_pg_catalog *catalog;
    struct ps_pg_damage *d;
    struct bed b;
    bool done = false;

    begin(&b, state);
    damage_much(&b);
    look(&b, 1, &all);
    ok(try_open(&b, ""));
    ok(ps_pg_catalog_open(b.cluster, &catalog));
    set_gate(true);
    ok(ps_pg_damage_open_all(catalog, 3, &d));
    wait_until_interrupted(d, &text);
    set_gate(false);
    while (!done)
        ok(ps_pg_damage_step(d, NULL, &text, &done));
    ps_text_add(&text, "", 1);
    assert_string_equal(text.data, all.data);
    ps_pg_damage_close(d);
    ps_pg_catalog_close(catalog);
    ps_text_deinit(&text);
    ps_text_deinit(&all);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_find_the_same_lines_in_the_same_order),
        cmocka_unit_test(zeros_over_several_pieces_are_one_run),
        cmocka_unit_test(pages_that_an_index_uses_are_known_in_every_piece),
        cmocka_unit_test(order_is_judged_in_every_piece_of_an_index),
        cmocka_unit_test(threads_can_be_stopped_at_any_line),
        cmocka_unit_test(who_waits_for_threads_can_be_interrupted_and_go_on),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
