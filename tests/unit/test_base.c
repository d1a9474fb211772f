/*
 * test_base.c - messages, checksums, memory, poison and trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/byteorder.h"
#include "base/crc32c.h"
#include "base/digits.h"
#include "base/mem.h"
#include "base/poison.h"
#include "base/trace.h"
#include "base/utf8.h"
#include "pagestore/err.h"

static void every_error_code_has_its_own_text(void **state)
{
    (void)state;
    for (int a = 0; a < PS_ERR_COUNT_; a++) {
        assert_string_not_equal(ps_err_text((ps_err)a), "unknown error");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(ps_err_text((ps_err)a), ps_err_text((ps_err)b));
    }
    assert_string_equal(ps_err_text(PS_ERR_COUNT_), "unknown error");
}

static void message_is_that_of_the_last_failure(void **state)
{
    (void)state;
    assert_int_equal(ps_fail(PS_ERR_NOENT, "no table %d", 7), PS_ERR_NOENT);
    assert_string_equal(ps_message(), "no table 7");
    assert_int_equal(ps_fail_in(PS_ERR_CORRUPT, "table %s", "users"), PS_ERR_CORRUPT);
    assert_string_equal(ps_message(), "table users: no table 7");
}

static void message_may_be_made_of_the_message_before(void **state)
{
    (void)state;
    (void)ps_fail(PS_ERR_IO, "inner");
    (void)ps_fail(PS_ERR_IO, "outer (%s) end", ps_message());
    assert_string_equal(ps_message(), "outer (inner) end");
}

static void overlong_message_is_cut_not_lost(void **state)
{
    char text[4096];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)ps_fail(PS_ERR_IO, "start %s", text);
    assert_memory_equal(ps_message(), "start xxx", 9);
    assert_in_range(strlen(ps_message()), 500, sizeof(text));
    (void)ps_fail_in(PS_ERR_IO, "%s", text);
    assert_memory_equal(ps_message(), "xxx", 3);
}

static void failed_system_call_gives_code_and_text(void **state)
{
    static const struct {
        int sys_errno;
        ps_err err;
    } cases[] = {
        {ENOSPC, PS_ERR_NOSPC},       {EDQUOT, PS_ERR_NOSPC}, {ENOENT, PS_ERR_NOENT},
        {ENOTDIR, PS_ERR_NOENT},      {EEXIST, PS_ERR_EXIST}, {ENOTEMPTY, PS_ERR_NOTEMPTY},
        {EROFS, PS_ERR_READONLY},     {ENOMEM, PS_ERR_NOMEM}, {EMFILE, PS_ERR_FILES},
        {ENFILE, PS_ERR_FILES},       {EFBIG, PS_ERR_RANGE},  {EOPNOTSUPP, PS_ERR_UNSUPPORTED},
        {ENOSYS, PS_ERR_UNSUPPORTED}, {EIO, PS_ERR_IO},       {EACCES, PS_ERR_IO},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(ps_fail_errno(cases[i].sys_errno, "x"), cases[i].err);
    (void)ps_fail_errno(ENOSPC, "cannot write %s", "tables/2.pages");
    assert_string_equal(ps_message(), "cannot write tables/2.pages: No space left on device");
}

static void crc32c_has_the_published_check_value(void **state)
{
    (void)state;
    assert_int_equal(ps_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(ps_crc32c("", 0), 0);
}

static void crc32c_of_pieces_is_that_of_the_whole(void **state)
{
    unsigned char bytes[777];
    uint32_t whole;

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 31 + 7);
    whole = ps_crc32c(bytes, sizeof(bytes));
    for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
        uint32_t crc = ps_crc32c_extend(PS_CRC32C_INIT, bytes, cut);

        crc = ps_crc32c_extend(crc, bytes + cut, sizeof(bytes) - cut);
        assert_int_equal(ps_crc32c_finish(crc), whole);
    }
}

static void integers_stand_little_endian_on_disk(void **state)
{
    ps_le16 a = ps_put16(0x0102);
    ps_le32 b = ps_put32(0x01020304);
    ps_le64 c = ps_put64(0x0102030405060708);

    (void)state;
    assert_memory_equal(a.b, "\2\1", 2);
    assert_memory_equal(b.b, "\4\3\2\1", 4);
    assert_memory_equal(c.b, "\x8\7\6\5\4\3\2\1", 8);
    assert_int_equal(ps_get16(a), 0x0102);
    assert_int_equal(ps_get32(b), 0x01020304);
    assert_true(ps_get64(c) == 0x0102030405060708);
    assert_int_equal(ps_get16_at(a.b), 0x0102);
    assert_int_equal(ps_get32_at(b.b), 0x01020304);
    assert_true(ps_get64_at(c.b) == 0x0102030405060708);
}

static void floats_stand_little_endian_on_disk(void **state)
{
    static const uint8_t one_and_a_half[] = {0, 0, 0, 0, 0, 0, 0xf8, 0x3f};
    static const uint8_t minus_two[] = {0, 0, 0, 0xc0};

    (void)state;
    assert_true(ps_get_double_at(one_and_a_half) == 1.5);
    assert_true(ps_get_float_at(minus_two) == -2.0f);
}

static void buffers_are_aligned_and_zeroed(void **state)
{
    (void)state;
    for (size_t len = 1; len < 20000; len += 3333) {
        unsigned char *buf = ps_buf_alloc(len);

        assert_non_null(buf);
        assert_int_equal((uintptr_t)buf % PS_IO_ALIGN, 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(buf[i], 0);
        memset(buf, 0xff, len); /* so that the next one may find dirt */
        ps_buf_free(buf);
    }
    assert_null(ps_buf_alloc(SIZE_MAX));
}

