#include "pg/damage_walk.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "pg/heap_page.h"

#define WHOLE_FILE UINT64_MAX
#define PIECE_BYTES (512u << 10)
#define RUN_BYTES (128u << 10) /* stays in a core's cache while it is judged */
#define AHEAD_BYTES (4u << 20)
#define NEAR_BYTES (64u << 10)
#define ZERO_PAGES_MAX 1024u /* looked at, at a heap's end */

/* --- lines --------------------------------------------------------------------------------- */

/* Of a relation's segments, the one that the block lies in. */
static void add_file(struct ps_pg_walk *w, uint64_t block)
{
    uint32_t segment_pages = ps_pg_control(w->cluster)->segment_blocks;
    uint64_t segment = 0;

    if (block != WHOLE_FILE && segment_pages != 0 && !ps_pg_is_file(w->cluster))
        segment = block / segment_pages;
    ps_text_printf(w->out, "%s", w->subject.file->path);
    if (segment > 0)
        ps_text_printf(w->out, ".%" PRIu64, segment);
}

void ps_pg_walk_add(struct ps_pg_walk *w, uint64_t block, uint32_t lp, bool fault, const char *word,
                    const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    ps_text_printf(w->out, "%s\t", w->subject.relation ? w->subject.relation : "-");
    add_file(w, block);
    if (block == WHOLE_FILE)
        ps_text_printf(w->out, "\t-");
    else
        ps_text_printf(w->out, "\t%" PRIu64, block);
    if (lp == 0)
        ps_text_printf(w->out, "\t-");
    else
        ps_text_printf(w->out, "\t%" PRIu32, lp);
    ps_text_printf(w->out, "\t%s\t%s\t%s\n", fault ? "fault" : "suspect", word, text);
    if (fault)
        w->counts->faults++;
    else
        w->counts->suspects++;
}

static void add_damage(void *ctx, bool fault, const char *word, uint32_t lp, const char *text)
{
    struct ps_pg_walk *w = ctx;

    ps_pg_walk_add(w, w->block, lp, fault, word, "%s", text);
}

/* --- a page -------------------------------------------------------------------------------- */

static ps_err glance(struct ps_pg_walk *w, const struct ps_pg_view *v, bool *ret_fine)
{
    *ret_fine = false;
    if (w->subject.kind == PS_PG_PAGE_HEAP)
        return ps_pg_glance_heap(w, v, ret_fine);
    if (w->subject.kind == PS_PG_PAGE_BTREE)
        return ps_pg_glance_btree(w, v, ret_fine);
    return PS_OK;
}

/* Of a page that is not trusted only the damage itself is told, not what it says of others. */
static ps_err see_page(struct ps_pg_walk *w, bool trusted)
{
    /* Of a page that is trusted it was compared when the page was read. */
    const bool compare = !trusted && ps_pg_has_checksums(w->cluster);
    struct ps_page_ident who = {w->page_size, (uint32_t)w->block, w->subject.file->id};
    uint32_t natts = w->subject.desc ? w->subject.desc->count : 0;
    struct ps_pg_view v = ps_pg_view(w->page, &who);
    bool fine = false;
    unsigned found;
    ps_err err;

    err = ps_pg_zeros_tell(w);
    if (!err && trusted)
        err = glance(w, &v, &fine);
    if (err || fine)
        return err;
    found = ps_pg_check(w->subject.kind, w->page, &who, compare, natts, add_damage, w);
    if (w->links && trusted && found == 0)
        ps_pg_links_follow(w->links, &v);
    if (!trusted && found == 0)
        ps_pg_walk_add(w, w->block, 0, true, "read", "the page is not as it was written");
    if (!trusted)
        return PS_OK;
    if (w->subject.kind == PS_PG_PAGE_HEAP)
        return ps_pg_walk_heap(w, &v);
    /* The links and keys of a page that is no page are not followed. */
    if (w->subject.kind == PS_PG_PAGE_BTREE && found == 0)
        return ps_pg_walk_btree(w, &v);
    return PS_OK;
}

