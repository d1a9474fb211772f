/*
 * test_group.c - what a group logs, and what it leaves in pages and pool.
 */
#include "pool_fixture.h"
#include "seed.h"

#define FRAMES 32u

struct group_test {
    struct fx *fx;
    struct ps_group_env env;
    struct ps_group g;
};

static int setup(void **state)
{
    struct group_test *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    t->fx = fx_create(FRAMES);
    t->env = (struct ps_group_env){.pool = t->fx->pool, .wal = &t->fx->wal, .io = &t->fx->io};
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    struct group_test *t = *state;

    assert_int_equal(fx_stats(t->fx).reserved, 0);
    assert_int_equal(fx_stats(t->fx).pinned, 0);
    fx_destroy(t->fx);
    free(t);
    return 0;
}

static void begin(struct group_test *t, struct ps_txn_log *txn, uint32_t frames)
{
    assert_int_equal(ps_group_begin(&t->g, &t->env, txn, frames, FX_PAGE_SIZE, NULL), PS_OK);
}

static struct ps_page *take(struct group_test *t, uint32_t table, uint32_t page_no)
{
    const struct ps_tag tag = fx_tag(table, page_no);
    struct ps_page *page = NULL;

    assert_int_equal(ps_group_page(&t->g, &tag, PS_PIN_LOAD, NULL, &page), PS_OK);
    return page;
}

/* One change of one page by itself, so that its next one is no image. */
static uint64_t touch(struct group_test *t, uint32_t page_no, uint32_t off, uint8_t byte)
{
    begin(t, NULL, 3);
    *ps_group_write(&t->g, take(t, 0, page_no), off, 1) = byte;
    return ps_group_commit(&t->g);
}

/* The record at pos; returns where the next one is. */
static uint64_t record_at(struct group_test *t, uint64_t pos, struct ps_record *rec)
{
    struct ps_wal *wal = &t->fx->wal;

    assert_int_equal(ps_record_decode(wal->bytes + pos, wal->tail - pos, pos, rec), PS_OK);
    return rec->lsn;
}

/* --- what is logged ------------------------------------------------------------------------- */

static void first_change_after_the_redo_point_logs_the_whole_page(void **state)
{
    struct group_test *t = *state;
    uint64_t pos = t->fx->wal.tail;
    uint64_t lsn = touch(t, 5, 1000, 0xab);
    struct ps_record rec;

    assert_int_equal(record_at(t, pos, &rec), lsn);
    assert_int_equal(t->fx->wal.tail, lsn);
    assert_int_equal(rec.rm, PS_RM_PAGE);
    assert_int_equal(rec.type, PS_PAGE_CHANGE);
    assert_int_equal(rec.flags & PS_REC_GROUP_END, PS_REC_GROUP_END);
    assert_int_equal(rec.txn, 0);
    assert_int_equal(rec.time_us, 1000);
    assert_int_equal(rec.ref_count, 1);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE);
    assert_int_equal(rec.refs[0].page, 5);
    assert_int_equal(rec.refs[0].len, FX_PAGE_SIZE);
    assert_int_equal(rec.refs[0].after_len, 1001); /* the zeros behind are not logged */
    assert_int_equal(rec.refs[0].after[1000], 0xab);
    assert_int_equal(fx_get(rec.refs[0].after, 8), 5);
}

static void later_changes_log_the_bytes_written_alone(void **state)
{
    struct group_test *t = *state;
    struct ps_record rec;
    struct ps_page *page;
    uint64_t pos;

    touch(t, 5, 1000, 0xab);
    pos = t->fx->wal.tail;
    begin(t, NULL, 3);
    page = take(t, 0, 5);
    memcpy(ps_group_write(&t->g, page, 2000, 4), "wxyz", 4);
    memcpy(ps_group_write(&t->g, page, 100, 3), "abc", 3);
    ps_group_commit(&t->g);

    record_at(t, pos, &rec);
    assert_int_equal(rec.ref_count, 2);
    assert_int_equal(rec.refs[0].flags, 0);
    assert_int_equal(rec.refs[0].off, 100);
    assert_int_equal(rec.refs[0].len, 3);
    assert_memory_equal(rec.refs[0].after, "abc", 3);
    assert_int_equal(rec.refs[1].off, 2000);
    assert_memory_equal(rec.refs[1].after, "wxyz", 4);
}

