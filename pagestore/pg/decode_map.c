/*
 * decode_map.c - free space maps (storage/fsm_internals.h; fsm_page_contents() of pageinspect) and
 * visibility maps (access/visibilitymap.h; pg_visibility_map()).
 */
#include <inttypes.h>

#include "pg/decode_private.h"

#define FSM_CATEGORIES 256u
#define FSM_SLOT_START PS_PG_HEADER_LEN
#define FSM_NODES_START 28u /* page header, then fp_next_slot */

struct fsm_shape {
    uint32_t nodes, inner; /* of the page's binary tree; leaves are nodes [inner, nodes) */
    uint32_t level;        /* 0: its leaves are the relation's pages */
    uint64_t first;        /* page (level 0) or map page of the level below, of the first leaf */
};

/* The map's file is a tree of three levels, stored so that each page comes before those below. */
static struct fsm_shape fsm_shape_of(uint32_t page_size, uint32_t page_no)
{
    struct fsm_shape s = {.nodes = page_size - FSM_NODES_START, .inner = page_size / 2 - 1};
    uint32_t leaves = s.nodes - s.inner;
    uint32_t tree = page_no > 0 ? (page_no - 1) / (leaves + 1) : 0;
    uint32_t within = page_no > 0 ? (page_no - 1) % (leaves + 1) : 0;

    if (page_no == 0) {
        s.level = 2;
    } else if (within == 0) {
        s.level = 1;
        s.first = (uint64_t)tree * leaves;
    } else {
        s.first = ((uint64_t)tree * leaves + within - 1) * leaves;
    }
    return s;
}

static void fsm_fields(const struct ps_pg_view *v, FILE *out)
{
    struct fsm_shape s = fsm_shape_of(v->size, v->who->page_no);
    const uint8_t *nodes = v->bytes + FSM_NODES_START;

    fprintf(out, "fp_next_slot %u\nlevel %u\n\nnode value leaf avail\n",
            ps_get32_at(v->bytes + FSM_SLOT_START), s.level);
    for (uint32_t i = 0; i < s.nodes; i++) {
        if (nodes[i] == 0)
            continue;
        fprintf(out, "%u %u ", i, nodes[i]);
        if (i < s.inner)
            fputc('-', out);
        else
            fprintf(out, "%" PRIu64, s.first + i - s.inner);
        fprintf(out, " %u\n", nodes[i] * (v->size / FSM_CATEGORIES));
    }
}

#define NODES_AT_ONCE 8u

/* Are that many nodes 0, from the first on, and those below them? As most are, of most maps. */
static inline bool are_zero(const struct fsm_shape *s, const uint8_t *nodes, uint32_t first)
{
    const uint32_t below = 2 * first + 1;

    return below + 2 * NODES_AT_ONCE <= s->nodes &&
           (ps_get64_at(nodes + first) | ps_get64_at(nodes + below) |
            ps_get64_at(nodes + below + NODES_AT_ONCE)) == 0;
}

/* A server repairs wrong inner nodes of a map when it sees them; the map is not crash safe. */
static void fsm_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    struct fsm_shape s = fsm_shape_of(v->size, v->who->page_no);
    const uint8_t *nodes = v->bytes + FSM_NODES_START;
    uint32_t wrong = 0, first = 0;

    for (uint32_t i = s.inner; i-- > 0;) {
        uint8_t left, right;

        while (i >= NODES_AT_ONCE && are_zero(&s, nodes, i + 1 - NODES_AT_ONCE))
            i -= NODES_AT_ONCE;
        left = 2 * i + 1 < s.nodes ? nodes[2 * i + 1] : 0;
        right = 2 * i + 2 < s.nodes ? nodes[2 * i + 2] : 0;
        if (nodes[i] == (left > right ? left : right))
            continue;
        wrong++;
        first = i;
    }
    if (wrong > 0)
        ps_pg_suspect(r, "fsm", 0, "node %u is not the larger of those below (%u such nodes)",
                      first, wrong);
}

const struct ps_pg_method ps_pg_fsm = {.kind = "fsm", .fields = fsm_fields, .check = fsm_check};

/* --- visibility map ------------------------------------------------------------------------ */

uint32_t ps_vm_pages_a_page(uint32_t page_size)
{
    return (page_size - PS_PG_HEADER_LEN) * PS_VM_PAGES_A_BYTE;
}

unsigned ps_vm_bits(const void *page, uint32_t index)
{
    const uint8_t *map = (const uint8_t *)page + PS_PG_HEADER_LEN;

    return map[index / PS_VM_PAGES_A_BYTE] >> (index % PS_VM_PAGES_A_BYTE * 2) & 3;
}

/* Ranges of pages of the relation that have bits in common. */
static void vm_fields(const struct ps_pg_view *v, FILE *out)
{
    uint32_t count = ps_vm_pages_a_page(v->size);
    uint64_t first = (uint64_t)v->who->page_no * count;

    fputs("\nblkno all_visible all_frozen\n", out);
    for (uint32_t i = 0, next; i < count; i = next) {
        unsigned bits = ps_vm_bits(v->bytes, i);

        for (next = i + 1; next < count && ps_vm_bits(v->bytes, next) == bits;)
            next++;
        if (bits == 0)
            continue;
        fprintf(out, "%" PRIu64 "-%" PRIu64 " %c %c\n", first + i, first + next - 1,
                bits & PS_VM_ALL_VISIBLE ? 't' : 'f', bits & PS_VM_ALL_FROZEN ? 't' : 'f');
    }
}

/* Is any page all frozen, but not all visible? Looks at 32 of them at a time. */
static bool has_frozen_alone(const struct ps_pg_view *v)
{
    const uint64_t visible = UINT64_C(0x5555555555555555);
    uint64_t alone = 0;

    static_assert(PS_VM_ALL_VISIBLE == 1 && PS_VM_ALL_FROZEN == 2, "two bits of a page");
    assert((v->size - PS_PG_HEADER_LEN) % sizeof(uint64_t) == 0);
    for (uint32_t at = PS_PG_HEADER_LEN; at < v->size; at += sizeof(uint64_t)) {
        const uint64_t bits = ps_get64_at(v->bytes + at);

        alone |= bits >> 1 & ~bits & visible;
    }
    return alone != 0;
}

static void vm_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    uint32_t count = ps_vm_pages_a_page(v->size);
    uint64_t first = (uint64_t)v->who->page_no * count;

    if (!has_frozen_alone(v))
        return;
    for (uint32_t i = 0; i < count; i++)
        if (ps_vm_bits(v->bytes, i) == PS_VM_ALL_FROZEN)
            ps_pg_fault(r, "vm-lie", 0, "block %" PRIu64 " is all frozen, but not all visible",
                        first + i);
}

const struct ps_pg_method ps_pg_vm = {.kind = "vm", .fields = vm_fields, .check = vm_check};
