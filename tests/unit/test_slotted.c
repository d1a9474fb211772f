/* Items on slotted pages of both formats, against a model that is an array of byte strings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format_test.h"
#include "pagestore/slotted.h"
#include "seed.h"

#define SMALL 4096u

/* The test runs once a format: *state is it. */
static const struct ps_format *format_of(void **state)
{
    return *state;
}

static unsigned char *new_page(const struct ps_format *fmt, uint32_t page_size)
{
    struct ps_page_ident who = {.page_size = page_size, .page_no = 1, .table_id = 2};
    unsigned char *page = malloc(page_size);

    assert_non_null(page);
    fmt->init(page, &who, PS_PAGE_SLOTTED);
    return page;
}

static uint32_t lp_start(const struct ps_format *fmt)
{
    return fmt->id == PS_FORMAT_NATIVE ? 48 : 24;
}

static void assert_sound(const struct ps_format *fmt, const void *page, uint32_t page_size)
{
    struct ps_page_ident who = {.page_size = page_size, .page_no = 1, .table_id = 2};
    struct damages found = {0};

    if (fmt->check(page, &who, damages_keep, &found) != 0)
        fail_msg("%s: %s", found.first_word, found.first_text);
}

static uint32_t slots_of(const struct ps_format *fmt, const void *page, uint32_t page_size)
{
    uint32_t slots = 0;

    assert_int_equal(ps_slotted_slots(fmt, page, page_size, &slots), PS_OK);
    return slots;
}

static uint32_t insert(const struct ps_format *fmt, void *page, const char *text)
{
    uint32_t slot = 0;

    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, text, (uint32_t)strlen(text), &slot),
                     PS_OK);
    return slot;
}

static void assert_item(const struct ps_format *fmt, const void *page, uint32_t slot,
                        const char *text)
{
    struct ps_item item;

    assert_int_equal(ps_slotted_get(fmt, page, SMALL, slot, &item), PS_OK);
    assert_int_equal(item.len, strlen(text));
    assert_memory_equal(item.data, text, item.len);
}

/* ---- a model ---- */

#define MODEL_SLOTS 3000u

struct model {
    unsigned char *item[MODEL_SLOTS + 1]; /* by slot; NULL is free */
    uint32_t len[MODEL_SLOTS + 1];
    uint32_t slots; /* up to the last live item */
};

static void model_set(struct model *m, uint32_t slot, const unsigned char *bytes, uint32_t len)
{
    assert_in_range(slot, 1, MODEL_SLOTS);
    free(m->item[slot]);
    m->item[slot] = malloc(len + 1);
    assert_non_null(m->item[slot]);
    memcpy(m->item[slot], bytes, len);
    m->len[slot] = len;
    if (slot > m->slots)
        m->slots = slot;
}

static void model_delete(struct model *m, uint32_t slot)
{
    free(m->item[slot]);
    m->item[slot] = NULL;
    while (m->slots > 0 && !m->item[m->slots])
        m->slots--;
}

static uint32_t model_lowest_free(const struct model *m)
{
    uint32_t slot = 1;

    while (slot <= m->slots && m->item[slot])
        slot++;
    return slot;
}

static void assert_like_model(const struct ps_format *fmt, const void *page, uint32_t page_size,
                              const struct model *m)
{
    assert_int_equal(slots_of(fmt, page, page_size), m->slots);
    for (uint32_t slot = 1; slot <= m->slots; slot++) {
        struct ps_item item;
        ps_err err = ps_slotted_get(fmt, page, page_size, slot, &item);

        assert_int_equal(err, m->item[slot] ? PS_OK : PS_ERR_NOENT);
        if (err)
            continue;
        assert_int_equal(item.len, m->len[slot]);
        assert_memory_equal(item.data, m->item[slot], item.len);
    }
}

/* Mostly short items, some long ones, some empty. */
static uint32_t random_len(uint64_t *seed, uint32_t page_size)
{
    switch (random_below(seed, 8)) {
    case 0:
        return random_below(seed, page_size / 2);
    case 1:
        return random_below(seed, 9);
    default:
        return random_below(seed, 120);
    }
}

