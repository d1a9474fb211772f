/*
 * decode_gin.c - GIN (access/ginblock.h, backend/access/gin/ginpostinglist.c; gin_metapage_info(),
 * gin_page_opaque_info(), gin_leafpage_items() of pageinspect).
 */
#include <inttypes.h>

#include "pg/decode_private.h"

#define OPAQUE_LEN 8u
#define META_LEN 56u
#define TREE_POSTING 0xffffu /* the tuple's addresses are a tree of their own */
#define COMPRESSED_BIT (1u << 31)
#define LIST_HEADER 8u /* first address, number of bytes */
#define SLOT_BITS 11u  /* of an address packed into one number */
#define VARBYTE_MAX 7u
#define GIN_DATA_START 32u /* header and right bound come before */
#define GIN_POSTING_ITEM_LEN 10u

enum {
    GIN_DATA = 1 << 0,
    GIN_LEAF = 1 << 1,
    GIN_DELETED = 1 << 2,
    GIN_META = 1 << 3,
    GIN_LIST = 1 << 4,
    GIN_LIST_FULLROW = 1 << 5,
    GIN_INCOMPLETE_SPLIT = 1 << 6,
    GIN_COMPRESSED = 1 << 7,
};

struct opaque {
    uint32_t rightlink;
    uint16_t maxoff, flags;
};

static bool opaque_of(const struct ps_pg_view *v, struct opaque *ret)
{
    if (v->opaque_len != OPAQUE_LEN)
        return false;
    *ret = (struct opaque){ps_get32_at(v->opaque), ps_get16_at(v->opaque + 4),
                           ps_get16_at(v->opaque + 6)};
    return true;
}

/* --- posting lists ------------------------------------------------------------------------- */

/* Posting lists of a compressed data leaf, one after the other. */
struct postings {
    const uint8_t *at, *end;
};
struct posting_list {
    struct ps_pg_tid first;
    uint32_t nbytes;
    const uint8_t *bytes;
};

/* Where a data leaf's lists lie; empty where lower makes no sense. */
static struct postings postings_of(const struct ps_pg_view *v)
{
    uint32_t end = v->lower;

    if (!v->opaque || end > v->special || end < GIN_DATA_START)
        end = GIN_DATA_START;
    return (struct postings){v->bytes + GIN_DATA_START, v->bytes + end};
}

/* The next list; false at the end, with *ret_bad where what is left is no list. */
static bool next_list(struct postings *p, struct posting_list *ret, bool *ret_bad)
{
    size_t left = (size_t)(p->end - p->at);
    uint32_t nbytes;

    *ret_bad = left > 0 && left < LIST_HEADER;
    if (left < LIST_HEADER)
        return false;
    nbytes = ps_get16_at(p->at + PS_PG_TID_LEN);
    if (nbytes > left - LIST_HEADER) {
        *ret_bad = true;
        return false;
    }
    *ret = (struct posting_list){ps_pg_tid(p->at), nbytes, p->at + LIST_HEADER};
    p->at += LIST_HEADER + (nbytes + 1) / 2 * 2; /* the next begins at an even place */
    if (p->at > p->end)
        p->at = p->end;
    return true;
}