static void change_after_the_redo_point_moved_logs_an_image_again(void **state)
{
    struct group_test *t = *state;
    uint64_t lsn = touch(t, 5, 1000, 1);
    struct ps_record rec;
    uint64_t pos;

    t->fx->wal.redo = lsn;
    pos = t->fx->wal.tail;
    touch(t, 5, 1000, 2);
    record_at(t, pos, &rec);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE);
    pos = t->fx->wal.tail;
    touch(t, 5, 1000, 3);
    record_at(t, pos, &rec);
    assert_int_equal(rec.refs[0].flags, 0);
}

static void redo_point_that_moves_under_a_commit_makes_it_decide_again(void **state)
{
    struct group_test *t = *state;
    uint64_t lsn = touch(t, 5, 1000, 1);
    struct ps_record rec;
    uint64_t pos = t->fx->wal.tail;

    t->fx->wal.redo_moves_to = lsn; /* between the decision and the append */
    touch(t, 5, 1000, 2);
    record_at(t, pos, &rec);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE);
    assert_int_equal(rec.refs[0].after[1000], 2);
}

static void ranges_that_touch_or_overlap_are_logged_as_one(void **state)
{
    struct group_test *t = *state;
    struct ps_record rec;
    struct ps_page *page;
    uint64_t pos;

    touch(t, 5, 0, 1);
    pos = t->fx->wal.tail;
    begin(t, NULL, 3);
    page = take(t, 0, 5);
    ps_group_write(&t->g, page, 100, 10);
    ps_group_write(&t->g, page, 300, 10);
    ps_group_write(&t->g, page, 110, 5);  /* touches the first */
    ps_group_write(&t->g, page, 90, 12);  /* overlaps it in front */
    ps_group_write(&t->g, page, 305, 50); /* overlaps the second behind */
    ps_group_write(&t->g, page, 310, 2);  /* lies within */
    ps_group_commit(&t->g);
    record_at(t, pos, &rec);
    assert_int_equal(rec.ref_count, 2);
    assert_int_equal(rec.refs[0].off, 90);
    assert_int_equal(rec.refs[0].len, 25);
    assert_int_equal(rec.refs[1].off, 300);
    assert_int_equal(rec.refs[1].len, 55);
}

static void more_than_four_ranges_are_merged_over_the_smallest_gap(void **state)
{
    struct group_test *t = *state;
    struct ps_record rec;
    struct ps_page *page;
    uint64_t pos;

    touch(t, 5, 0, 1);
    pos = t->fx->wal.tail;
    begin(t, NULL, 3);
    page = take(t, 0, 5);
    ps_group_write(&t->g, page, 1000, 10);
    ps_group_write(&t->g, page, 2000, 10);
    ps_group_write(&t->g, page, 2050, 10);
    ps_group_write(&t->g, page, 3000, 10);
    ps_group_write(&t->g, page, 500, 10);
    ps_group_commit(&t->g);
    record_at(t, pos, &rec);
    assert_int_equal(rec.ref_count, 4);
    assert_int_equal(rec.refs[0].off, 500);
    assert_int_equal(rec.refs[1].off, 1000);
    assert_int_equal(rec.refs[2].off, 2000);
    assert_int_equal(rec.refs[2].len, 60);
    assert_int_equal(rec.refs[3].off, 3000);
}

static void pages_of_a_group_take_the_lsn_of_its_end(void **state)
{
    struct group_test *t = *state;
    uint64_t pos = t->fx->wal.tail;
    struct ps_record rec;
    uint64_t lsn;
    uint32_t i;

    begin(t, NULL, 13);
    for (i = 0; i < 12; i++)
        *ps_group_write(&t->g, take(t, i / 6, i % 6), 64, 1) = (uint8_t)i;
    lsn = ps_group_commit(&t->g);
    for (i = 0; i < 12; i++) {
        pos = record_at(t, pos, &rec);
        assert_int_equal(rec.refs[0].table, i / 6);
        assert_int_equal(rec.refs[0].page, i % 6);
        assert_int_equal(rec.flags & PS_REC_GROUP_END, i == 11 ? PS_REC_GROUP_END : 0);
        assert_int_equal(fx_info(t->fx, i / 6, i % 6).lsn, lsn);
        assert_true(fx_info(t->fx, i / 6, i % 6).dirty);
        assert_int_equal(fx_info(t->fx, i / 6, i % 6).rec_lsn, FX_LOG_START);
    }
    assert_int_equal(pos, lsn);
    assert_int_equal(fx_flush(t->fx), PS_OK); /* and none of them before the log is */
    assert_true(t->fx->wal.durable >= lsn);
}

