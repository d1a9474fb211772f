/*
 * test_quick.c - reads and writes of pages that are answered without libfuse: with the right bytes,
 * or not at all.
 *
 * The device is a pipe that takes the replies.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <unistd.h>

#include "fs/quick.h"
#include "store_fixture.h"

#define PAGE 8192u
#define PAGES 8u
#define READERS 3u
#define NOBODY_ANSWERED INT_MIN

static int device[2];

int fuse_session_fd(struct fuse_session *se)
{
    (void)se;
    return device[1];
}

/* --- a mount without a kernel --------------------------------------------------------------- */

struct bed {
    struct pfs_options opts;
    struct pfs fs;
    struct pfs_quick quick;
    struct ps_table *table;
    uint8_t bytes[PAGES * PAGE]; /* of its image */
};

static void bed_init(struct bed *b, struct fixture *f)
{
    size_t len = 0;

    memset(b, 0, sizeof(*b));
    assert_int_equal(pipe2(device, O_NONBLOCK), 0);
    b->fs.opts = &b->opts;
    b->fs.store = f->store;
    pthread_rwlock_init(&b->fs.freeing, NULL);
    pfs_quick_init(&b->quick, &b->fs);
    b->table = make(f, "t", PS_FORMAT_NATIVE);
    fill(b->bytes, sizeof(b->bytes), 5);
    ok(ps_write(b->table, PS_SPACE_IMAGE, 0, b->bytes, sizeof(b->bytes), 0, NULL));
    ok(ps_read(b->table, PS_SPACE_IMAGE, 0, b->bytes, sizeof(b->bytes), NULL, &len));
    assert_int_equal(len, sizeof(b->bytes));
}

static void bed_deinit(struct bed *b)
{
    ps_table_unref(b->table);
    pfs_quick_deinit(&b->quick);
    pthread_rwlock_destroy(&b->fs.freeing);
    close(device[0]);
    close(device[1]);
}

static struct pfs_handle *open_node(struct bed *b, enum pfs_node_id id, uint32_t page)
{
    const struct pfs_object o = {.id = id, .table = ps_table_id(b->table), .page = page};
    struct ps_table *reference = NULL;
    struct pfs_handle *h = NULL;

    ok(ps_table_lookup(b->fs.store, "t", &reference));
    ok(pfs_handle_create(&o, reference, &h));
    return h;
}

/* --- what the kernel says ------------------------------------------------------------------- */

/* What came back: the bytes behind the header, their number, or the error, negative. */
struct answer {
    uint8_t bytes[PAGES * PAGE];
    int result; /* NOBODY_ANSWERED: the request is libfuse's, and there is no reply */
};

static void ask(struct bed *b, enum fuse_opcode opcode, const void *arg, size_t arg_len,
                const void *bytes, size_t len, struct answer *ret)
{
    static uint64_t unique = 2;
    uint8_t buf[sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) + PAGES * PAGE];
    struct fuse_in_header in = {.opcode = opcode, .unique = unique += 2};
    const struct fuse_buf request = {.mem = buf, .size = sizeof(in) + arg_len + len};
    uint8_t told[sizeof(struct fuse_out_header) + PAGES * PAGE];
    struct fuse_out_header out;
    bool answered;
    ssize_t got;

    in.len = (uint32_t)request.size;
    memcpy(buf, &in, sizeof(in));
    memcpy(buf + sizeof(in), arg, arg_len);
    if (len > 0)
        memcpy(buf + sizeof(in) + arg_len, bytes, len);
    answered = pfs_quick_answer(&b->quick, &request);
    got = read(device[0], told, sizeof(told));
    ret->result = NOBODY_ANSWERED;
    assert_int_equal(answered, got > 0);
    if (!answered)
        return;
    memcpy(&out, told, sizeof(out));
    assert_int_equal(out.len, got);
    assert_int_equal(out.unique, unique);
    memcpy(ret->bytes, told + sizeof(out), (size_t)got - sizeof(out));
    ret->result = out.error ? out.error : (int)((size_t)got - sizeof(out));
}

static int ask_read(struct bed *b, struct pfs_handle *h, uint64_t off, uint32_t size,
                    struct answer *ret)
{
    const struct fuse_read_in arg = {
        .fh = (uintptr_t)h, .offset = off, .size = size, .lock_owner = 1};