static void arena_is_huge_page_aligned_and_zeroed(void **state)
{
    struct ps_arena arena = {0};

    (void)state;
    assert_int_equal(ps_arena_init(&arena, 5 << 20), PS_OK);
    assert_int_equal((uintptr_t)arena.base % (2 << 20), 0);
    assert_in_range(arena.len, 5 << 20, 6 << 20);
    assert_int_equal(arena.base[0], 0);
    arena.base[arena.len - 1] = 1;
    ps_arena_deinit(&arena);
    assert_null(arena.base);
    assert_int_equal(ps_arena_init(&arena, SIZE_MAX), PS_ERR_NOMEM);
}

static void arena_gives_back_whole_huge_pages_and_nothing_else(void **state)
{
    struct ps_arena arena = {0};

    (void)state;
    assert_int_equal(ps_arena_init(&arena, 3 * PS_HUGE_PAGE), PS_OK);
    memset(arena.base, 1, arena.len);
    ps_arena_give_back(&arena, 1, 2 * PS_HUGE_PAGE - 2); /* holds none */
    ps_arena_give_back(&arena, PS_HUGE_PAGE - 1, PS_HUGE_PAGE + 2);
    for (size_t i = 0; i < arena.len; i++)
        assert_int_equal(arena.base[i], i / PS_HUGE_PAGE == 1 ? 0 : 1);
    ps_arena_deinit(&arena);
}

static void arena_is_no_longer_than_its_pages(void **state)
{
    struct ps_arena arena = {0};

    (void)state;
    assert_int_equal(ps_arena_init(&arena, PS_IO_ALIGN + 1), PS_OK);
    assert_int_equal(arena.len, 2 * PS_IO_ALIGN);
    ps_arena_deinit(&arena);
}

static void count_notice(void *ctx, const char *reason)
{
    int *count = ctx;

    (*count)++;
    assert_string_equal(reason, "sync of wal/1 failed");
}

static void poison_keeps_the_first_reason(void **state)
{
    struct ps_poison poison;
    int notices = 0;

    (void)state;
    ps_poison_init(&poison, count_notice, &notices);
    assert_int_equal(ps_poison_check(&poison), PS_OK);
    assert_null(ps_poison_reason(&poison));

    (void)ps_fail(PS_ERR_IO, "sync of wal/1 failed");
    assert_int_equal(ps_poison_raise(&poison), PS_ERR_IO);
    (void)ps_fail(PS_ERR_NOSPC, "something later");
    assert_int_equal(ps_poison_raise(&poison), PS_ERR_IO); /* whatever it was */

    assert_string_equal(ps_poison_reason(&poison), "sync of wal/1 failed");
    assert_int_equal(ps_poison_check(&poison), PS_ERR_POISONED);
    assert_string_equal(ps_message(),
                        "the store is read-only since a failure: sync of wal/1 failed");
    assert_int_equal(notices, 1);
    ps_poison_deinit(&poison);
}

