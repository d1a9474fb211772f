/*
 * The store through its public headers, on a simulated disk: tables, pages, bytes, items,
 * transactions, what a crash leaves.
 */
#include "store_fixture.h"

static void new_store_has_only_its_catalog(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t;
    struct ps_table_info info;

    assert_int_equal(ps_table_count(f->store), 1);
    t = find(f, PS_CATALOG_NAME);
    ok(ps_table_info(t, &info));
    assert_int_equal(info.id, PS_CATALOG_ID);
    assert_int_equal(info.type, PS_PAGE_SLOTTED);
    assert_int_equal(info.pages_end, 1);
    ps_table_unref(t);
}

static void tables_survive_close_and_open(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t;

    ps_table_unref(make(f, "users", PS_FORMAT_NATIVE));
    ps_table_unref(make(f, "rel", PS_FORMAT_POSTGRES));
    assert_int_equal(ps_table_create(f->store, "users", PS_FORMAT_NATIVE, PS_PAGE_RAW, NULL),
                     PS_ERR_EXIST);
    ok(ps_table_rename(f->store, "users", "people"));
    close_store(f);
    reopen(f);
    assert_int_equal(ps_table_count(f->store), 3);
    t = find(f, "people");
    assert_int_equal(ps_table_id(t), 2);
    ps_table_unref(t);
    assert_int_equal(ps_table_lookup(f->store, "users", &t), PS_ERR_NOENT);
}

static void names_that_are_no_table_names_are_refused(void **state)
{
    static const char *const bad[] = {"", ".x", "a/b"};
    struct fixture *f = *state;
    char longest[PS_TABLE_NAME_MAX + 2];
    size_t i;

    for (i = 0; i < 3; i++)
        assert_int_equal(ps_table_create(f->store, bad[i], 0, 0, NULL), PS_ERR_INVAL);
    memset(longest, 'x', sizeof(longest));
    longest[PS_TABLE_NAME_MAX + 1] = '\0';
    assert_int_equal(ps_table_create(f->store, longest, 0, 0, NULL), PS_ERR_RANGE);
    longest[PS_TABLE_NAME_MAX] = '\0';
    ok(ps_table_create(f->store, longest, 0, 0, NULL));
}

static void payload_reads_back_what_was_written_across_pages(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t *data = malloc(300000);
    uint64_t len = 0;

    fill(data, 300000, 1);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 12345, data, 300000, 0, NULL));
    expect_payload(t, 12345, data, 300000);
    ok(ps_space_len(t, PS_SPACE_PAYLOAD, &len));
    assert_int_equal(len, 312345);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 12345 + 7, data, 100000, 0, NULL));
    memmove(data + 7, data, 100000);
    expect_payload(t, 12345, data, 300000);
    ps_table_unref(t);
    close_store(f);
    reopen(f);
    t = find(f, "t");
    expect_payload(t, 12345, data, 300000);
    memset(data, 0, 12345);
    expect_payload(t, 0, data, 12345);
    ps_table_unref(t);
    free(data);
}

static void synced_changes_survive_a_crash_and_are_in_the_page_files(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[50000];

    fill(data, sizeof(data), 2);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), 0, NULL));
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    ps_table_unref(t);
    crash(f, SIM_CRASH_DROP);
    t = find(f, "t");
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
}

static void unsynced_write_is_there_whole_or_not_at_all_after_a_crash(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[50000];
    uint64_t len = 1;

    fill(data, sizeof(data), 3);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), 0, NULL));
    ps_table_unref(t);
    crash(f, SIM_CRASH_DROP);
    t = find(f, "t");
    ok(ps_space_len(t, PS_SPACE_PAYLOAD, &len));
    assert_int_equal(len, 0);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), PS_WRITE_DURABLE, NULL));
    ps_table_unref(t);
    crash(f, SIM_CRASH_DROP);
    t = find(f, "t");
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
}