struct run {
    const struct ps_format *fmt;
    uint64_t *seed;
    unsigned char *page;
    uint32_t page_size;
    struct model *m;
    unsigned char *bytes;
};

static void random_insert(const struct run *r, uint32_t len)
{
    uint32_t room = ps_slotted_room(r->fmt, r->page, r->page_size);
    uint32_t slot = 0;
    ps_err err = ps_slotted_insert(r->fmt, r->page, r->page_size, r->bytes, len, &slot);

    assert_int_equal(err, len <= room && room > 0 ? PS_OK : PS_ERR_FULL);
    if (err)
        return;
    assert_int_equal(slot, model_lowest_free(r->m));
    model_set(r->m, slot, r->bytes, len);
}

static void random_change(const struct run *r, uint32_t len)
{
    uint32_t slot = 1 + random_below(r->seed, r->m->slots + 1);
    bool live = slot <= r->m->slots && r->m->item[slot];
    ps_err err;

    if (random_below(r->seed, 3) > 0) {
        err = ps_slotted_delete(r->fmt, r->page, r->page_size, slot);
        assert_int_equal(err, live ? PS_OK : PS_ERR_NOENT);
        if (live)
            model_delete(r->m, slot);
        return;
    }
    err = ps_slotted_replace(r->fmt, r->page, r->page_size, slot, r->bytes, len);
    if (!live)
        assert_int_equal(err, PS_ERR_NOENT);
    else if (err == PS_OK)
        model_set(r->m, slot, r->bytes, len);
    else
        assert_int_equal(err, PS_ERR_FULL);
}

static void random_step(const struct run *r)
{
    uint32_t len = random_len(r->seed, r->page_size);

    fill_random(r->seed, r->bytes, len);
    switch (random_below(r->seed, 16)) {
    case 0:
        assert_int_equal(ps_slotted_compact(r->fmt, r->page, r->page_size), PS_OK);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        random_change(r, len);
        break;
    default:
        random_insert(r, len);
    }
}

static void random_run(const struct ps_format *fmt, uint64_t *seed, uint32_t page_size)
{
    struct model m = {0};
    struct run r = {fmt, seed, new_page(fmt, page_size), page_size, &m, malloc(page_size)};

    for (unsigned step = 0; step < 3000; step++) {
        random_step(&r);
        assert_sound(fmt, r.page, page_size);
        assert_like_model(fmt, r.page, page_size, &m);
    }
    for (uint32_t slot = 1; slot <= MODEL_SLOTS; slot++)
        free(m.item[slot]);
    free(r.bytes);
    free(r.page);
}

static void random_operations_agree_with_a_model_and_leave_the_page_sound(void **state)
{
    uint64_t seed = test_seed();

    random_run(format_of(state), &seed, SMALL);
    random_run(format_of(state), &seed, 8192);
    random_run(format_of(state), &seed, format_of(state)->page_size_max);
}

/* ---- single rules ---- */

static void deleted_slots_are_reused_lowest_first(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);

    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(insert(fmt, page, "item"), i);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 4), PS_OK);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 2), PS_OK);
    assert_int_equal(slots_of(fmt, page, SMALL), 5);
    assert_int_equal(insert(fmt, page, "two"), 2);
    assert_int_equal(insert(fmt, page, "four"), 4);
    assert_int_equal(insert(fmt, page, "six"), 6);
    assert_item(fmt, page, 2, "two");
    assert_item(fmt, page, 4, "four");
    free(page);
}

static void deleting_everything_gives_the_first_page_back(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);
    unsigned char *fresh = new_page(fmt, SMALL);
    uint32_t room = ps_slotted_room(fmt, page, SMALL);

    for (uint32_t i = 1; i <= 20; i++)
        insert(fmt, page, "some item");
    for (uint32_t i = 1; i <= 20; i++)
        assert_int_equal(ps_slotted_delete(fmt, page, SMALL, i), PS_OK);
    assert_int_equal(slots_of(fmt, page, SMALL), 0);
    assert_int_equal(ps_slotted_room(fmt, page, SMALL), room);
    assert_int_equal(room, ps_slotted_item_max(fmt, SMALL));
    assert_memory_equal(page, fresh, lp_start(fmt));
    free(fresh);
    assert_int_equal(insert(fmt, page, "first again"), 1);
    free(page);
}