static void format_of_the_page_gets_lsn_and_its_name_into_the_log(void **state)
{
    struct group_test *t = *state;
    const struct ps_page_ident who = {.page_size = FX_PAGE_SIZE, .page_no = 7, .table_id = 0};
    const struct ps_tag tag = fx_tag(0, 7);
    uint64_t pos = t->fx->wal.tail;
    struct ps_record rec;
    struct ps_page *page;
    uint64_t lsn;

    begin(t, NULL, 3);
    assert_int_equal(ps_group_page(&t->g, &tag, PS_PIN_NEW, &ps_format_postgres, &page), PS_OK);
    ps_format_postgres.init(ps_group_write(&t->g, page, 0, FX_PAGE_SIZE), &who, PS_PAGE_SLOTTED);
    lsn = ps_group_commit(&t->g);
    page = fx_pin(t->fx, 0, 7);
    assert_int_equal(ps_format_postgres.lsn(page->data), lsn);
    ps_pool_unpin(t->fx->pool, page);
    record_at(t, pos, &rec);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE | PS_FORMAT_POSTGRES << PS_REF_FORMAT_SHIFT);
}

static void implied_writes_are_dirty_but_not_logged(void **state)
{
    struct group_test *t = *state;
    uint64_t lsn = touch(t, 9, 0, 1);
    uint64_t pos = t->fx->wal.tail;
    struct ps_record rec;
    struct ps_page *page;

    touch(t, 5, 0, 1);
    assert_int_equal(fx_flush(t->fx), PS_OK);
    pos = t->fx->wal.tail;
    begin(t, NULL, 4);
    *ps_group_write(&t->g, take(t, 0, 5), 50, 1) = 1;
    page = take(t, 0, 9);
    *ps_group_write_implied(&t->g, page, 60, 1) = 2;
    ps_group_put_lsn(&t->g, page, 512);
    lsn = ps_group_commit(&t->g);
    assert_int_equal(record_at(t, pos, &rec), lsn); /* one record */
    assert_int_equal(rec.refs[0].page, 5);
    assert_true(fx_info(t->fx, 0, 9).dirty);
    assert_int_equal(fx_info(t->fx, 0, 9).lsn, lsn);
    page = fx_pin(t->fx, 0, 9);
    assert_int_equal(fx_get(page->data, 512), lsn);
    assert_int_equal(page->data[60], 2);
    ps_pool_unpin(t->fx->pool, page);
}

static void implied_write_is_imaged_at_the_first_change(void **state)
{
    struct group_test *t = *state;
    uint64_t pos = t->fx->wal.tail;
    struct ps_record rec;

    begin(t, NULL, 4);
    *ps_group_write(&t->g, take(t, 0, 5), 50, 1) = 1;
    *ps_group_write_implied(&t->g, take(t, 0, 9), 60, 1) = 2;
    ps_group_commit(&t->g);
    pos = record_at(t, pos, &rec);
    record_at(t, pos, &rec);
    assert_int_equal(rec.refs[0].page, 9);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE);
    assert_int_equal(rec.refs[0].after[60], 2);
}

static void extra_record_ends_the_group(void **state)
{
    struct group_test *t = *state;
    struct ps_record extra = {
        .rm = PS_RM_TABLE, .type = PS_TABLE_DROP, .body = "body", .body_len = 4};
    uint64_t pos = t->fx->wal.tail;
    struct ps_record rec;
    uint64_t lsn;

    begin(t, NULL, 3);
    *ps_group_write(&t->g, take(t, 0, 5), 50, 1) = 1;
    t->g.extra = &extra;
    lsn = ps_group_commit(&t->g);
    pos = record_at(t, pos, &rec);
    assert_int_equal(rec.rm, PS_RM_PAGE);
    assert_int_equal(rec.flags & PS_REC_GROUP_END, 0);
    assert_int_equal(record_at(t, pos, &rec), lsn);
    assert_int_equal(rec.rm, PS_RM_TABLE);
    assert_int_equal(rec.flags & PS_REC_GROUP_END, PS_REC_GROUP_END);
    assert_memory_equal(rec.body, "body", 4);
    assert_int_equal(extra.pos, pos);
    assert_int_equal(extra.lsn, lsn);
    assert_int_equal(fx_info(t->fx, 0, 5).lsn, lsn);
}