static void store_stamps_what_is_its_own_and_keeps_every_other_byte(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t page[8192], got[8192];
    struct ps_page_ident who = {.page_size = 8192, .page_no = 3, .table_id = ps_table_id(t)};
    size_t n;

    fill(page, sizeof(page), 4);
    ok(ps_write(t, PS_SPACE_IMAGE, 3 * 8192, page, sizeof(page), 0, NULL));
    ok(ps_read(t, PS_SPACE_IMAGE, 3 * 8192, got, sizeof(got), NULL, &n));
    assert_int_equal(n, 8192);
    ok(ps_format_native.verify(got, &who));
    assert_memory_equal(got + 6, page + 6, 2); /* flags */
    assert_memory_equal(got + 32, page + 32, 8192 - 32);
    ps_table_unref(t);
}

static void freed_page_is_gone_and_its_number_can_be_taken_again(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_page_info info[4];
    struct ps_read r;
    uint8_t byte = 0xaa;
    uint32_t n;

    ok(ps_page_create(t, 5, NULL));
    ok(ps_page_create(t, 2, NULL));
    assert_int_equal(ps_page_create(t, 5, NULL), PS_ERR_EXIST);
    ok(ps_write(t, PS_SPACE_IMAGE, 5 * 8192 + 100, &byte, 1, PS_WRITE_PAGE, NULL));
    ok(ps_page_list(t, 0, info, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(info[0].page_no, 2);
    assert_int_equal(info[1].page_no, 5);
    assert_true(info[1].used && !info[0].used);
    ok(ps_page_free(t, 5, NULL));
    assert_int_equal(ps_read_begin(t, PS_SPACE_IMAGE, 5 * 8192, 8192, PS_READ_PAGE, NULL, &r),
                     PS_ERR_NOENT);
    assert_int_equal(ps_page_free(t, 5, NULL), PS_ERR_NOENT);
    ok(ps_page_create(t, 5, NULL));
    ok(ps_read_begin(t, PS_SPACE_IMAGE, 5 * 8192, 8192, PS_READ_PAGE, NULL, &r));
    assert_int_equal(((uint8_t *)r.iov[0].iov_base)[100], 0);
    ps_read_end(&r);
    ps_table_unref(t);
}

static void truncate_frees_pages_and_zeroes_the_tail(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[40000], zeros[40000] = {0};
    uint64_t len;

    fill(data, sizeof(data), 5);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), 0, NULL));
    ok(ps_truncate(t, PS_SPACE_PAYLOAD, 10000, NULL));
    ok(ps_space_len(t, PS_SPACE_IMAGE, &len));
    assert_int_equal(len, 2 * 8192);
    ok(ps_truncate(t, PS_SPACE_PAYLOAD, 40000, NULL));
    expect_payload(t, 0, data, 10000);
    expect_payload(t, 10000, zeros, 30000);
    ok(ps_truncate(t, PS_SPACE_PAYLOAD, 100ull << 30, NULL));
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    ok(ps_write(t, PS_SPACE_PAYLOAD, 50ull << 30, data, sizeof(data), 0, NULL));
    ok(ps_seek(t, PS_SPACE_PAYLOAD, 20000, true, &len));
    assert_true(len >= (50ull << 30) - 8192 && len <= 50ull << 30);
    ps_table_unref(t);
    close_store(f);
    reopen(f);
    t = find(f, "t");
    expect_payload(t, 50ull << 30, data, sizeof(data));
    ps_table_unref(t);
}

static void punched_range_reads_as_zeros(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t *data = malloc(200000);

    fill(data, 200000, 6);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, 200000, 0, NULL));
    ok(ps_punch(t, PS_SPACE_PAYLOAD, 10000, 150000, NULL));
    memset(data + 10000, 0, 150000);
    expect_payload(t, 0, data, 200000);
    ok(ps_punch(t, PS_SPACE_PAYLOAD, 199000, 5000, NULL));
    memset(data + 199000, 0, 1000);
    expect_payload(t, 0, data, 200000);
    ps_table_unref(t);
    crash(f, SIM_CRASH_KEEP);
    t = find(f, "t");
    free(data);
    ps_table_unref(t);
}

