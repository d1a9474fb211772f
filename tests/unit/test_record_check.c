/*
 * test_record_check.c - log records under a good checksum that mean what cannot be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "alloc/map.h"
#include "pagestore/table.h"
#include "recovery/recovery.h"

#define PAGE 8192u
#define NATIVE ((uint16_t)(PS_FORMAT_NATIVE << PS_REF_FORMAT_SHIFT))
#define POSTGRES ((uint16_t)(PS_FORMAT_POSTGRES << PS_REF_FORMAT_SHIFT))

static struct ps_record page_record(struct ps_ref ref)
{
    return (struct ps_record){
        .rm = PS_RM_PAGE, .type = PS_PAGE_CHANGE, .pos = 4160, .ref_count = 1, .refs = {ref}};
}

static void changes_and_images_of_pages_that_can_be_are_taken(void **state)
{
    static const struct ps_ref refs[] = {
        {.table = 2, .flags = NATIVE, .off = 8191, .len = 1, .after_len = 1},
        {.table = 1, .flags = NATIVE | PS_REF_IMAGE, .len = PAGE, .after_len = 100},
        {.table = 2, .page = PS_MAP_PAGES_MAX - 1, .flags = POSTGRES},
        {.table = 2, .page = 4, .fork = PS_FORK_MAP, .flags = POSTGRES, .len = 8, .after_len = 8},
    };
    struct ps_record rec;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
        rec = page_record(refs[i]);
        assert_int_equal(ps_record_check(&rec, PAGE), PS_OK);
    }
}

static void references_that_cannot_be_are_corruption(void **state)
{
    static const struct {
        struct ps_ref ref;
        const char *says;
    } cases[] = {
        {{.table = 0, .flags = NATIVE}, "there is no table 0"},
        {{.table = 2, .fork = 2, .flags = NATIVE}, "has no fork 2"},
        {{.table = 2, .page = UINT32_MAX, .flags = NATIVE}, "table 2 has no page 4294967295"},
        {{.table = 2, .page = UINT32_MAX, .fork = PS_FORK_MAP, .flags = NATIVE},
         "table 2's allocation map has no page 4294967295"},
        {{.table = 2, .flags = 0xff00}, "there is no format 255"},
        {{.table = 1, .flags = POSTGRES}, "the catalog cannot be of format postgres"},
        {{.table = 2, .flags = NATIVE, .off = 8190, .len = 3, .after_len = 3}, "do not fit"},
        {{.table = 2, .flags = NATIVE, .off = UINT32_MAX - 1, .len = 1, .after_len = 1},
         "do not fit"},
        {{.table = 2, .flags = NATIVE | PS_REF_IMAGE, .len = PAGE / 2, .after_len = 1},
         "do not fit"},
    };
    struct ps_record rec;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rec = page_record(cases[i].ref);
        assert_int_equal(ps_record_check(&rec, PAGE), PS_ERR_CORRUPT);
        assert_non_null(strstr(ps_message(), "log: record at 4160: reference 0: "));
        assert_non_null(strstr(ps_message(), cases[i].says));
    }
}

static void postgres_pages_of_more_than_32_kib_are_corruption(void **state)
{
    struct ps_record rec = page_record((struct ps_ref){.table = 2, .flags = POSTGRES});

    (void)state;
    assert_int_equal(ps_record_check(&rec, 32768), PS_OK);
    assert_int_equal(ps_record_check(&rec, 65536), PS_ERR_CORRUPT);
}

static ps_err check_table_record(uint8_t type, uint32_t table, uint32_t body_len)
{
    const struct ps_table_body body = {.table = ps_put32(table)};
    const struct ps_record rec = {
        .rm = PS_RM_TABLE, .type = type, .body = &body, .body_len = body_len};

    return ps_record_check(&rec, PAGE);
}

static void table_records_name_a_table_and_never_drop_the_catalog(void **state)
{
    const uint32_t len = sizeof(struct ps_table_body);

    (void)state;
    assert_int_equal(check_table_record(PS_TABLE_CREATE, PS_CATALOG_ID, len), PS_OK);
    assert_int_equal(check_table_record(PS_TABLE_DROP, 2, len), PS_OK);
    assert_int_equal(check_table_record(PS_TABLE_DROP, 2, len - 1), PS_ERR_CORRUPT);
    assert_int_equal(check_table_record(PS_TABLE_CREATE, 0, len), PS_ERR_CORRUPT);
    assert_int_equal(check_table_record(PS_TABLE_DROP, PS_CATALOG_ID, len), PS_ERR_CORRUPT);
    assert_int_equal(check_table_record(PS_TABLE_CREATE, UINT32_MAX, len), PS_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_and_images_of_pages_that_can_be_are_taken),
        cmocka_unit_test(references_that_cannot_be_are_corruption),
        cmocka_unit_test(postgres_pages_of_more_than_32_kib_are_corruption),
        cmocka_unit_test(table_records_name_a_table_and_never_drop_the_catalog),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