    ask(b, FUSE_READ, &arg, sizeof(arg), NULL, 0, ret);
    return ret->result;
}

static int ask_write(struct bed *b, struct pfs_handle *h, uint64_t off, const void *bytes,
                     uint32_t len, int flags)
{
    const struct fuse_write_in arg = {
        .fh = (uintptr_t)h, .offset = off, .size = len, .flags = (uint32_t)flags};
    struct fuse_write_out out;
    struct answer a;

    ask(b, FUSE_WRITE, &arg, sizeof(arg), bytes, len, &a);
    if (a.result < 0)
        return a.result;
    assert_int_equal(a.result, sizeof(out));
    memcpy(&out, a.bytes, sizeof(out));
    return (int)out.size;
}

static void interrupt(struct bed *b)
{
    const struct fuse_interrupt_in arg = {.unique = 2};
    struct answer a;

    ask(b, FUSE_INTERRUPT, &arg, sizeof(arg), NULL, 0, &a);
    assert_int_equal(a.result, NOBODY_ANSWERED);
}

/* --- tests ---------------------------------------------------------------------------------- */

static void reads_bring_the_bytes_of_page_files_and_tables(void **state)
{
    struct bed b;
    struct answer a;
    struct pfs_handle *image, *page;

    bed_init(&b, *state);
    image = open_node(&b, PFS_NODE_IMAGE, 0);
    page = open_node(&b, PFS_NODE_PAGE, 3);
    assert_int_equal(ask_read(&b, image, 100, 3 * PAGE, &a), 3 * PAGE);
    assert_memory_equal(a.bytes, b.bytes + 100, 3 * PAGE);
    assert_int_equal(ask_read(&b, image, PAGES * PAGE - 10, PAGE, &a), 10);
    assert_int_equal(ask_read(&b, image, PAGES * PAGE, PAGE, &a), 0);
    assert_int_equal(ask_read(&b, page, 0, 2 * PAGE, &a), PAGE);
    assert_memory_equal(a.bytes, b.bytes + 3 * PAGE, PAGE);
    assert_int_equal(ask_read(&b, page, PAGE, 1, &a), 0);
    pfs_handle_unref(page);
    pfs_handle_unref(image);
    bed_deinit(&b);
}

static void writes_are_there_once_they_are_answered(void **state)
{
    static const uint8_t x[300] = {1, 2, 3, 4};
    struct bed b;
    struct answer a;
    struct pfs_handle *payload, *page;

    bed_init(&b, *state);
    payload = open_node(&b, PFS_NODE_PAYLOAD, 0);
    page = open_node(&b, PFS_NODE_PAGE, 2);
    assert_int_equal(ask_write(&b, page, 1000, x, sizeof(x), O_WRONLY), sizeof(x));
    assert_int_equal(ask_read(&b, page, 1000, sizeof(x), &a), sizeof(x));
    assert_memory_equal(a.bytes, x, sizeof(x));
    assert_int_equal(ask_write(&b, page, PAGE - 1, x, 2, O_WRONLY), -EFBIG);
    assert_int_equal(ask_write(&b, payload, 0, x, sizeof(x), O_WRONLY | O_APPEND), sizeof(x));
    assert_int_equal(ask_read(&b, payload, PAGES * (PAGE - 32u), PAGE, &a), sizeof(x));
    assert_memory_equal(a.bytes, x, sizeof(x));
    pfs_handle_unref(page);
    pfs_handle_unref(payload);
    bed_deinit(&b);
}

static void what_has_an_answer_of_another_kind_is_left_to_libfuse(void **state)
{
    static const uint8_t x[8];
    struct bed b;
    struct answer a;
    struct pfs_handle *image, *page, *view;

    bed_init(&b, *state);
    image = open_node(&b, PFS_NODE_IMAGE, 0);
    page = open_node(&b, PFS_NODE_PAGE, 1);
    view = open_node(&b, PFS_NODE_CHECKSUMS, 0);
    assert_int_equal(ask_write(&b, image, 0, x, sizeof(x), O_WRONLY | O_DSYNC), NOBODY_ANSWERED);
    assert_int_equal(ask_read(&b, view, 0, PAGE, &a), NOBODY_ANSWERED);
    page->dead = true;
    assert_int_equal(ask_read(&b, page, 0, PAGE, &a), NOBODY_ANSWERED);
    b.opts.debug = true;
    assert_int_equal(ask_read(&b, image, 0, PAGE, &a), NOBODY_ANSWERED);
    pfs_handle_unref(view);
    pfs_handle_unref(page);
    pfs_handle_unref(image);
    bed_deinit(&b);
}