static void items_are_appended_read_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_table_info info;
    char line[64], got[64];
    uint32_t page = 0, slot = 0, len = 0, i;

    for (i = 0; i < 2000; i++) {
        int n = snprintf(line, sizeof(line), "item number %u", i);

        ok(ps_item_insert(t, line, (uint32_t)n, &page, &slot, NULL));
    }
    ok(ps_item_get(t, page, slot, got, sizeof(got), &len, NULL));
    assert_int_equal(len, strlen("item number 1999"));
    assert_memory_equal(got, "item number 1999", len);
    ok(ps_item_delete(t, page, slot, NULL));
    assert_int_equal(ps_item_get(t, page, slot, got, sizeof(got), &len, NULL), PS_ERR_NOENT);
    ok(ps_table_info(t, &info));
    assert_int_equal(info.type, PS_PAGE_SLOTTED);
    assert_int_equal(ps_write(t, PS_SPACE_PAYLOAD, 0, line, 1, 0, NULL), PS_ERR_WRONG_TYPE);
    ps_table_unref(t);
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    crash(f, SIM_CRASH_DROP);
    t = find(f, "t");
    ok(ps_item_get(t, 0, 1, got, sizeof(got), &len, NULL));
    assert_memory_equal(got, "item number 0", len);
    ps_table_unref(t);
}

static void aborted_transaction_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[20000];
    struct ps_txn *x;

    fill(data, sizeof(data), 8);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), 0, NULL));
    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 0, 100, "scribble", 8, NULL));
    ok(ps_txn_write(x, t, 1, 200, "scribble", 8, NULL));
    ok(ps_txn_write(x, t, 0, 104, "again", 5, NULL));
    assert_int_equal(ps_write(t, PS_SPACE_PAYLOAD, 0, "x", 1, 0, NULL), PS_ERR_CONFLICT);
    ok(ps_txn_abort(x));
    expect_payload(t, 0, data, sizeof(data));
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, 1, 0, NULL));
    ps_table_unref(t);
}

static void transaction_may_write_what_is_there_already(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    struct ps_txn *x;

    ok(ps_write(t, PS_SPACE_IMAGE, 100, "same", 4, 0, NULL));
    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 0, 100, "same", 4, NULL));
    assert_int_equal(ps_write(t, PS_SPACE_IMAGE, 0, "x", 1, 0, NULL), PS_ERR_CONFLICT);
    ok(ps_txn_commit(x));
    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 0, 100, "same", 4, NULL));
    ok(ps_txn_abort(x));
    ps_table_unref(t);
}