/* --- transactions --------------------------------------------------------------------------- */

static void transaction_logs_before_bytes_and_chains_its_records(void **state)
{
    struct group_test *t = *state;
    struct ps_txn_log txn = {.id = 77};
    struct ps_record rec;
    uint64_t pos, second;

    touch(t, 5, 100, 0x11);
    touch(t, 6, 100, 0x22);
    pos = t->fx->wal.tail;
    begin(t, &txn, 4);
    *ps_group_write(&t->g, take(t, 0, 5), 100, 1) = 0x33;
    *ps_group_write(&t->g, take(t, 0, 6), 100, 1) = 0x44;
    ps_group_commit(&t->g);
    assert_int_equal(txn.first_pos, pos);

    second = record_at(t, pos, &rec);
    assert_int_equal(rec.txn, 77);
    assert_int_equal(rec.txn_prev, 0);
    assert_int_equal(rec.refs[0].flags, PS_REF_BEFORE);
    assert_int_equal(rec.refs[0].after[0], 0x33);
    assert_int_equal(rec.refs[0].before[0], 0x11);
    assert_int_equal(txn.last_pos, second);
    record_at(t, second, &rec);
    assert_int_equal(rec.txn_prev, pos);
    assert_int_equal(rec.refs[0].before[0], 0x22);

    pos = t->fx->wal.tail;
    begin(t, &txn, 3);
    *ps_group_write(&t->g, take(t, 0, 5), 100, 1) = 0x55;
    ps_group_commit(&t->g);
    record_at(t, pos, &rec);
    assert_int_equal(rec.txn_prev, second);
    assert_int_equal(rec.refs[0].before[0], 0x33);
    assert_int_equal(txn.last_pos, pos);
}

static void before_bytes_are_those_before_the_group_even_of_ranges_written_twice(void **state)
{
    struct group_test *t = *state;
    struct ps_txn_log txn = {.id = 1};
    struct ps_record rec;
    struct ps_page *page;
    uint64_t pos;

    touch(t, 5, 100, 0x11);
    touch(t, 5, 101, 0x12);
    pos = t->fx->wal.tail;
    begin(t, &txn, 3);
    page = take(t, 0, 5);
    *ps_group_write(&t->g, page, 100, 1) = 0x33;
    memcpy(ps_group_write(&t->g, page, 100, 2), "\x44\x45", 2);
    ps_group_commit(&t->g);
    record_at(t, pos, &rec);
    assert_int_equal(rec.ref_count, 1);
    assert_memory_equal(rec.refs[0].after, "\x44\x45", 2);
    assert_memory_equal(rec.refs[0].before, "\x11\x12", 2);
}

static void image_of_a_transaction_carries_before_bytes_of_each_range(void **state)
{
    struct group_test *t = *state;
    struct ps_txn_log txn = {.id = 1};
    struct ps_record rec;
    struct ps_page *page;
    uint64_t pos = t->fx->wal.tail;

    begin(t, &txn, 3);
    page = take(t, 0, 5);
    *ps_group_write(&t->g, page, 8, 1) = 0x33; /* was 5 */
    *ps_group_write(&t->g, page, 700, 1) = 0x34;
    ps_group_commit(&t->g);
    record_at(t, pos, &rec);
    assert_int_equal(rec.ref_count, 2);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE | PS_REF_BEFORE);
    assert_int_equal(rec.refs[0].before_off, 8);
    assert_int_equal(rec.refs[0].before_len, 1);
    assert_int_equal(rec.refs[0].before[0], 5);
    assert_int_equal(rec.refs[1].flags, PS_REF_BEFORE);
    assert_int_equal(rec.refs[1].off, 700);
    assert_int_equal(rec.refs[1].after[0], 0x34);
    assert_int_equal(rec.refs[1].before[0], 0);
}

static void auto_commits_log_before_bytes_only_when_told(void **state)
{
    struct group_test *t = *state;
    struct ps_record rec;
    uint64_t pos;

    t->env.log_before_images = true;
    pos = t->fx->wal.tail;
    touch(t, 5, 100, 1);
    record_at(t, pos, &rec);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE | PS_REF_BEFORE);
    assert_int_equal(rec.txn, 0);
}

