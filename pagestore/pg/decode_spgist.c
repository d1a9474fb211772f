/*
 * decode_spgist.c - SP-GiST (access/spgist_private.h). pageinspect has nothing for it; names are
 * the source's.
 */
#include "pg/decode_private.h"

#define OPAQUE_LEN 8u
#define MAGIC 0xba0babeeu
#define CACHED_PAGES 8u
#define FLAGS_ALL 0x0fu

enum { META = 1 << 0, DELETED = 1 << 1, LEAF = 1 << 2 };
enum { LIVE, REDIRECT, DEAD, PLACEHOLDER }; /* tupstate */
static const char *const states[] = {"live", "redirect", "dead", "placeholder"};

#define INNER_HEADER 8u
#define LEAF_HEADER 12u
#define LEAF_DATA 16u     /* the header, aligned; a null bitmap may come before */
#define DEAD_LEN 16u      /* a dead tuple: the leaf's header, then an xid */
#define NEXT_MASK 0x3fffu /* of the leaf's t_info; higher bits: it has nulls */
#define HAS_NULLS 0x8000u

/* Of a tuple's first word; the latter two of an inner one's. */
static unsigned state_of(uint32_t word)
{
    return word & 3;
}

static uint32_t nodes_of(uint32_t word)
{
    return word >> 3 & 0x1fff;
}

static uint32_t prefix_len_of(uint32_t word)
{
    return word >> 16;
}

static unsigned opaque_flags(const struct ps_pg_view *v)
{
    return v->opaque_len == OPAQUE_LEN ? ps_get16_at(v->opaque) : 0;
}

static void print_meta(const struct ps_pg_view *v, FILE *out)
{
    const uint8_t *m = ps_pg_contents(v, 0, 4 + CACHED_PAGES * 8);

    if (!m)
        return;
    fprintf(out, "magic %u (0x%08x)\n\nlast_used blkno free_space\n", ps_get32_at(m),
            ps_get32_at(m));
    for (uint32_t i = 0; i < CACHED_PAGES; i++)
        fprintf(out, "%u %u %d\n", i, ps_get32_at(m + 4 + i * 8),
                (int32_t)ps_get32_at(m + 8 + i * 8));
}

static void spgist_fields(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {"meta", "deleted", "leaf", "nulls"};
    unsigned flags = opaque_flags(v);

    if (v->opaque_len != OPAQUE_LEN)
        return;
    fprintf(out, "opaque_flags %u (0x%04x ", flags, flags);
    ps_describe_flags(flags, names, sizeof(names) / sizeof(names[0]), out);
    fprintf(out, ")\nn_redirection %u\nn_placeholder %u\n", ps_get16_at(v->opaque + 2),
            ps_get16_at(v->opaque + 4));
    if (flags & META)
        print_meta(v, out);
}

static const char *spgist_titles(const struct ps_pg_view *v)
{
    return opaque_flags(v) & LEAF ? " state size next_offset heap_ptr xid data"
                                  : " state size all_the_same nodes prefix_size pointer xid data";
}

static void print_dead_end(const uint8_t *item, uint32_t len, FILE *out)
{
    fputc(' ', out);
    ps_pg_print_tid(ps_pg_tid(item + 6), out);
    if (len >= DEAD_LEN)
        fprintf(out, " %u -", ps_get32_at(item + LEAF_HEADER));
    else
        fputs(" - -", out);
}

static void leaf_item(struct ps_pg_items *items, const uint8_t *item, uint32_t len, FILE *out)
{
    unsigned state = state_of(item[0]), info = ps_get16_at(item + 4);

    fprintf(out, " %s %u %u", states[state], ps_get32_at(item) >> 2, info & NEXT_MASK);
    if (state != LIVE) {
        print_dead_end(item, len, out);
        return;
    }
    fputc(' ', out);
    ps_pg_print_tid(ps_pg_tid(item + 6), out);
    fputs(" - ", out);
    /* With nulls, their bits come first; they are shown as part of the data. */
    if (info & HAS_NULLS)
        ps_pg_print_data(items, item + LEAF_HEADER, len - LEAF_HEADER, out);
    else
        ps_pg_print_data(items, item + LEAF_DATA, len > LEAF_DATA ? len - LEAF_DATA : 0, out);
}

/* The node that begins at *at, and where the next one does; false: it does not lie in the tuple. */
static bool next_node(const uint8_t *item, uint32_t len, uint32_t *at,
                      struct ps_pg_index_tuple *ret)
{
    if (*at > len || !ps_pg_index_tuple(item + *at, len - *at, ret) ||
        ret->size < PS_PG_INDEX_HEADER)
        return false;
    *at += ret->size;
    return true;
}

/* An inner tuple's nodes: where each leads, and its label in hex. */
static void print_nodes(struct ps_pg_items *items, const uint8_t *item, uint32_t len, uint32_t at,
                        uint32_t nodes, FILE *out)
{
    const char *before = "";

    fputc('{', out);
    for (uint32_t i = 0; i < nodes; i++) {
        struct ps_pg_index_tuple t;

        if (!next_node(item, len, &at, &t)) {
            fprintf(out, "%s...", before);
            break;
        }
        fputs(before, out);
        ps_pg_print_tid(t.tid, out);
        fputc('=', out);
        ps_pg_print_data(items, t.bytes + t.data, t.end - t.data, out);
        before = ", ";
    }
    fputc('}', out);
}