/* Such a page is stored all-zero, without an LSN, and that is no lost write. */
static void postgres_page_that_a_transaction_empties_can_be_read_again(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_POSTGRES);
    struct ps_txn *x;
    uint8_t byte = 7;
    size_t n;

    ok(ps_write(t, PS_SPACE_IMAGE, 100, &byte, 1, 0, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    ok(ps_txn_begin(f->store, &x));
    ok(ps_txn_write(x, t, 0, 100, "", 1, NULL));
    ok(ps_txn_commit(x));
    ps_table_unref(t);
    close_store(f);
    reopen(f);
    t = find(f, "t");
    ok(ps_read(t, PS_SPACE_IMAGE, 100, &byte, 1, NULL, &n));
    assert_int_equal(byte, 0);
    ps_table_unref(t);
}

static void
crash_undoes_the_transaction_that_did_not_commit_and_keeps_the_one_that_did(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[30000];
    struct ps_txn *won, *lost;
    struct sim_disk *disk;

    fill(data, sizeof(data), 9);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), 0, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    ok(ps_txn_begin(f->store, &won));
    ok(ps_txn_begin(f->store, &lost));
    ok(ps_txn_write(won, t, 0, 32, "committed", 9, NULL));
    ok(ps_txn_write(lost, t, 1, 32, "lost", 4, NULL));
    ok(ps_txn_write(lost, t, 2, 500, "lost", 4, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    ok(ps_txn_write(lost, t, 1, 700, "more", 4, NULL));
    ok(ps_txn_commit(won));
    ok(ps_store_sync(f->store, PS_SYNC_DATA));
    memcpy(data, "committed", 9);
    disk = sim_disk_clone(f->disk); /* as it is with the transaction under way */
    ok(ps_txn_abort(lost));
    ps_table_unref(t);
    ps_store_abandon(f->store);
    sim_disk_free(f->disk);
    f->disk = disk;
    sim_disk_crash(disk, SIM_CRASH_DROP, 1);
    reopen(f);
    t = find(f, "t");
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
}

static void dropped_table_stays_dropped_and_its_files_go(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);

    ok(ps_page_create(t, 0, NULL));
    ps_table_unref(t);
    assert_int_equal(ps_table_drop(f->store, "t", false), PS_ERR_NOTEMPTY);
    ok(ps_table_drop(f->store, "t", true));
    assert_false(sim_disk_exists(f->disk, "tables/2.pages"));
    crash(f, SIM_CRASH_DROP);
    assert_int_equal(ps_table_count(f->store), 1);
    assert_false(sim_disk_exists(f->disk, "tables/2.map"));
    t = make(f, "t", PS_FORMAT_NATIVE);
    assert_int_equal(ps_table_id(t), 3);
    ps_table_unref(t);
}

static void creation_that_a_crash_cut_off_leaves_no_files_and_can_be_repeated(void **state)
{
    struct fixture *f = *state;

    /* The first write after the files are made is that of the log: make the names survive alone. */
    sim_disk_arm(f->disk, SIM_WRITE_DURABLE, 0, SIM_CUT);
    assert_int_not_equal(ps_table_create(f->store, "t", PS_FORMAT_NATIVE, PS_PAGE_RAW, NULL),
                         PS_OK);
    crash(f, SIM_CRASH_DROP);
    assert_int_equal(ps_table_count(f->store), 1);
    assert_false(sim_disk_exists(f->disk, "tables/2.pages"));
    assert_false(sim_disk_exists(f->disk, "tables/2.map"));
    ps_table_unref(make(f, "t", PS_FORMAT_NATIVE));
}

static void flipped_bit_is_an_error_and_a_write_of_the_whole_page_heals_it(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t page[8192], byte;
    size_t n;

    fill(page, sizeof(page), 10);
    ok(ps_write(t, PS_SPACE_IMAGE, 0, page, sizeof(page), 0, NULL));
    ps_table_unref(t);
    close_store(f);
    sim_disk_flip(f->disk, "tables/2.pages", 5000, 3);
    reopen(f);
    t = find(f, "t");
    assert_int_equal(ps_read(t, PS_SPACE_IMAGE, 0, page, 1, NULL, &n), PS_ERR_CORRUPT);
    assert_non_null(strstr(f->last_message, "tables/2.pages page 0"));
    byte = 1;
    assert_int_equal(ps_write(t, PS_SPACE_IMAGE, 9, &byte, 1, 0, NULL), PS_ERR_CORRUPT);
    ok(ps_write(t, PS_SPACE_IMAGE, 0, page, sizeof(page), 0, NULL));
    ok(ps_read(t, PS_SPACE_IMAGE, 0, page, 1, NULL, &n));
    ps_table_unref(t);
}

static void page_of_an_earlier_time_is_a_lost_write(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_POSTGRES);
    unsigned char *old;
    size_t len, n;
    uint8_t byte = 7;

    ok(ps_write(t, PS_SPACE_IMAGE, 100, &byte, 1, 0, NULL));
    ok(ps_store_checkpoint(f->store, NULL));
    old = sim_disk_dump(f->disk, "tables/2.pages", &len);
    ok(ps_write(t, PS_SPACE_IMAGE, 200, &byte, 1, 0, NULL));
    ps_table_unref(t);
    close_store(f);
    sim_disk_patch(f->disk, "tables/2.pages", 0, old, 8192);
    free(old);
    reopen(f);
    t = find(f, "t");
    assert_int_equal(ps_read(t, PS_SPACE_IMAGE, 0, &byte, 1, NULL, &n), PS_ERR_CORRUPT);
    assert_non_null(strstr(f->last_message, "lost write"));
    ps_table_unref(t);
}