static void longest_item_fits_an_empty_page_and_a_longer_one_no_page(void **state)
{
    const struct ps_format *fmt = format_of(state);

    for (uint32_t size = PS_PAGE_SIZE_MIN; size <= fmt->page_size_max; size *= 2) {
        uint32_t item_max = ps_slotted_item_max(fmt, size);
        unsigned char *page = new_page(fmt, size);
        unsigned char *bytes = malloc(size);
        struct ps_item item;
        uint32_t slot = 0;

        memset(bytes, 'x', size);
        assert_int_equal(ps_slotted_insert(fmt, page, size, bytes, item_max + 1, &slot),
                         PS_ERR_RANGE);
        assert_int_equal(ps_slotted_insert(fmt, page, size, bytes, item_max, &slot), PS_OK);
        assert_int_equal(ps_slotted_room(fmt, page, size), 0);
        assert_int_equal(ps_slotted_insert(fmt, page, size, bytes, 0, &slot), PS_ERR_FULL);
        assert_int_equal(ps_slotted_get(fmt, page, size, 1, &item), PS_OK);
        assert_int_equal(item.len, item_max);
        assert_memory_equal(item.data, bytes, item_max);
        assert_sound(fmt, page, size);
        free(bytes);
        free(page);
    }
}

static void full_page_of_empty_items_is_sound_at_every_size(void **state)
{
    const struct ps_format *fmt = format_of(state);

    for (uint32_t size = PS_PAGE_SIZE_MIN; size <= fmt->page_size_max; size *= 2) {
        unsigned char *page = new_page(fmt, size);
        uint32_t slot = 0, count = 0;
        ps_err err;

        while ((err = ps_slotted_insert(fmt, page, size, "", 0, &slot)) == PS_OK)
            assert_int_equal(slot, ++count);
        assert_int_equal(err, PS_ERR_FULL);
        assert_int_equal(count, fmt->id == PS_FORMAT_NATIVE ? (size - 48) / 16 : (size - 24) / 12);
        assert_sound(fmt, page, size);
        free(page);
    }
}

static void insert_compacts_when_only_scattered_space_is_left(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);
    unsigned char bytes[800];
    uint32_t slot;

    memset(bytes, 'b', sizeof(bytes));
    for (uint32_t i = 1; i <= 5; i++)
        assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 776, &slot), PS_OK);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 2), PS_OK);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 4), PS_OK);
    assert_true(ps_slotted_room(fmt, page, SMALL) >= 2 * 776);
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 800, &slot), PS_OK);
    assert_int_equal(slot, 2);
    assert_sound(fmt, page, SMALL);
    free(page);
}

static const unsigned char *address_of(const struct ps_format *fmt, const void *page, uint32_t slot)
{
    struct ps_item item;

    assert_int_equal(ps_slotted_get(fmt, page, SMALL, slot, &item), PS_OK);
    return item.data;
}

static void items_stay_where_they_are_while_there_is_unused_space(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);
    unsigned char bytes[SMALL] = {0};
    const unsigned char *second;
    uint32_t slot, rest;

    insert(fmt, page, "goes away and leaves a gap");
    insert(fmt, page, "five");
    second = address_of(fmt, page, 2);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 1), PS_OK);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, 2, "eight at", 8), PS_OK);
    assert_ptr_equal(address_of(fmt, page, 2), second);
    rest = (uint32_t)(second - page) - lp_start(fmt) - (fmt->id == PS_FORMAT_NATIVE ? 16 : 8);
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, rest, &slot), PS_OK);
    assert_ptr_equal(address_of(fmt, page, 2), second);
    assert_sound(fmt, page, SMALL);
    free(page);
}

static void bytes_between_items_are_zero_whatever_was_there(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);

    insert(fmt, page, "sixteen letters!");
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 1), PS_OK);
    insert(fmt, page, "nine here");
    assert_memory_equal(address_of(fmt, page, 1), "nine here\0\0\0\0\0\0", 16);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, 1, "ten of it!", 10), PS_OK);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, 1, "eleven", 6), PS_OK);
    assert_memory_equal(address_of(fmt, page, 1), "eleven\0", 8);
    free(page);
}

