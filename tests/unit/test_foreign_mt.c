/* Files that somebody else writes while several threads read them. */
#include <pthread.h>
#include <stdatomic.h>

#include "foreign_bed.h"

#define READERS 3u
#define PAGES_MAX 12u
#define ROUNDS_MIN 300u
#define READS_MIN 300u

struct run {
    struct world w;
    _Atomic bool stop;
    _Atomic unsigned reads, wrong;
};

/* Pages of so many lengths, over three segments of four pages, until enough of them were read. */
static void *write_files(void *arg)
{
    static const char *const names[] = {"rel", "rel.1", "rel.2"};
    struct run *run = arg;

    for (unsigned round = 0; round < ROUNDS_MIN || run->reads < READS_MIN; round++) {
        const uint32_t segment = round % 3;

        put_pages(&run->w, names[segment], 4 * segment, 4, (uint8_t)round);
        if (round % 7 == 0)
            set_len(&run->w, names[segment], (off_t)(round % 5) * PAGE);
    }
    run->stop = true;
    return NULL;
}

static bool is_sound(uint32_t page_no, const uint8_t page[PAGE])
{
    const struct ps_page_ident who = {.page_size = PAGE, .page_no = page_no, .table_id = 1};

    return ps_format_postgres.verify(page, &who) == PS_OK;
}

/* What is given is a page of its number, of some moment. It may be gone, or torn each time. */
static void *read_pages(void *arg)
{
    struct run *run = arg;
    struct ps_table *t = NULL;
    uint8_t page[PAGE];
    uint32_t page_no = 0;

    while (!run->stop) {
        ps_err err;

        if (ps_table_get(run->w.store, 1, &t))
            run->wrong++;
        page_no = (page_no + 5) % PAGES_MAX;
        err = ps_page_copy(t, page_no, NULL, page);
        run->reads += err == PS_OK;
        if (!err && !is_sound(page_no, page))
            run->wrong++;
        if (err && err != PS_ERR_NOENT && err != PS_ERR_CORRUPT)
            run->wrong++;
        ps_table_unref(t);
    }
    return NULL;
}

static void readers_get_sound_pages_while_the_files_change(void **state)
{
    pthread_t writer, readers[READERS];
    struct run run = {.stop = false};

    (void)state;
    begin(&run.w);
    run.w.opts.message = NULL;
    put_pages(&run.w, "rel", 0, 4, 0);
    put_pages(&run.w, "rel.1", 4, 4, 0);
    put_pages(&run.w, "rel.2", 8, 4, 0);
    add(&run.w, "rel")->segment_pages = 4;
    run.w.ops.live = true;
    open_store(&run.w, run.w.dir);
    assert_int_equal(pthread_create(&writer, NULL, write_files, &run), 0);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_pages, &run), 0);
    pthread_join(writer, NULL);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(run.wrong, 0);
    end(&run.w);
}

static ps_err find_any(void *ctx, uint32_t from, struct ps_foreign_table *ret)
{
    (void)ctx;
    if (from > 1000)
        return PS_ERR_NOENT;
    *ret = (struct ps_foreign_table){
        .id = from < 1 ? 1 : from, .name = "any", .format = PS_FORMAT_POSTGRES};
    return PS_OK;
}

/* Takes all tables and keeps them, so that equal ones must be one. */
static void *take_tables(void *arg)
{
    struct run *run = arg;
    struct ps_table **tables = calloc(1001, sizeof(struct ps_table *));

    for (uint32_t id = 1; id <= 1000; id++)
        if (ps_table_get(run->w.store, id, &tables[id]) || ps_table_id(tables[id]) != id)
            run->wrong++;
    return tables;
}

static void a_table_that_several_ask_for_first_is_one(void **state)
{
    struct run run = {.stop = false};
    pthread_t takers[READERS];
    void *got[READERS];

    (void)state;
    begin(&run.w);
    run.w.ops.find = find_any;
    open_store(&run.w, run.w.dir);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&takers[i], NULL, take_tables, &run), 0);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(takers[i], &got[i]);
    assert_int_equal(run.wrong, 0);
    for (unsigned i = 0; i < READERS; i++) {
        struct ps_table **tables = got[i];

        for (uint32_t id = 1; id <= 1000; id++) {
            assert_ptr_equal(tables[id], ((struct ps_table **)got[0])[id]);
            ps_table_unref(tables[id]);
        }
    }
    for (unsigned i = 0; i < READERS; i++)
        free(got[i]);
    end(&run.w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_get_sound_pages_while_the_files_change),
        cmocka_unit_test(a_table_that_several_ask_for_first_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