static void pages_of_a_mebibyte_take_writes_of_a_mebibyte(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t *data = malloc(1u << 20);

    assert_int_equal(ps_write_max(f->store), 1u << 20);
    fill(data, 1u << 20, 11);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 1000, data, 1u << 20, 0, NULL));
    expect_payload(t, 1000, data, 1u << 20);
    ps_table_unref(t);
    free(data);
}

/* A log of short segments is what bounds a write then, and its gap's map pages count, too. */
static void write_of_the_largest_size_is_taken_wherever_it_goes(void **state)
{
    struct fixture *f = *state;
    uint8_t *data = calloc(1, 1u << 20);
    uint64_t off;
    unsigned i;

    ps_store_abandon(f->store);
    sim_disk_free(f->disk);
    f->disk = sim_disk_new(1);
    ok(ps_store_init("sim", &(struct ps_init_options){.page_size = 4096,
                                                      .segment_size = 128u << 10,
                                                      .io_given = sim_disk_io(f->disk)}));
    reopen(f);
    for (i = 0; i < 20; i++) {
        struct ps_table *t = NULL;
        char name[16];

        snprintf(name, sizeof(name), "t%u", i);
        ok(ps_table_create(f->store, name, PS_FORMAT_NATIVE, PS_PAGE_RAW, &t));
        off = (uint64_t)(240 + i) * 4064 + 4063; /* the border of two map pages is near */
        ok(ps_write(t, PS_SPACE_PAYLOAD, off, data, ps_write_max(f->store), 0, NULL));
        ok(ps_write(t, PS_SPACE_PAYLOAD, 2 * off + (500u << 12), data, ps_write_max(f->store), 0,
                    NULL));
        ps_table_unref(t);
    }
    free(data);
}

static void failed_sync_poisons_the_store_and_recovery_brings_it_back(void **state)
{
    struct fixture *f = *state;
    struct ps_table *t = make(f, "t", PS_FORMAT_NATIVE);
    uint8_t data[10000];

    fill(data, sizeof(data), 12);
    ok(ps_write(t, PS_SPACE_PAYLOAD, 0, data, sizeof(data), PS_WRITE_DURABLE, NULL));
    sim_disk_arm(f->disk, SIM_SYNC, 0, SIM_FSYNC_FAIL);
    assert_int_not_equal(ps_store_sync(f->store, PS_SYNC_DATA), PS_OK);
    assert_non_null(ps_store_poison_reason(f->store));
    assert_int_equal(ps_store_sync(f->store, PS_SYNC_DATA), PS_ERR_POISONED);
    assert_int_equal(ps_write(t, PS_SPACE_PAYLOAD, 0, data, 1, 0, NULL), PS_ERR_POISONED);
    ps_table_unref(t);
    assert_int_not_equal(ps_store_close(f->store), PS_OK);
    f->store = NULL;
    sim_disk_crash(f->disk, SIM_CRASH_DROP, 1);
    reopen(f);
    t = find(f, "t");
    expect_payload(t, 0, data, sizeof(data));
    ps_table_unref(t);
}