static void inner_item(struct ps_pg_items *items, const uint8_t *item, uint32_t len, FILE *out)
{
    uint32_t word = ps_get32_at(item);
    uint32_t nodes = nodes_of(word), prefix = prefix_len_of(word);
    unsigned state = state_of(word);

    if (state != LIVE) {
        fprintf(out, " %s %u - - -", states[state], word >> 2);
        print_dead_end(item, len, out);
        return;
    }
    fprintf(out, " live %u %c %u %u - - prefix=", ps_get16_at(item + 4), word >> 2 & 1 ? 't' : 'f',
            nodes, prefix);
    if (prefix > len - INNER_HEADER)
        prefix = len - INNER_HEADER;
    ps_pg_print_data(items, item + INNER_HEADER, prefix, out);
    fputs(" nodes=", out);
    print_nodes(items, item, len, INNER_HEADER + prefix, nodes, out);
}

static void spgist_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out)
{
    bool leaf = opaque_flags(items->view) & LEAF;
    uint32_t len = 0;
    const uint8_t *item = ps_pg_view_item(items->view, slot, &len);

    (void)lp;
    if (!item || len < LEAF_HEADER || len > items->left)
        fputs(leaf ? " - - - - - -" : " - - - - - - - -", out);
    else if (leaf)
        leaf_item(items, item, len, out);
    else
        inner_item(items, item, len, out);
}

/* --- where it leads ------------------------------------------------------------------------ */

static void tuple_links(const uint8_t *item, uint32_t len, void (*each)(void *ctx, uint32_t block),
                        void *ctx)
{
    const uint32_t word = ps_get32_at(item);
    uint32_t at = INNER_HEADER + prefix_len_of(word);
    struct ps_pg_index_tuple node;

    if (state_of(word) != LIVE)
        return;
    for (uint32_t i = nodes_of(word); i > 0 && next_node(item, len, &at, &node); i--)
        each(ctx, node.tid.block);
}

void ps_spgist_links(const struct ps_pg_view *v, void (*each)(void *ctx, uint32_t block), void *ctx)
{
    if (v->opaque_len != OPAQUE_LEN || opaque_flags(v) & (META | DELETED | LEAF))
        return;
    for (uint32_t slot = 1; slot <= v->slots; slot++) {
        uint32_t len = 0;
        const uint8_t *item = ps_pg_view_item(v, slot, &len);

        if (item && len >= INNER_HEADER)
            tuple_links(item, len, each, ctx);
    }
}

/* --- what is wrong ------------------------------------------------------------------------- */

struct seen {
    uint32_t redirects, placeholders;
};

static void check_chain(const struct ps_pg_view *v, uint32_t slot, uint32_t next,
                        struct ps_pg_report *r)
{
    if (next > v->slots || next == slot)
        ps_pg_fault(r, "item", slot, "item %u is chained to item %u of %u", slot, next, v->slots);
}

static void check_item(const struct ps_pg_view *v, bool leaf, uint32_t slot, struct seen *seen,
                       struct ps_pg_report *r)
{
    struct ps_lp lp = ps_pg_view_lp(v, slot);
    uint32_t len = 0, size;
    const uint8_t *item = ps_pg_view_item(v, slot, &len);
    unsigned state;

    if (!ps_lp_has_storage(&lp))
        return;
    if (!item || len < LEAF_HEADER) {
        ps_pg_fault(r, "item", slot, "item %u is too short to be one", slot);
        return;
    }
    state = state_of(item[0]);
    seen->redirects += state == REDIRECT;
    seen->placeholders += state == PLACEHOLDER;
    size = leaf || state != LIVE ? ps_get32_at(item) >> 2 : ps_get16_at(item + 4);
    if (size != len)
        ps_pg_fault(r, "item", slot, "item %u is %u bytes long, its line pointer says %u", slot,
                    size, len);
    if (leaf && state == LIVE)
        check_chain(v, slot, ps_get16_at(item + 4) & NEXT_MASK, r);
}

static void spgist_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    unsigned flags = opaque_flags(v);
    struct seen seen = {0};

    if (v->opaque_len != OPAQUE_LEN)
        return;
    if (flags & ~FLAGS_ALL)
        ps_pg_fault(r, "opaque", 0, "flags 0x%04x have bits that mean nothing", flags);
    ps_pg_check_meta(v, flags & META, MAGIC, r);
    if (flags & (META | DELETED))
        return;
    for (uint32_t slot = 1; slot <= v->slots; slot++)
        check_item(v, flags & LEAF, slot, &seen, r);
    if (seen.redirects != ps_get16_at(v->opaque + 2) ||
        seen.placeholders != ps_get16_at(v->opaque + 4))
        ps_pg_suspect(r, "opaque", 0, "%u redirections and %u placeholders, counted are %u and %u",
                      ps_get16_at(v->opaque + 2), ps_get16_at(v->opaque + 4), seen.redirects,
                      seen.placeholders);
}

const struct ps_pg_method ps_pg_spgist = {
    .kind = "spgist",
    .fields = spgist_fields,
    .titles = spgist_titles,
    .item = spgist_item,
    .check = spgist_check,
};
