/* Opening a store: what refuses it, and what that leaves behind. */
#include "store_fixture.h"

static void refused_options_leave_a_closed_store_closed(void **state)
{
    static const char *const says[] = {"policy=foo", "pool=1024", "max_wal is 1 bytes"};
    struct fixture *f = *state;
    struct ps_store_options opts;
    uint8_t *before, *after;
    size_t before_len, after_len;
    unsigned i;

    close_store(f);
    before = sim_disk_dump(f->disk, "pagestore.control", &before_len);
    for (i = 0; i < 3; i++) {
        options(f, &opts);
        opts.policy = i == 0 ? "foo" : opts.policy;
        opts.pool_bytes = i == 1 ? 1024 : opts.pool_bytes;
        opts.max_wal = i == 2 ? 1 : opts.max_wal;
        assert_int_equal(ps_store_open("sim", &opts, &f->store), PS_ERR_INVAL);
        assert_non_null(strstr(ps_message(), says[i]));
        after = sim_disk_dump(f->disk, "pagestore.control", &after_len);
        assert_int_equal(after_len, before_len);
        assert_memory_equal(after, before, before_len);
        free(after);
    }
    free(before);
    reopen(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refused_options_leave_a_closed_store_closed, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