static ps_err walk_page(struct ps_pg_walk *w)
{
    ps_err err = ps_pg_walk_read(w, w->block, &w->page);

    w->counts->pages++;
    if (w->links && (err || !ps_page_is_zero(w->page, w->page_size)))
        ps_pg_links_content(w->links, w->block);
    if (err && err != PS_ERR_CORRUPT) {
        if (ps_pg_walk_ends(err))
            return err;
        ps_pg_walk_add(w, w->block, 0, true, "read", "%s", ps_message());
        return PS_OK;
    }
    if (ps_page_is_zero(w->page, w->page_size)) {
        ps_pg_zeros_see(w, err == PS_OK);
        return PS_OK;
    }
    return see_page(w, err == PS_OK);
}

/* --- lore ---------------------------------------------------------------------------------- */

ps_err ps_pg_lore_new(struct ps_pg_lore **ret)
{
    struct ps_pg_lore *lore = calloc(1, sizeof(*lore));

    if (!lore)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    ps_mutex_init(&lore->mtx, PS_RANK_LEAF, "pg_lore.mtx");
    ps_cond_init(&lore->told);
    *ret = lore;
    return PS_OK;
}

void ps_pg_lore_free(struct ps_pg_lore *lore)
{
    ps_cond_deinit(&lore->told);
    ps_mutex_deinit(&lore->mtx);
    free(lore);
}

void ps_pg_lore_tell(struct ps_pg_lore *lore, const struct ps_pg_walk *w)
{
    ps_mutex_lock(&lore->mtx);
    if (w && !lore->known) {
        lore->btree_version = w->btree_version;
        lore->ascending = w->order.ascending;
        lore->descending = w->order.descending;
    }
    lore->known = true;
    ps_cond_broadcast(&lore->told);
    ps_mutex_unlock(&lore->mtx);
}

static void hear(struct ps_pg_lore *lore, struct ps_pg_walk *w)
{
    ps_mutex_lock(&lore->mtx);
    while (!lore->known)
        ps_cond_wait(&lore->told, &lore->mtx);
    w->btree_version = lore->btree_version;
    w->order.ascending = lore->ascending;
    w->order.descending = lore->descending;
    ps_mutex_unlock(&lore->mtx);
}

/* --- the walk ------------------------------------------------------------------------------ */

static ps_err pages_of(struct ps_pg_cluster *cluster, const struct ps_pg_file *file,
                       struct ps_table_info *ret)
{
    struct ps_table *table;
    ps_err err = ps_table_get(ps_pg_store(cluster), file->id, &table);

    if (err)
        return err;
    err = ps_table_info(table, ret);
    ps_table_unref(table);
    return err;
}

/* Where the heap's last page that is not zero ends: pages of zeros behind it are what the heap was
 * extended by, and have no rows. Of very many only the last ones are looked at. */
static ps_err find_rows_end(struct ps_pg_cluster *cluster, const struct ps_pg_file *heap,
                            uint64_t *ret)
{
    const uint32_t page_size = ps_store_page_size(ps_pg_store(cluster));
    uint8_t *page = ps_buf_alloc(page_size);
    struct ps_table *table = NULL;
    struct ps_table_info info;
    uint64_t end, lowest;
    bool sound;
    ps_err err = page ? ps_table_get(ps_pg_store(cluster), heap->id, &table)
                      : ps_fail(PS_ERR_NOMEM, "no memory to look for damage");

    if (!err)
        err = ps_table_info(table, &info);
    if (err)
        goto out;
    end = info.pages_end;
    lowest = end > ZERO_PAGES_MAX ? end - ZERO_PAGES_MAX : 0;
    for (; end > lowest; end--) {
        ps_foreign_read_run(table, end - 1, 1, page, &sound);
        if (!sound || !ps_page_is_zero(page, page_size))
            break;
    }
    *ret = end;
out:
    ps_table_unref(table);
    ps_buf_free(page);
    return err;
}