/* Seven bits a byte, lowest first; the highest bit says that more follow. */
static bool take_varbyte(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < VARBYTE_MAX && *at < end; i++) {
        uint8_t byte = *(*at)++;

        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* Each address of the list, in order; false if its bytes are no list of addresses. */
static bool list_tids(const struct posting_list *list,
                      void (*each)(void *ctx, struct ps_pg_tid tid), void *ctx)
{
    const uint8_t *at = list->bytes, *end = list->bytes + list->nbytes;
    uint64_t packed = (uint64_t)list->first.block << SLOT_BITS | list->first.slot, delta;

    if (list->first.slot >= 1u << SLOT_BITS)
        return false;
    each(ctx, list->first);
    while (at < end) {
        if (!take_varbyte(&at, end, &delta) || delta == 0)
            return false;
        packed += delta;
        if (packed >> SLOT_BITS > UINT32_MAX)
            return false;
        each(ctx, (struct ps_pg_tid){(uint32_t)(packed >> SLOT_BITS),
                                     (uint16_t)(packed & ((1u << SLOT_BITS) - 1))});
    }
    return true;
}

struct tid_printer {
    FILE *out;
    const char *before;
};

static void print_one_tid(void *ctx, struct ps_pg_tid tid)
{
    struct tid_printer *p = ctx;

    fputs(p->before, p->out);
    ps_pg_print_tid(tid, p->out);
    p->before = ",";
}

static void print_list_tids(const struct posting_list *list, FILE *out)
{
    struct tid_printer printer = {out, ""};

    fputc('{', out);
    if (!list_tids(list, print_one_tid, &printer))
        fprintf(out, "%s...", printer.before);
    fputc('}', out);
}

/* --- text ---------------------------------------------------------------------------------- */

static void print_meta(const struct ps_pg_view *v, FILE *out)
{
    const uint8_t *m = ps_pg_contents(v, 0, META_LEN);

    if (!m)
        return;
    fprintf(out, "pending_head %u\npending_tail %u\ntail_free_size %u\nn_pending_pages %u\n",
            ps_get32_at(m), ps_get32_at(m + 4), ps_get32_at(m + 8), ps_get32_at(m + 12));
    fprintf(out, "n_pending_tuples %" PRId64 "\nn_total_pages %u\nn_entry_pages %u\n",
            (int64_t)ps_get64_at(m + 16), ps_get32_at(m + 24), ps_get32_at(m + 28));
    fprintf(out, "n_data_pages %u\nn_entries %" PRId64 "\nversion %d\n", ps_get32_at(m + 32),
            (int64_t)ps_get64_at(m + 40), (int32_t)ps_get32_at(m + 48));
}

static void print_data_leaf(const struct ps_pg_view *v, FILE *out)
{
    struct postings lists = postings_of(v);
    struct posting_list list;
    bool bad;

    fputs("\nfirst_tid nbytes tids\n", out);
    while (next_list(&lists, &list, &bad)) {
        ps_pg_print_tid(list.first, out);
        fprintf(out, " %u ", list.nbytes);
        print_list_tids(&list, out);
        fputc('\n', out);
    }
}

/* Addresses one after the other: leaves written before version 9.4. */
static void print_plain_leaf(const struct ps_pg_view *v, uint32_t count, FILE *out)
{
    const uint8_t *at = ps_pg_contents(v, GIN_DATA_START - PS_PG_HEADER_LEN, count * PS_PG_TID_LEN);

    fputs("\ntid\n", out);
    for (uint32_t i = 0; at && i < count; i++) {
        ps_pg_print_tid(ps_pg_tid(at + i * PS_PG_TID_LEN), out);
        fputc('\n', out);
    }
}

static void print_data_inner(const struct ps_pg_view *v, uint32_t count, FILE *out)
{
    const uint8_t *at =
        ps_pg_contents(v, GIN_DATA_START - PS_PG_HEADER_LEN, count * GIN_POSTING_ITEM_LEN);

    fputs("\nitemoffset child_blkno key\n", out);
    for (uint32_t i = 0; at && i < count; i++, at += GIN_POSTING_ITEM_LEN) {
        fprintf(out, "%u %u ", i + 1, (uint32_t)ps_get16_at(at) << 16 | ps_get16_at(at + 2));
        ps_pg_print_tid(ps_pg_tid(at + 4), out);
        fputc('\n', out);
    }
}

static void print_data_page(const struct ps_pg_view *v, const struct opaque *o, FILE *out)
{
    const uint8_t *bound = ps_pg_contents(v, 0, PS_PG_TID_LEN);

    if (bound) {
        fputs("right_bound ", out);
        ps_pg_print_tid(ps_pg_tid(bound), out);
        fputc('\n', out);
    }
    if (!(o->flags & GIN_LEAF))
        print_data_inner(v, o->maxoff, out);
    else if (o->flags & GIN_COMPRESSED)
        print_data_leaf(v, out);
    else
        print_plain_leaf(v, o->maxoff, out);
}

static void gin_fields(const struct ps_pg_view *v, FILE *out)
{
    static const char *const names[] = {"data", "leaf",         "deleted",          "meta",
                                        "list", "list_fullrow", "incomplete_split", "compressed"};
    struct opaque o;

    if (!opaque_of(v, &o))
        return;
    fprintf(out, "rightlink %u\nmaxoff %u\nopaque_flags %u (0x%04x ", o.rightlink, o.maxoff,
            o.flags, o.flags);
    ps_describe_flags(o.flags, names, sizeof(names) / sizeof(names[0]), out);
    fputs(")\n", out);
    if (o.flags & GIN_META)
        print_meta(v, out);
    else if (o.flags & GIN_DATA && !(o.flags & GIN_DELETED))
        print_data_page(v, &o, out);
}

static const char *gin_titles(const struct ps_pg_view *v)
{
    struct opaque o = {0};

    if (!opaque_of(v, &o) || o.flags & (GIN_META | GIN_DATA | GIN_DELETED))
        return NULL;
    if (o.flags & GIN_LIST)
        return " ctid itemlen nulls vars data";
    return o.flags & GIN_LEAF ? " itemlen nulls vars posting tids data"
                              : " downlink itemlen nulls vars data";
}

/* Where a leaf's entry has its addresses: `(tree,BLOCK)` elsewhere, or so many behind the key. */
static void print_entry_posting(const struct ps_pg_index_tuple *t, uint32_t *ret_end, FILE *out)
{
    uint32_t at = t->tid.block & ~COMPRESSED_BIT;
    struct postings lists;
    struct posting_list list;
    bool bad;

    *ret_end = t->end;
    if (t->tid.slot == TREE_POSTING) {
        fprintf(out, " tree:%u -", t->tid.block);
        return;
    }
    fprintf(out, " list:%u ", t->tid.slot);
    if (at < t->data || at > t->end) {
        fputc('-', out);
        return;
    }
    *ret_end = at;
    lists = (struct postings){t->bytes + at, t->bytes + t->end};
    if (t->tid.slot > 0 && t->tid.block & COMPRESSED_BIT && next_list(&lists, &list, &bad))
        print_list_tids(&list, out);
    else
        fputc('-', out);
}

static void gin_item(struct ps_pg_items *items, uint32_t slot, const struct ps_lp *lp, FILE *out)
{
    struct opaque o = {0};
    struct ps_pg_index_tuple t;
    uint32_t len = 0, end;
    const uint8_t *item = ps_pg_view_item(items->view, slot, &len);
    bool entry_leaf = opaque_of(items->view, &o) && o.flags & GIN_LEAF;

    (void)lp;
    if (!ps_pg_index_tuple(item, len, &t) || t.len > items->left) {
        fputs(entry_leaf ? " - - - - - -" : " - - - - -", out);
        return;
    }
    end = t.end;
    fputc(' ', out);
    if (o.flags & GIN_LIST)
        ps_pg_print_tid(t.tid, out);
    else if (!entry_leaf)
        fprintf(out, "%u", t.tid.block);
    fprintf(out, "%s%u %c %c", entry_leaf ? "" : " ", t.size, t.info & PS_PG_INDEX_NULL ? 't' : 'f',
            t.info & PS_PG_INDEX_VAR ? 't' : 'f');
    if (entry_leaf)
        print_entry_posting(&t, &end, out);
    items->left -= t.end - end;
    fputc(' ', out);
    ps_pg_print_data(items, t.bytes + t.data, end - t.data, out);
}

/* --- what is wrong ------------------------------------------------------------------------- */

struct order {
    struct ps_pg_tid last;
    bool wrong, any;
};

static void follow(void *ctx, struct ps_pg_tid tid)
{
    struct order *o = ctx;

    if (o->any && ps_pg_tid_cmp(o->last, tid) >= 0)
        o->wrong = true;
    o->any = true;
    o->last = tid;
}

static void check_data_leaf(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    struct postings lists = postings_of(v);
    struct posting_list list;
    struct order order = {0};
    bool bad = false;
    uint32_t n = 0;

    while (next_list(&lists, &list, &bad)) {
        n++;
        if (!list_tids(&list, follow, &order))
            ps_pg_fault(r, "posting", 0, "posting list %u does not unpack to addresses", n);
        if (order.wrong) {
            ps_pg_fault(r, "order", 0, "posting list %u begins before the one before it ends", n);
            return;
        }
    }
    if (bad)
        ps_pg_fault(r, "posting", 0, "posting list %u does not end on the page", n + 1);
}

static void check_data_inner(const struct ps_pg_view *v, const struct opaque *o,
                             struct ps_pg_report *r)
{
    uint32_t room = v->special > GIN_DATA_START ? v->special - GIN_DATA_START : 0;

    if (o->maxoff > room / GIN_POSTING_ITEM_LEN)
        ps_pg_fault(r, "opaque", 0, "maxoff %u does not fit the page", o->maxoff);
}

static void gin_check(const struct ps_pg_view *v, struct ps_pg_report *r)
{
    struct opaque o;

    if (!opaque_of(v, &o))
        return;
    if (o.flags > 0xff)
        ps_pg_fault(r, "opaque", 0, "flags 0x%04x have bits that mean nothing", o.flags);
    (void)ps_pg_check_meta_block(v, o.flags & GIN_META, r);
    if (o.flags & (GIN_META | GIN_DELETED))
        return;
    if (o.rightlink == v->who->page_no)
        ps_pg_fault(r, "opaque", 0, "the page is its own right sibling");
    if (!(o.flags & GIN_DATA))
        ps_pg_check_index_tuples(v, r);
    else if (!(o.flags & GIN_LEAF))
        check_data_inner(v, &o, r);
    else if (o.flags & GIN_COMPRESSED)
        check_data_leaf(v, r);
}

const struct ps_pg_method ps_pg_gin = {
    .kind = "gin",
    .fields = gin_fields,
    .titles = gin_titles,
    .item = gin_item,
    .check = gin_check,
};
