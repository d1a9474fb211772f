/*
 * sketch.c - counters by hash, a line of 64 for each few pages.
 */
#include "pool/sketch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "pool/page_ids.h"

#define ROWS 4u
#define ROW_LEN 16u

struct ps_sketch_line {
    uint8_t rows[ROWS][ROW_LEN];
} __attribute__((aligned(64)));
static_assert(sizeof(struct ps_sketch_line) == 64, "one cache line");

ps_err ps_sketch_init(struct ps_sketch *s, uint32_t frames)
{
    s->len = frames;
    s->lines = aligned_alloc(_Alignof(struct ps_sketch_line), s->len * sizeof(*s->lines));
    if (!s->lines)
        return ps_fail(PS_ERR_NOMEM, "no memory to count uses of pages of %u frames", frames);
    memset(s->lines, 0, s->len * sizeof(*s->lines));
    return PS_OK;
}

void ps_sketch_deinit(struct ps_sketch *s)
{
    free(s->lines);
    s->lines = NULL;
}

/* The page's four counters. */
static void find(const struct ps_sketch *s, uint64_t page_id, uint8_t *ret[ROWS])
{
    const uint64_t h = ps_page_id_hash(page_id);
    struct ps_sketch_line *line = &s->lines[(h >> 32) * s->len >> 32];

    for (unsigned row = 0; row < ROWS; row++)
        ret[row] = &line->rows[row][(h >> row * 4) % ROW_LEN];
}

static uint8_t least(uint8_t *const counters[ROWS])
{
    uint8_t min = UINT8_MAX;

    for (unsigned row = 0; row < ROWS; row++)
        min = *counters[row] < min ? *counters[row] : min;
    return min;
}

void ps_sketch_add(struct ps_sketch *s, uint64_t page_id)
{
    uint8_t *counters[ROWS];
    uint8_t min;

    find(s, page_id, counters);
    min = least(counters);
    for (unsigned row = 0; row < ROWS; row++) {
        if (*counters[row] == min && min < UINT8_MAX)
            ++*counters[row];
    }
}

unsigned ps_sketch_count(const struct ps_sketch *s, uint64_t page_id)
{
    uint8_t *counters[ROWS];

    find(s, page_id, counters);
    return least(counters);
}

void ps_sketch_halve(struct ps_sketch *s)
{
    uint8_t *bytes = &s->lines[0].rows[0][0];
    const size_t len = s->len * sizeof(*s->lines);

    for (size_t i = 0; i < len; i++)
        bytes[i] >>= 1;
}