ps_err ps_pg_subject_measure(struct ps_pg_cluster *cluster, struct ps_pg_subject *subject)
{
    struct ps_table_info info;
    ps_err err = pages_of(cluster, subject->file, &info);

    if (err)
        return err;
    subject->first_block = ps_pg_first_block(&info);
    subject->pages_end = info.pages_end;
    subject->heap_pages = UINT64_MAX;
    if (!subject->heap)
        return PS_OK;
    return find_rows_end(cluster, subject->heap, &subject->heap_pages);
}

static uint32_t pages_in(uint32_t bytes, uint32_t page_size)
{
    return bytes > page_size ? bytes / page_size : 1;
}

uint32_t ps_pg_walk_piece(struct ps_pg_cluster *cluster)
{
    return pages_in(PIECE_BYTES, ps_store_page_size(ps_pg_store(cluster)));
}

static ps_err make_buffers(struct ps_pg_walk *w)
{
    ps_err err = ps_pg_run_init(&w->run, pages_in(RUN_BYTES, w->page_size), w->page_size);

    if (!err)
        err = ps_pg_run_init(&w->near, pages_in(NEAR_BYTES, w->page_size), w->page_size);
    w->copy = ps_buf_alloc(w->page_size);
    w->other = ps_buf_alloc(w->page_size);
    w->vm = ps_buf_alloc(w->page_size);
    if (!err && !(w->copy && w->other && w->vm))
        err = ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    return err;
}

ps_err ps_pg_walk_new(struct ps_pg_cluster *cluster, struct ps_pg_xacts *xacts,
                      struct ps_pg_walk **ret)
{
    struct ps_pg_walk *w = calloc(1, sizeof(*w));
    ps_err err;

    if (!w)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    w->cluster = cluster;
    w->xacts = xacts;
    w->committed = PS_PG_XID_BOOTSTRAP;
    w->settled = !ps_pg_not_recovered(cluster) && !ps_pg_opts(cluster)->live;
    w->page_size = ps_store_page_size(ps_pg_store(cluster));
    err = make_buffers(w);
    if (err) {
        ps_pg_walk_free(w);
        return err;
    }
    *ret = w;
    return PS_OK;
}

void ps_pg_walk_free(struct ps_pg_walk *w)
{
    if (!w)
        return;
    ps_pg_walk_leave(w);
    ps_pg_run_deinit(&w->run);
    ps_pg_run_deinit(&w->near);
    ps_buf_free(w->copy);
    ps_buf_free(w->other);
    ps_buf_free(w->vm);
    ps_pg_shape_deinit(&w->shape);
    free(w->values);
    ps_text_deinit(&w->detoasted);
    free(w);
}

/* --- a piece ------------------------------------------------------------------------------- */

static ps_err open_tables(struct ps_pg_walk *w)
{
    struct ps_store *store = ps_pg_store(w->cluster);
    ps_err err = ps_table_get(store, w->subject.file->id, &w->table);

    if (!err && w->subject.vm && w->subject.kind == PS_PG_PAGE_HEAP)
        err = ps_table_get(store, w->subject.vm->id, &w->vm_table);
    return err;
}

/* The disk has work while this piece is judged: the pieces behind it are walked next. Behind a
 * hole, which is a piece of any length, none has asked for anything yet. */
static void read_ahead(struct ps_pg_walk *w)
{
    const uint32_t ahead = pages_in(AHEAD_BYTES, w->page_size);

    if (w->to - w->from > ps_pg_walk_piece(w->cluster)) {
        ps_foreign_will_read(w->table, w->to, w->to + ahead);
        return;
    }
    if (w->from == w->subject.first_block && w->subject.pages_end - w->from > w->run.cap)
        ps_foreign_will_read(w->table, w->from, w->from + ahead);
    if (w->subject.pages_end > w->from + ahead)
        ps_foreign_will_read(w->table, w->from + ahead, w->to + ahead);
}