static void compensation_group_logs_where_undo_goes_on_and_no_before_bytes(void **state)
{
    struct group_test *t = *state;
    struct ps_txn_log txn = {.id = 7, .first_pos = 4096, .last_pos = 4200};
    uint64_t pos = t->fx->wal.tail;
    struct ps_record rec;

    assert_int_equal(ps_group_begin_undo(&t->g, &t->env, &txn, 4100, 3, 100), PS_OK);
    assert_int_equal(t->fx->wal.urgent, 1); /* undoing frees log: it is not held back by it */
    *ps_group_write(&t->g, take(t, 0, 5), 100, 1) = 1;
    ps_group_commit(&t->g);
    record_at(t, pos, &rec);
    assert_int_equal(rec.type, PS_PAGE_CLR);
    assert_int_equal(rec.undo_next, 4100);
    assert_int_equal(rec.txn, 7);
    assert_int_equal(rec.txn_prev, 4200);
    assert_int_equal(rec.refs[0].flags, PS_REF_IMAGE);
    assert_int_equal(txn.first_pos, 4096);
    assert_int_equal(txn.last_pos, pos);
}

/* --- frames, pins, errors ------------------------------------------------------------------- */

static void page_asked_for_twice_is_the_same_and_pinned_once(void **state)
{
    struct group_test *t = *state;
    struct ps_page *page;

    begin(t, NULL, 4);
    page = take(t, 0, 5);
    (void)take(t, 0, 6);
    assert_ptr_equal(take(t, 0, 5), page);
    assert_int_equal(fx_info(t->fx, 0, 5).pins, 1);
    ps_group_abandon(&t->g);
}

static void abandoned_group_logs_nothing_and_takes_new_pages_back(void **state)
{
    struct group_test *t = *state;
    const struct ps_tag tag = fx_tag(0, 7);
    uint64_t tail = t->fx->wal.tail;
    struct ps_page *page;

    begin(t, NULL, 4);
    (void)take(t, 0, 5);
    assert_int_equal(ps_group_page(&t->g, &tag, PS_PIN_NEW, NULL, &page), PS_OK);
    ps_group_abandon(&t->g);
    assert_int_equal(t->fx->wal.tail, tail);
    assert_true(fx_info(t->fx, 0, 5).valid);
    assert_false(fx_info(t->fx, 0, 7).valid);
    assert_int_equal(fx_stats(t->fx).dirty, 0);
}

static void group_that_writes_nothing_commits_nothing(void **state)
{
    struct group_test *t = *state;

    begin(t, NULL, 3);
    (void)take(t, 0, 5);
    assert_int_equal(ps_group_commit(&t->g), 0);
    assert_int_equal(t->fx->wal.tail, FX_LOG_START);
}

static void page_that_cannot_be_read_leaves_the_group_as_it_was(void **state)
{
    struct group_test *t = *state;
    const struct ps_tag tag = fx_tag(0, 6);
    struct ps_txn_log txn = {.id = 1};
    struct ps_page *page = NULL;

    begin(t, &txn, 4);
    (void)take(t, 0, 5);
    t->fx->load_err = PS_ERR_CORRUPT;
    assert_int_equal(ps_group_page(&t->g, &tag, PS_PIN_LOAD, NULL, &page), PS_ERR_CORRUPT);
    assert_null(page);
    assert_int_equal(t->g.page_count, 1);
    ps_group_abandon(&t->g);
}

static void group_that_gets_no_log_or_no_frames_holds_neither(void **state)
{
    struct group_test *t = *state;

    t->fx->wal.reserve_err = PS_ERR_NOSPC;
    assert_int_equal(ps_group_begin(&t->g, &t->env, NULL, 3, 100, NULL), PS_ERR_NOSPC);
    assert_int_equal(fx_stats(t->fx).reserved, 0);
    t->fx->wal.reserve_err = PS_OK;
    assert_int_equal(ps_group_begin(&t->g, &t->env, NULL, FRAMES + 1, 100, NULL), PS_ERR_RANGE);
    assert_int_equal(t->fx->wal.reserved, 0);
}

/* --- random groups against a redo of the log ------------------------------------------------ */

#define MODEL_PAGES 10u