static void replace_keeps_the_slot_whatever_the_length(void **state)
{
    static const char *const texts[] = {"short", "much longer than the first one was", "", "mid"};
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);

    insert(fmt, page, "before");
    insert(fmt, page, "item");
    insert(fmt, page, "after");
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(
            ps_slotted_replace(fmt, page, SMALL, 2, texts[i], (uint32_t)strlen(texts[i])), PS_OK);
        assert_item(fmt, page, 1, "before");
        assert_item(fmt, page, 2, texts[i]);
        assert_item(fmt, page, 3, "after");
        assert_sound(fmt, page, SMALL);
    }
    free(page);
}

static void replace_may_use_the_space_of_the_item_it_replaces(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);
    unsigned char bytes[SMALL];
    uint32_t item_max = ps_slotted_item_max(fmt, SMALL);
    uint32_t slot;

    memset(bytes, 'r', sizeof(bytes));
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, item_max / 2, &slot), PS_OK);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, slot, bytes, item_max), PS_OK);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, slot, bytes, item_max + 1), PS_ERR_RANGE);
    assert_sound(fmt, page, SMALL);
    free(page);
}

static void failing_calls_change_nothing(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);
    unsigned char before[SMALL], bytes[SMALL] = {0};
    struct ps_item item;
    uint32_t slot = 99;

    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 2000, &slot), PS_OK);
    insert(fmt, page, "second");
    memcpy(before, page, SMALL);
    slot = 99;
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 2500, &slot), PS_ERR_FULL);
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, SMALL, &slot), PS_ERR_RANGE);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, 2, bytes, 2500), PS_ERR_FULL);
    assert_int_equal(ps_slotted_replace(fmt, page, SMALL, 3, bytes, 1), PS_ERR_NOENT);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 3), PS_ERR_NOENT);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 0), PS_ERR_NOENT);
    assert_int_equal(ps_slotted_get(fmt, page, SMALL, 0, &item), PS_ERR_NOENT);
    assert_int_equal(slot, 99);
    assert_memory_equal(page, before, SMALL);
    free(page);
}

static void broken_pages_are_refused_and_left_alone(void **state)
{
    const struct ps_format *fmt = format_of(state);
    unsigned char *page = new_page(fmt, SMALL);
    unsigned char before[SMALL], bytes[SMALL] = {0};
    uint32_t slot;

    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 1500, &slot), PS_OK);
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 1500, &slot), PS_OK);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 1), PS_OK);
    /* upper, 4 bytes behind the native header and 2 in PostgreSQL's, beyond the page's end */
    memset(page + (fmt->id == PS_FORMAT_NATIVE ? 36 : 14), 0x7f, 2);
    memcpy(before, page, SMALL);
    assert_int_equal(ps_slotted_insert(fmt, page, SMALL, bytes, 8, &slot), PS_ERR_CORRUPT);
    assert_int_equal(ps_slotted_delete(fmt, page, SMALL, 2), PS_ERR_CORRUPT);
    assert_int_equal(ps_slotted_compact(fmt, page, SMALL), PS_ERR_CORRUPT);
    assert_int_equal(ps_slotted_room(fmt, page, SMALL), 0);
    assert_memory_equal(page, before, SMALL);
    free(page);
}

static void overlapping_items_are_reported_and_stop_compaction(void **state)
{
    const struct ps_format *fmt = format_of(state);
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 1, .table_id = 2};
    unsigned char *page = new_page(fmt, SMALL);
    uint32_t lp_len = fmt->id == PS_FORMAT_NATIVE ? 8 : 4;
    struct damages found = {0};

    insert(fmt, page, "a first item of some bytes");
    insert(fmt, page, "a second one");
    memcpy(page + lp_start(fmt) + lp_len, page + lp_start(fmt),
           lp_len); /* slot 2 is slot 1's item */
    assert_int_equal(fmt->check(page, &who, damages_keep, &found), 1);
    assert_string_equal(found.first_word, "lp-overlap");
    assert_int_equal(found.first_lp, 2);
    assert_int_equal(ps_slotted_compact(fmt, page, SMALL), PS_ERR_CORRUPT);
    free(page);
}