static ps_err make_values(struct ps_pg_walk *w)
{
    const uint32_t count = w->subject.desc ? w->subject.desc->count : 0;
    struct ps_pg_value *bigger;

    if (count <= w->values_cap)
        return PS_OK;
    bigger = realloc(w->values, count * sizeof(*bigger));
    if (!bigger)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    w->values = bigger;
    w->values_cap = count;
    return PS_OK;
}

ps_err ps_pg_walk_enter(struct ps_pg_walk *w, const struct ps_pg_subject *subject, uint64_t from,
                        uint64_t to, struct ps_pg_lore *lore)
{
    ps_err err;

    assert(!w->table && from <= to && to <= subject->pages_end);
    w->subject = *subject;
    w->lore = lore;
    w->from = w->block = from;
    w->to = to;
    w->zero_count = 0;
    w->seen_page = false;
    w->run.count = w->near.count = 0;
    w->vm_block = UINT64_MAX;
    w->btree_version = 0;
    w->like.known = w->like.whole = false;
    ps_pg_key_order_find(subject, &w->order);
    if (lore && from > subject->first_block)
        hear(lore, w);
    err = make_values(w);
    if (!err && subject->desc)
        err = ps_pg_shape_set(&w->shape, subject->desc);
    if (!err)
        err = open_tables(w);
    if (err) {
        ps_pg_walk_leave(w);
        return err;
    }
    w->links = subject->links;
    read_ahead(w);
    return PS_OK;
}

void ps_pg_walk_leave(struct ps_pg_walk *w)
{
    if (w->lore && w->from == w->subject.first_block)
        ps_pg_lore_tell(w->lore, w);
    w->lore = NULL;
    if (w->links && w->to < w->subject.pages_end)
        ps_pg_links_walked(w->links, w->to - w->from);
    w->links = NULL;
    if (w->table)
        ps_table_unref(w->table);
    if (w->vm_table)
        ps_table_unref(w->vm_table);
    w->table = w->vm_table = NULL;
}

/* What does not fill a page at the file's end. */
static void see_tail(struct ps_pg_walk *w)
{
    char file[4096];
    uint64_t bytes = 0;
    ps_err err = ps_foreign_tail(w->table, &bytes, file, sizeof(file));

    if (err)
        ps_pg_walk_add(w, WHOLE_FILE, 0, true, "read", "%s", ps_message());
    else if (bytes > 0)
        ps_pg_walk_add(w, w->subject.pages_end, 0, true, "short",
                       "%" PRIu64 " bytes of a page, which has %" PRIu32, bytes, w->page_size);
}

static void say_what_cannot_be_judged(struct ps_pg_walk *w)
{
    if (w->subject.kind == PS_PG_PAGE_BTREE && w->subject.file->fork == PS_PG_MAIN &&
        !w->order.compare)
        ps_pg_walk_add(w, WHOLE_FILE, 0, false, "unchecked",
                       "whether keys are in order is not known for their type and collation");
}

ps_err ps_pg_walk_step(struct ps_pg_walk *w, struct ps_cancel *cancel, struct ps_text *out,
                       struct ps_pg_damage_counts *counts, bool *ret_done)
{
    ps_err err;

    w->cancel = cancel;
    w->out = out;
    w->counts = counts;
    *ret_done = false;
    if (w->block < w->to) {
        err = walk_page(w);
        w->block++;
        return err ? err : ps_text_err(out);
    }
    if (w->to == w->subject.pages_end) {
        err = ps_pg_zeros_end(w);
        if (err)
            return err;
        see_tail(w);
        say_what_cannot_be_judged(w);
    }
    *ret_done = true;
    return ps_text_err(out);
}