/* Puts each record's bytes down in order: what redo will have to arrive at. */
static void replay(struct group_test *t, uint8_t (*pages)[FX_PAGE_SIZE])
{
    uint64_t pos = FX_LOG_START;
    struct ps_record rec;
    uint32_t i;

    while (pos < t->fx->wal.tail) {
        pos = record_at(t, pos, &rec);
        for (i = 0; i < rec.ref_count; i++) {
            const struct ps_ref *ref = &rec.refs[i];

            if (ref->flags & PS_REF_IMAGE)
                memset(pages[ref->page], 0, FX_PAGE_SIZE);
            memcpy(pages[ref->page] + ref->off, ref->after, ref->after_len);
        }
    }
}

static void random_group(struct group_test *t, struct ps_txn_log *txn)
{
    uint32_t page_no = (uint32_t)rand() % 3, writes;

    begin(t, rand() % 2 ? txn : NULL, MODEL_PAGES + 1);
    for (; page_no < MODEL_PAGES; page_no += 1 + (uint32_t)rand() % 5) {
        struct ps_page *page = take(t, 0, page_no);

        for (writes = (uint32_t)rand() % 8; writes > 0; writes--) {
            uint32_t off = 24 + (uint32_t)rand() % (FX_PAGE_SIZE - 24);
            uint32_t len = 1 + (uint32_t)rand() % (rand() % 4 ? 40 : 2000);

            len = len < FX_PAGE_SIZE - off ? len : FX_PAGE_SIZE - off;
            memset(ps_group_write(&t->g, page, off, len), rand() % 3 ? rand() : 0, len);
        }
    }
    ps_group_commit(&t->g);
}

static void log_of_random_groups_replays_to_the_same_pages(void **state)
{
    static uint8_t replayed[MODEL_PAGES][FX_PAGE_SIZE];
    struct group_test *t = *state;
    struct ps_txn_log txn = {.id = 1};
    uint32_t i;

    srand((unsigned)test_seed());
    memset(replayed, 0, sizeof(replayed));
    for (i = 0; i < 300; i++) {
        random_group(t, &txn);
        if (rand() % 20 == 0)
            t->fx->wal.redo = t->fx->wal.tail;
        if (rand() % 20 == 0)
            t->fx->wal.redo_moves_to = t->fx->wal.tail;
    }
    for (i = 0; i < MODEL_PAGES; i++)
        touch(t, i, 24, 1);
    replay(t, replayed);
    for (i = 0; i < MODEL_PAGES; i++) {
        struct ps_page *page = fx_pin(t->fx, 0, i);

        assert_memory_equal(page->data + 24, replayed[i] + 24, FX_PAGE_SIZE - 24);
        ps_pool_unpin(t->fx->pool, page);
    }
}

int main(void)
{
#define GROUP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        GROUP_TEST(first_change_after_the_redo_point_logs_the_whole_page),
        GROUP_TEST(later_changes_log_the_bytes_written_alone),
        GROUP_TEST(change_after_the_redo_point_moved_logs_an_image_again),
        GROUP_TEST(redo_point_that_moves_under_a_commit_makes_it_decide_again),
        GROUP_TEST(ranges_that_touch_or_overlap_are_logged_as_one),
        GROUP_TEST(more_than_four_ranges_are_merged_over_the_smallest_gap),
        GROUP_TEST(pages_of_a_group_take_the_lsn_of_its_end),
        GROUP_TEST(format_of_the_page_gets_lsn_and_its_name_into_the_log),
        GROUP_TEST(implied_writes_are_dirty_but_not_logged),
        GROUP_TEST(implied_write_is_imaged_at_the_first_change),
        GROUP_TEST(extra_record_ends_the_group),
        GROUP_TEST(transaction_logs_before_bytes_and_chains_its_records),
        GROUP_TEST(before_bytes_are_those_before_the_group_even_of_ranges_written_twice),
        GROUP_TEST(image_of_a_transaction_carries_before_bytes_of_each_range),
        GROUP_TEST(auto_commits_log_before_bytes_only_when_told),
        GROUP_TEST(compensation_group_logs_where_undo_goes_on_and_no_before_bytes),
        GROUP_TEST(page_asked_for_twice_is_the_same_and_pinned_once),
        GROUP_TEST(abandoned_group_logs_nothing_and_takes_new_pages_back),
        GROUP_TEST(group_that_writes_nothing_commits_nothing),
        GROUP_TEST(page_that_cannot_be_read_leaves_the_group_as_it_was),
        GROUP_TEST(group_that_gets_no_log_or_no_frames_holds_neither),
        GROUP_TEST(log_of_random_groups_replays_to_the_same_pages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