static void trace_keeps_the_last_events_in_order(void **state)
{
    struct ps_trace_event events[16];
    struct ps_trace *trace = NULL;

    (void)state;
    assert_int_equal(ps_trace_create(8, &trace), PS_OK);
    assert_int_equal(ps_trace_snapshot(trace, events, 16), 0);
    for (uint32_t i = 1; i <= 20; i++) {
        struct ps_trace_event event = {.kind = "victim",
                                       .reason = "clean",
                                       .table = 2,
                                       .page = i,
                                       .frame = i + 1,
                                       .fork = 3,
                                       .lsn = 1000 + i,
                                       .time_us = 5 * i};

        ps_trace_add(trace, &event);
    }
    assert_int_equal(ps_trace_snapshot(trace, events, 16), 8);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(events[i].seq, 13 + i);
        assert_int_equal(events[i].page, 13 + i);
        assert_int_equal(events[i].frame, 14 + i);
        assert_int_equal(events[i].lsn, 1013 + i);
        assert_int_equal(events[i].time_us, 5 * (13 + i));
        assert_int_equal(events[i].table, 2);
        assert_int_equal(events[i].fork, 3);
        assert_string_equal(events[i].kind, "victim");
        assert_string_equal(events[i].reason, "clean");
    }
    assert_int_equal(ps_trace_snapshot(trace, events, 3), 3);
    assert_int_equal(events[0].seq, 18);
    ps_trace_destroy(trace);
}

/* The Unicode Standard, chapter 3: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static void text_is_told_from_other_bytes(void **state)
{
    static const char text[] =
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc3(\xed\xa0\x80\xc0\x80\xf4\x90z"
        "\xe2\x82";
    static const unsigned sound_len[] = {1, 2, 3, 4, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0};
    struct ps_utf8 c = ps_utf8_of(text, sizeof(text) - 1);
    const char *at = text;

    (void)state;
    for (size_t i = 0; i < sizeof(sound_len) / sizeof(sound_len[0]); i++) {
        assert_true(ps_utf8_next(&c));
        assert_ptr_equal(c.at, at);
        assert_int_equal(c.sound, sound_len[i] > 0);
        assert_int_equal(c.len, sound_len[i] > 0 ? sound_len[i] : 1);
        at += c.len;
    }
    assert_false(ps_utf8_next(&c));
    assert_false(ps_utf8_next(&c));
    assert_ptr_equal(at, text + sizeof(text) - 1);
}

static void number_is_read_only_if_it_is_the_whole_text(void **state)
{
    static const char *const none[] = {"", " 7", "7 ", "+7", "-7", "7a", "0x7", "4", "101", "1e1"};
    uint64_t value = 1;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_false(ps_parse_number(none[i], 5, 100, &value));
    assert_int_equal(value, 1);
    assert_true(ps_parse_number("5", 5, 100, &value));
    assert_int_equal(value, 5);
    assert_true(ps_parse_number("000100", 5, 100, &value));
    assert_int_equal(value, 100);
    assert_true(ps_parse_number("18446744073709551615", 0, UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_false(ps_parse_number("18446744073709551616", 0, UINT64_MAX, &value));
    assert_false(ps_parse_number("5", 0, 4, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_code_has_its_own_text),
        cmocka_unit_test(message_is_that_of_the_last_failure),
        cmocka_unit_test(message_may_be_made_of_the_message_before),
        cmocka_unit_test(overlong_message_is_cut_not_lost),
        cmocka_unit_test(failed_system_call_gives_code_and_text),
        cmocka_unit_test(crc32c_has_the_published_check_value),
        cmocka_unit_test(crc32c_of_pieces_is_that_of_the_whole),
        cmocka_unit_test(integers_stand_little_endian_on_disk),
        cmocka_unit_test(floats_stand_little_endian_on_disk),
        cmocka_unit_test(buffers_are_aligned_and_zeroed),
        cmocka_unit_test(arena_is_huge_page_aligned_and_zeroed),
        cmocka_unit_test(arena_gives_back_whole_huge_pages_and_nothing_else),
        cmocka_unit_test(arena_is_no_longer_than_its_pages),
        cmocka_unit_test(poison_keeps_the_first_reason),
        cmocka_unit_test(trace_keeps_the_last_events_in_order),
        cmocka_unit_test(text_is_told_from_other_bytes),
        cmocka_unit_test(number_is_read_only_if_it_is_the_whole_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