static void log_on_a_full_disk_is_used_again_after_a_checkpoint(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct ps_init_options init = {.page_size = 8192, .segment_size = 256u << 10};
    struct ps_table *t;
    uint8_t page[8192];
    struct ps_store_space space;
    unsigned i, refused = 0;

    (void)state;
    f->page_size = 8192;
    f->disk = sim_disk_new(1);
    init.io_given = sim_disk_io(f->disk);
    ok(ps_store_init("sim", &init));
    reopen(f);
    t = make(f, "t", PS_FORMAT_NATIVE);
    fill(page, sizeof(page), 13);
    ok(ps_write(t, PS_SPACE_IMAGE, 0, page, sizeof(page), 0, NULL));
    /* What is there fits, one segment more does not. */
    sim_disk_set_capacity(f->disk, UINT64_MAX / 2);
    ok(ps_store_space(f->store, &space));
    sim_disk_set_capacity(f->disk, space.bytes_total - space.bytes_free + (128u << 10));
    for (i = 0; i < 2000; i++) {
        ps_err err = ps_write(t, PS_SPACE_IMAGE, 0, page, sizeof(page), 0, NULL);

        if (err == PS_ERR_NOSPC)
            refused++;
        else
            ok(err);
    }
    assert_int_equal(refused, 0); /* without threads the writer's own checkpoint makes room */
    ps_table_unref(t);
    crash(f, SIM_CRASH_DROP);
    close_store(f);
    sim_disk_free(f->disk);
    free(f);
}

static enum sim_fault refuse_tables(void *ctx, struct sim_disk *disk, const struct sim_op *op)
{
    (void)ctx;
    (void)disk;
    return op->kind == SIM_WRITE && strncmp(op->path, "tables/", 7) == 0 ? SIM_EIO : SIM_NO_FAULT;
}

static void writer_at_max_wal_is_told_when_its_own_checkpoint_fails(void **state)
{
    struct fixture *f = *state;
    struct ps_store_options opts;
    struct ps_table *t;
    uint8_t page[8192];
    ps_err err = PS_OK;
    unsigned i;

    close_store(f);
    options(f, &opts);
    opts.max_wal = 64u << 20;
    ok(ps_store_open("sim", &opts, &f->store));
    t = make(f, "t", PS_FORMAT_NATIVE);
    fill(page, sizeof(page), 14);
    sim_disk_set_hook(f->disk, refuse_tables, NULL);
    for (i = 0; i < 20000 && !err; i++)
        err = ps_write(t, PS_SPACE_IMAGE, 0, page, sizeof(page), 0, NULL);
    assert_int_equal(err, PS_ERR_IO);
    sim_disk_set_hook(f->disk, NULL, NULL);
    ok(ps_write(t, PS_SPACE_IMAGE, 0, page, sizeof(page), 0, NULL));
    ps_table_unref(t);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(new_store_has_only_its_catalog),
        T(tables_survive_close_and_open),
        T(names_that_are_no_table_names_are_refused),
        T(payload_reads_back_what_was_written_across_pages),
        T(synced_changes_survive_a_crash_and_are_in_the_page_files),
        T(unsynced_write_is_there_whole_or_not_at_all_after_a_crash),
        T(store_stamps_what_is_its_own_and_keeps_every_other_byte),
        T(freed_page_is_gone_and_its_number_can_be_taken_again),
        T(truncate_frees_pages_and_zeroes_the_tail),
        T(punched_range_reads_as_zeros),
        T(items_are_appended_read_and_deleted),
        T(aborted_transaction_leaves_no_trace),
        T(transaction_may_write_what_is_there_already),
        T(postgres_page_that_a_transaction_empties_can_be_read_again),
        T(crash_undoes_the_transaction_that_did_not_commit_and_keeps_the_one_that_did),
        T(dropped_table_stays_dropped_and_its_files_go),
        T(creation_that_a_crash_cut_off_leaves_no_files_and_can_be_repeated),
        T(flipped_bit_is_an_error_and_a_write_of_the_whole_page_heals_it),
        T(page_of_an_earlier_time_is_a_lost_write),
        cmocka_unit_test_setup_teardown(pages_of_a_mebibyte_take_writes_of_a_mebibyte, setup_1m,
                                        teardown),
        T(write_of_the_largest_size_is_taken_wherever_it_goes),
        T(failed_sync_poisons_the_store_and_recovery_brings_it_back),
        T(writer_at_max_wal_is_told_when_its_own_checkpoint_fails),
        cmocka_unit_test(log_on_a_full_disk_is_used_again_after_a_checkpoint),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