/* One that has begun to read and not ended: it has set more than a quarter of the frames aside. */
struct reader {
    struct ps_table *table;
    pthread_barrier_t *begun, *to_end;
    pthread_t thread;
};

static void *read_slowly(void *arg)
{
    struct reader *reader = arg;
    struct ps_read r;

    ok(ps_read_begin(reader->table, PS_SPACE_IMAGE, 0, 1u << 20, 0, NULL, &r));
    pthread_barrier_wait(reader->begun);
    pthread_barrier_wait(reader->to_end);
    ps_read_end(&r);
    return NULL;
}

static void a_read_that_would_wait_for_frames_is_left_to_libfuse(void **state)
{
    struct bed b;
    struct answer a;
    struct reader readers[READERS];
    pthread_barrier_t begun, to_end;
    struct pfs_handle *image;
    size_t i;

    bed_init(&b, *state);
    image = open_node(&b, PFS_NODE_IMAGE, 0);
    assert_int_equal(pthread_barrier_init(&begun, NULL, READERS + 1), 0);
    assert_int_equal(pthread_barrier_init(&to_end, NULL, READERS + 1), 0);
    for (i = 0; i < READERS; i++) {
        readers[i] = (struct reader){.table = b.table, .begun = &begun, .to_end = &to_end};
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_slowly, &readers[i]), 0);
    }
    pthread_barrier_wait(&begun);
    assert_int_equal(ask_read(&b, image, PAGE, 1u << 20, &a), NOBODY_ANSWERED);
    pthread_barrier_wait(&to_end);
    for (i = 0; i < READERS; i++)
        assert_int_equal(pthread_join(readers[i].thread, NULL), 0);
    pthread_barrier_destroy(&to_end);
    pthread_barrier_destroy(&begun);
    assert_int_equal(ask_read(&b, image, PAGE, 1u << 20, &a), (PAGES - 1) * PAGE);
    pfs_handle_unref(image);
    bed_deinit(&b);
}

static void a_write_that_would_wait_for_a_transaction_is_left_to_libfuse(void **state)
{
    struct fixture *f = *state;
    static const uint8_t x[8] = "quick";
    struct bed b;
    struct answer a;
    struct ps_txn *txn = NULL;
    struct pfs_handle *page;

    bed_init(&b, f);
    page = open_node(&b, PFS_NODE_PAGE, 4);
    ok(ps_txn_begin(f->store, &txn));
    ok(ps_txn_write(txn, b.table, 4, 100, "txn", 3, NULL));
    assert_int_equal(ask_write(&b, page, 200, x, sizeof(x), O_WRONLY), NOBODY_ANSWERED);
    ok(ps_txn_abort(txn));
    assert_int_equal(ask_read(&b, page, 200, sizeof(x), &a), sizeof(x));
    assert_memory_equal(a.bytes, b.bytes + 4 * PAGE + 200, sizeof(x));
    assert_int_equal(ask_write(&b, page, 200, x, sizeof(x), O_WRONLY), sizeof(x));
    pfs_handle_unref(page);
    bed_deinit(&b);
}

static void as_many_requests_as_interrupts_are_left_to_libfuse(void **state)
{
    struct bed b;
    struct answer a;
    struct pfs_handle *image;
    unsigned i;

    bed_init(&b, *state);
    image = open_node(&b, PFS_NODE_IMAGE, 0);
    for (i = 0; i < 3; i++)
        interrupt(&b);
    for (i = 0; i < 3; i++)
        assert_int_equal(ask_read(&b, image, 0, PAGE, &a), NOBODY_ANSWERED);
    assert_int_equal(ask_read(&b, image, 0, PAGE, &a), PAGE);
    pfs_handle_unref(image);
    bed_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_bring_the_bytes_of_page_files_and_tables, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(writes_are_there_once_they_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_an_answer_of_another_kind_is_left_to_libfuse,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_read_that_would_wait_for_frames_is_left_to_libfuse, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            a_write_that_would_wait_for_a_transaction_is_left_to_libfuse, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_requests_as_interrupts_are_left_to_libfuse, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