/* ---- what differs by format ---- */

static void zero_postgres_page_is_an_empty_slotted_one(void **state)
{
    unsigned char page[SMALL] = {0};
    unsigned char *initialised = new_page(&ps_format_postgres, SMALL);

    (void)state;
    assert_int_equal(slots_of(&ps_format_postgres, page, SMALL), 0);
    assert_int_equal(ps_slotted_room(&ps_format_postgres, page, SMALL),
                     ps_slotted_item_max(&ps_format_postgres, SMALL));
    assert_int_equal(ps_slotted_compact(&ps_format_postgres, page, SMALL), PS_OK);
    assert_true(ps_page_is_zero(page, SMALL));
    insert(&ps_format_postgres, page, "item");
    insert(&ps_format_postgres, initialised, "item");
    assert_memory_equal(page, initialised, SMALL);
    free(initialised);
}

static void raw_native_page_takes_no_items(void **state)
{
    struct ps_page_ident who = {.page_size = SMALL, .page_no = 1, .table_id = 2};
    unsigned char page[SMALL];
    struct ps_item item;
    uint32_t slot;

    (void)state;
    ps_format_native.init(page, &who, PS_PAGE_RAW);
    assert_int_equal(ps_slotted_slots(&ps_format_native, page, SMALL, &slot), PS_ERR_WRONG_TYPE);
    assert_int_equal(ps_slotted_get(&ps_format_native, page, SMALL, 1, &item), PS_ERR_WRONG_TYPE);
    assert_int_equal(ps_slotted_insert(&ps_format_native, page, SMALL, "x", 1, &slot),
                     PS_ERR_WRONG_TYPE);
}

static void postgres_line_pointer_has_postgresql_bits(void **state)
{
    static const unsigned char lp[4] = {0xe8, 0x9f, 0x2a,
                                        0x00}; /* 8168 | NORMAL << 15 | 21 << 17 */
    unsigned char *page = new_page(&ps_format_postgres, 8192);
    uint32_t slot;

    (void)state;
    assert_int_equal(
        ps_slotted_insert(&ps_format_postgres, page, 8192, "twenty-one bytes long", 21, &slot),
        PS_OK);
    assert_memory_equal(page + 24, lp, 4);
    assert_memory_equal(page + 8168, "twenty-one bytes long\0\0\0", 24);
    free(page);
}

#define FOR_BOTH(name)                                                               \
    {"native: " #name, name, NULL, NULL, (void *)(uintptr_t)&ps_format_native},      \
    {                                                                                \
        "postgres: " #name, name, NULL, NULL, (void *)(uintptr_t)&ps_format_postgres \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_BOTH(random_operations_agree_with_a_model_and_leave_the_page_sound),
        FOR_BOTH(deleted_slots_are_reused_lowest_first),
        FOR_BOTH(deleting_everything_gives_the_first_page_back),
        FOR_BOTH(longest_item_fits_an_empty_page_and_a_longer_one_no_page),
        FOR_BOTH(full_page_of_empty_items_is_sound_at_every_size),
        FOR_BOTH(insert_compacts_when_only_scattered_space_is_left),
        FOR_BOTH(items_stay_where_they_are_while_there_is_unused_space),
        FOR_BOTH(bytes_between_items_are_zero_whatever_was_there),
        FOR_BOTH(replace_keeps_the_slot_whatever_the_length),
        FOR_BOTH(replace_may_use_the_space_of_the_item_it_replaces),
        FOR_BOTH(failing_calls_change_nothing),
        FOR_BOTH(broken_pages_are_refused_and_left_alone),
        FOR_BOTH(overlapping_items_are_reported_and_stop_compaction),
        cmocka_unit_test(zero_postgres_page_is_an_empty_slotted_one),
        cmocka_unit_test(raw_native_page_takes_no_items),
        cmocka_unit_test(postgres_line_pointer_has_postgresql_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
