/*
 * decode.c - a page as text: header, what its access method adds, line pointers and items, damage.
 */
#include "pg/decode.h"

#include <assert.h>
#include <string.h>

#include "base/digits.h"
#include "pg/decode_private.h"

/* By enum ps_pg_page_kind. Heap pages are format/'s own; of AUTO nothing is known but what the
 * special space tells. */
static const struct ps_pg_method *const methods[] = {
    [PS_PG_PAGE_BTREE] = &ps_pg_btree,
    [PS_PG_PAGE_HASH] = &ps_pg_hash,
    [PS_PG_PAGE_GIN] = &ps_pg_gin,
    [PS_PG_PAGE_GIST] = &ps_pg_gist,
    [PS_PG_PAGE_SPGIST] = &ps_pg_spgist,
    [PS_PG_PAGE_BRIN] = &ps_pg_brin,
    [PS_PG_PAGE_SEQUENCE] = &ps_pg_sequence,
    [PS_PG_PAGE_FSM] = &ps_pg_fsm,
    [PS_PG_PAGE_VM] = &ps_pg_vm,
};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

static enum ps_pg_page_kind kind_named(const char *name)
{
    for (unsigned i = 0; i < METHODS; i++)
        if (methods[i] && strcmp(methods[i]->kind, name) == 0)
            return (enum ps_pg_page_kind)i;
    return PS_PG_PAGE_AUTO;
}

enum ps_pg_page_kind ps_pg_page_kind(const char *am_name, char relkind, enum ps_pg_fork fork)
{
    if (fork == PS_PG_FSM)
        return PS_PG_PAGE_FSM;
    if (fork == PS_PG_VM)
        return PS_PG_PAGE_VM;
    if (relkind == 'S')
        return PS_PG_PAGE_SEQUENCE;
    if (relkind == 'r' || relkind == 't' || relkind == 'm')
        return PS_PG_PAGE_HEAP;
    return kind_named(am_name);
}

const struct ps_pg_method *ps_pg_method_of(enum ps_pg_page_kind kind, const char *detected)
{
    assert((unsigned)kind < METHODS);
    if (kind == PS_PG_PAGE_AUTO)
        kind = kind_named(detected);
    return methods[kind];
}

/* --- the page, without trust --------------------------------------------------------------- */

struct ps_pg_view ps_pg_view(const void *page, const struct ps_page_ident *who)
{
    const struct ps_pg_header *hdr = page;
    const struct ps_slotted_layout *layout = ps_format_postgres.slotted;
    struct ps_pg_view v = {
        .bytes = page,
        .who = who,
        .size = who->page_size,
        .lower = ps_get16(hdr->pd_lower),
        .upper = ps_get16(hdr->pd_upper),
        .special = ps_get16(hdr->pd_special),
    };

    assert(who->page_size >= PS_PAGE_SIZE_MIN &&
           who->page_size <= ps_format_postgres.page_size_max);
    if (v.special >= PS_PG_HEADER_LEN && v.special <= v.size) {
        v.opaque = v.bytes + v.special;
        v.opaque_len = v.size - v.special;
    }
    if (v.lower <= v.upper && v.upper <= v.special && v.opaque && layout->holds_items(page, v.size))
        v.slots = ps_slots_before(layout, v.lower, v.size);
    return v;
}

const uint8_t *ps_pg_contents(const struct ps_pg_view *v, uint32_t from, uint32_t len)
{
    uint32_t at = PS_PG_HEADER_LEN + from;

    return at <= v->size && len <= v->size - at ? v->bytes + at : NULL;
}

uint32_t ps_pg_free_space(const struct ps_pg_view *v)
{
    const uint32_t room = v->upper > v->lower ? v->upper - v->lower : 0;

    return room >= PS_PG_LP_LEN ? room - PS_PG_LP_LEN : 0;
}

/* --- text ---------------------------------------------------------------------------------- */

void ps_pg_print_tid(struct ps_pg_tid tid, FILE *out)
{
    fprintf(out, "(%u,%u)", tid.block, tid.slot);
}

void ps_pg_print_data(struct ps_pg_items *items, const uint8_t *bytes, uint32_t len, FILE *out)
{
    uint32_t shown = len <= items->left ? len : items->left;

    items->left -= shown;
    for (uint32_t i = 0; i < shown; i++) {
        char digits[2];

        if (i > 0)
            fputc(' ', out);
        ps_put_hex(digits, bytes[i]);
        fwrite(digits, 1, sizeof(digits), out);
    }
    if (len == 0)
        fputc('-', out);
    else if (shown < len)
        fputs(shown > 0 ? " ..." : "...", out);
}

/* What an access method's columns hang on. */
struct columns {
    const struct ps_pg_method *method;
    struct ps_pg_items items;
};

static void print_item(void *ctx, const unsigned char *page, uint32_t page_size, uint32_t slot,
                       const struct ps_lp *lp, FILE *out)
{
    struct columns *c = ctx;

    (void)page;
    (void)page_size;
    c->method->item(&c->items, slot, lp, out);
}

static void decode_method(const struct ps_pg_method *method, const struct ps_pg_view *v, FILE *out)
{
    struct columns ctx = {method, {v, v->size}};
    struct ps_item_columns columns = {.titles = ""};
    const char *titles = method->titles ? method->titles(v) : NULL;

    if (method->fields)
        method->fields(v, out);
    if (titles)
        columns = (struct ps_item_columns){"itemoffset", titles, print_item, &ctx};
    ps_describe_slotted(ps_format_postgres.slotted, v->bytes, v->size, &columns, out);
}

static void decode_heap(const struct ps_pg_view *v, bool known, bool has_tuples, FILE *out)
{
    struct ps_item_columns columns = {.titles = ""};

    if (has_tuples)
        columns = (struct ps_item_columns){NULL, ps_pg_tuple_titles, ps_pg_describe_tuple, &known};
    ps_describe_slotted(ps_format_postgres.slotted, v->bytes, v->size, &columns, out);
}

static void print_damage(void *ctx, bool fault, const char *word, uint32_t lp, const char *text)
{
    (void)fault;
    ps_describe_damage(ctx, word, (int)lp, text);
}

static void decode(enum ps_pg_page_kind kind, const void *page, const struct ps_page_ident *who,
                   bool checksums, FILE *out)
{
    struct ps_pg_view v = ps_pg_view(page, who);
    struct ps_pg_kind detected = ps_pg_kind(page, v.size, v.special);
    const struct ps_pg_method *method = ps_pg_method_of(kind, detected.name);
    const char *name = method ? method->kind : kind == PS_PG_PAGE_HEAP ? "heap" : detected.name;

    ps_pg_describe_header(page, who, name, checksums, out);
    if (ps_page_is_zero(page, v.size))
        return;
    if (method)
        decode_method(method, &v, out);
    else
        decode_heap(&v, kind == PS_PG_PAGE_HEAP, detected.has_tuples, out);
    fputc('\n', out);
    ps_pg_check(kind, page, who, checksums, 0, print_damage, out);
}

void ps_pg_decode(enum ps_pg_page_kind kind, const void *page, const struct ps_page_ident *who,
                  bool checksums, struct ps_text *out)
{
    struct ps_text_stream s;

    ps_text_stream_open(&s);
    if (s.file)
        decode(kind, page, who, checksums, s.file);
    ps_text_stream_close(&s, out);
}
