#include "store_work.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format_test.h"

#define BUF_LEN (256u * 1024u)
#define NEAR_PAGES 120u /* where most of the work goes */

static uint32_t below(struct store_work *w, uint32_t limit)
{
    return random_below(&w->seed, limit);
}

PS_PRINTF(2, 3)
static void say(struct store_work *w, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(w->what, sizeof(w->what), fmt, args);
    va_end(args);
}

struct sim_disk *work_new_disk(uint64_t seed)
{
    struct ps_init_options init = {.page_size = WORK_PAGE, .segment_size = WORK_SEGMENT};
    struct sim_disk *disk = sim_disk_new(seed);
    ps_err err;

    if (seed % 2) /* fewer page files open than there are */
        sim_disk_set_files_max(disk, 2 * MODEL_TABLES);
    init.io_given = sim_disk_io(disk);
    err = ps_store_init("sim", &init);
    assert(!err);
    (void)err;
    return disk;
}

ps_err work_open_store(struct sim_disk *disk, struct ps_store **ret)
{
    struct ps_store_options opts;

    ps_store_options_default(&opts);
    opts.io_given = sim_disk_io(disk);
    opts.no_threads = true;
    opts.pool_bytes = WORK_POOL;
    opts.max_wal = WORK_MAX_WAL;
    return ps_store_open("sim", &opts, ret);
}

void work_init(struct store_work *w, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->buf = malloc(BUF_LEN);
    assert(w->buf);
    model_init(&w->model, WORK_PAGE);
}

void work_deinit(struct store_work *w)
{
    model_deinit(&w->model);
    free(w->buf);
}

void work_drop_txns(struct store_work *w)
{
    uint32_t i;

    for (i = 0; i < WORK_TXNS; i++)
        if (w->txns[i].txn)
            (void)ps_txn_abort(w->txns[i].txn);
    memset(w->txns, 0, sizeof(w->txns));
}

void work_abandon(struct store_work *w, struct sim_disk *disk)
{
    sim_disk_cut_at(disk, sim_disk_op_count(disk));
    work_drop_txns(w);
    ps_store_abandon(w->store);
    w->store = NULL;
}

ps_err work_close(struct store_work *w)
{
    struct ps_store *store = w->store;

    work_drop_txns(w);
    w->store = NULL;
    return ps_store_close(store);
}

void work_ack(struct store_work *w)
{
    w->acked = model_last(&w->model);
}

static void step_done(struct store_work *w, bool durable)
{
    model_step(&w->model);
    if (durable)
        work_ack(w);
}

/* --- choosing ----------------------------------------------------------------------------- */

static struct model_table *pick_table(struct store_work *w, int type)
{
    uint32_t i, first = below(w, MODEL_TABLES);

    for (i = 0; i < MODEL_TABLES; i++) {
        struct model_table *t = &w->model.tables[(first + i) % MODEL_TABLES];

        if (t->id && (type < 0 || (int)t->type == type))
            return t;
    }
    return NULL;
}

static bool one_txn_has(const struct work_txn *x, uint32_t table, uint64_t first, uint64_t last)
{
    uint32_t i;

    for (i = 0; i < x->count; i++)
        if (x->writes[i].table == table && x->writes[i].page >= first && x->writes[i].page <= last)
            return true;
    return false;
}

/* Others would wait for the transaction, in vain, as there is one thread. */
static bool txn_has(const struct store_work *w, const struct model_table *t, uint64_t first,
                    uint64_t last)
{
    uint32_t x;

    for (x = 0; x < WORK_TXNS; x++)
        if (one_txn_has(&w->txns[x], (uint32_t)(t - w->model.tables), first, last))
            return true;
    return false;
}

static ps_err get(struct store_work *w, const struct model_table *t, struct ps_table **ret)
{
    return ps_table_get(w->store, t->id, ret);
}

static uint32_t some_page(struct store_work *w)
{
    return below(w, 16) == 0 ? MODEL_PAGES - 80 + below(w, 40) : below(w, NEAR_PAGES);
}

static size_t some_len(struct store_work *w, uint32_t page_size)
{
    size_t max = ps_write_max(w->store), len;

    switch (below(w, 8)) {
    case 0:
        return 1;
    case 1:
        len = 1 + below(w, (uint32_t)max);
        break;
    case 2:
        len = 1 + below(w, 4 * page_size);
        break;
    default:
        len = 1 + below(w, 300);
    }
    return len < max ? len : max;
}

/* --- bytes -------------------------------------------------------------------------------- */

static ps_err write_bytes(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_RAW);
    enum ps_space space;
    uint32_t page_bytes;
    unsigned flags = below(w, 12) == 0 ? PS_WRITE_DURABLE : 0;
    struct ps_table *t;
    uint64_t off;
    size_t len;
    ps_err err;

    if (!m)
        return PS_OK;
    space = model_has_payload(m) && below(w, 3) ? PS_SPACE_PAYLOAD : PS_SPACE_IMAGE;
    page_bytes = model_page_bytes(&w->model, m, space);
    len = some_len(w, page_bytes);
    off = (uint64_t)some_page(w) * page_bytes + (below(w, 3) ? below(w, page_bytes) : 0);
    if (txn_has(w, m, off / page_bytes, (off + len - 1) / page_bytes))
        return PS_OK;
    if (below(w, 20) == 0)
        memset(w->buf, 0, len);
    else
        fill_random(&w->seed, w->buf, len);
    say(w, "write %s %s at %llu, %zu bytes, flags %u", m->name,
        space == PS_SPACE_PAYLOAD ? "payload" : "image", (unsigned long long)off, len, flags);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_write(t, space, off, w->buf, len, flags, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    model_write(&w->model, m, space, off, w->buf, len);
    step_done(w, flags & PS_WRITE_DURABLE);
    return PS_OK;
}

static ps_err make_or_free_page(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_RAW);
    uint32_t page = some_page(w);
    struct ps_table *t;
    bool there;
    ps_err err;

    if (!m || txn_has(w, m, page, page))
        return PS_OK;
    there = m->pages[page].allocated;
    say(w, "%s page %u of %s", there ? "free" : "create", page, m->name);
    err = get(w, m, &t);
    if (err)
        return err;
    err = there ? ps_page_free(t, page, NULL) : ps_page_create(t, page, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    if (there)
        model_page_free(&w->model, m, page);
    else
        model_page_create(&w->model, m, page);
    step_done(w, false);
    return PS_OK;
}

static ps_err truncate_some(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_RAW);
    enum ps_space space;
    struct ps_table *t;
    uint64_t len;
    ps_err err;

    if (!m)
        return PS_OK;
    space = model_has_payload(m) && below(w, 2) ? PS_SPACE_PAYLOAD : PS_SPACE_IMAGE;
    len = (uint64_t)some_page(w) * model_page_bytes(&w->model, m, space);
    if (space == PS_SPACE_PAYLOAD)
        len += below(w, model_page_bytes(&w->model, m, space));
    if (txn_has(w, m, 0, UINT32_MAX))
        return PS_OK;
    say(w, "truncate %s %s to %llu", m->name, space == PS_SPACE_PAYLOAD ? "payload" : "image",
        (unsigned long long)len);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_truncate(t, space, len, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    model_truncate(&w->model, m, space, len);
    step_done(w, false);
    return PS_OK;
}

/* Whole pages, so that the engine's steps are known: of an image that ends here, the last page is
 * emptied first. */
static ps_err punch_some(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_RAW);
    enum ps_space space;
    uint32_t page_bytes;
    uint64_t first, last;
    struct ps_table *t;
    ps_err err;

    if (!m)
        return PS_OK;
    space = model_has_payload(m) && below(w, 2) ? PS_SPACE_PAYLOAD : PS_SPACE_IMAGE;
    page_bytes = model_page_bytes(&w->model, m, space);
    first = some_page(w);
    last = first + 1 + below(w, 40);
    if (last > m->pages_end)
        last = m->pages_end;
    if (w->single && last == m->pages_end && last > 0)
        last--;
    if (first >= last || txn_has(w, m, 0, UINT32_MAX))
        return PS_OK;
    say(w, "punch %s %s pages %llu to %llu", m->name,
        space == PS_SPACE_PAYLOAD ? "payload" : "image", (unsigned long long)first,
        (unsigned long long)last);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_punch(t, space, first * page_bytes, (last - first) * page_bytes, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    if (space == PS_SPACE_IMAGE && last == m->pages_end) {
        model_set_pages(&w->model, m, --last, 1, true);
        model_step(&w->model);
    }
    if (first < last) {
        model_set_pages(&w->model, m, first, last - first, space == PS_SPACE_PAYLOAD);
        model_step(&w->model);
    }
    return PS_OK;
}

/* Grows first, then each run of free pages comes to be, in a step of its own. */
static ps_err allocate_some(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_RAW);
    uint64_t first = some_page(w), count = 1 + below(w, 30), i, end = first + count;
    uint32_t page_size = w->model.page_size;
    struct ps_table *t;
    ps_err err;

    if (!m || end > MODEL_PAGES || w->single || txn_has(w, m, 0, UINT32_MAX))
        return PS_OK;
    say(w, "allocate %s pages %llu to %llu", m->name, (unsigned long long)first,
        (unsigned long long)end);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_allocate(t, PS_SPACE_IMAGE, first * page_size, count * page_size, false, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    if (end > m->pages_end) {
        model_truncate(&w->model, m, PS_SPACE_IMAGE, end * page_size);
        model_step(&w->model);
    }
    for (i = first; i < end; i++) {
        if (m->pages[i].allocated)
            continue;
        model_set_pages(&w->model, m, i, 1, true);
        if (i + 1 == end || m->pages[i + 1].allocated)
            model_step(&w->model);
    }
    return PS_OK;
}

/* --- items -------------------------------------------------------------------------------- */

/* Each item of a run is another one. */
static uint32_t make_item(struct store_work *w, uint8_t *bytes)
{
    uint32_t len = 4 + below(w, below(w, 6) ? 60 : 1500);

    fill_random(&w->seed, bytes, len);
    memcpy(bytes, &w->next_item, sizeof(w->next_item));
    w->next_item++;
    return len;
}

static ps_err insert_item(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_SLOTTED);
    uint32_t len, page = 0, slot = 0;
    struct ps_table *t;
    ps_err err;

    if (!m || m->item_count + 64 > MODEL_ITEMS || txn_has(w, m, 0, UINT32_MAX))
        return PS_OK;
    len = make_item(w, w->buf);
    say(w, "insert an item of %u bytes into %s", len, m->name);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_item_insert(t, w->buf, len, &page, &slot, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    model_item_insert(m, w->buf, len, page, slot);
    step_done(w, false);
    return PS_OK;
}

/* A slotted table, or sometimes an empty raw one, which becomes slotted with its first item. */
static struct model_table *pick_for_items(struct store_work *w)
{
    struct model_table *m = below(w, 2) ? pick_table(w, PS_PAGE_RAW) : NULL;

    return m && m->pages_end == 0 ? m : pick_table(w, PS_PAGE_SLOTTED);
}

static ps_err append_items(struct store_work *w)
{
    struct model_table *m = pick_for_items(w);
    struct ps_item items[32];
    uint32_t i, count = 1 + below(w, 32);
    uint8_t *at = w->buf;
    struct ps_table *t;
    ps_err err;

    if (!m || m->item_count + 64 > MODEL_ITEMS || w->single)
        return PS_OK;
    for (i = 0; i < count; i++) {
        items[i] = (struct ps_item){.data = at, .len = make_item(w, at)};
        at += items[i].len;
    }
    say(w, "append %u items to %s", count, m->name);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_items_append(t, items, count, 0, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    if (m->type == PS_PAGE_RAW) { /* a step of its own, durable before the items come */
        m->type = PS_PAGE_SLOTTED;
        m->dirty = true;
        step_done(w, true);
    }
    for (i = 0; i < count; i++)
        model_item_insert(m, items[i].data, items[i].len, UINT32_MAX, UINT32_MAX);
    step_done(w, false);
    return PS_OK;
}

static ps_err delete_item(struct store_work *w)
{
    struct model_table *m = pick_table(w, PS_PAGE_SLOTTED);
    const struct model_item *item;
    struct ps_table *t;
    uint32_t at;
    ps_err err;

    if (!m || m->item_count == 0)
        return PS_OK;
    at = below(w, m->item_count);
    item = &m->items[at];
    if (item->page == UINT32_MAX || txn_has(w, m, item->page, item->page))
        return PS_OK;
    say(w, "delete item %u/%u of %s", item->page, item->slot, m->name);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_item_delete(t, item->page, item->slot, NULL);
    ps_table_unref(t);
    if (err)
        return err;
    model_item_delete(m, at);
    step_done(w, false);
    return PS_OK;
}

/* --- tables ------------------------------------------------------------------------------- */

static ps_err create_table(struct store_work *w)
{
    const struct ps_format *fmt = below(w, 3) ? &ps_format_native : &ps_format_postgres;
    enum ps_page_type type = below(w, 3) ? PS_PAGE_RAW : PS_PAGE_SLOTTED;
    struct model_table *m = NULL;
    struct ps_table *t = NULL;
    char name[16];
    uint32_t i;
    ps_err err;

    for (i = 0; i < MODEL_TABLES && !m; i++)
        if (!w->model.tables[i].id)
            m = &w->model.tables[i];
    if (!m)
        return PS_OK;
    snprintf(name, sizeof(name), "t%u", w->next_name++);
    say(w, "create table %s, %s, type %d", name, fmt->name, (int)type);
    err = ps_table_create(w->store, name, fmt->id, type, &t);
    if (err)
        return err;
    model_create(m, ps_table_id(t), name, fmt, type);
    ps_table_unref(t);
    step_done(w, true);
    return PS_OK;
}

static ps_err drop_table(struct store_work *w)
{
    struct model_table *m = pick_table(w, -1);
    ps_err err;

    if (!m || txn_has(w, m, 0, UINT32_MAX))
        return PS_OK;
    say(w, "drop table %s", m->name);
    err = ps_table_drop(w->store, m->name, true);
    if (err)
        return err;
    model_drop(m);
    step_done(w, true);
    return PS_OK;
}

static ps_err rename_table(struct store_work *w)
{
    struct model_table *m = pick_table(w, -1);
    char name[16];
    ps_err err;

    if (!m)
        return PS_OK;
    snprintf(name, sizeof(name), "%s%u", below(w, 2) ? "t" : "renamed", w->next_name++);
    say(w, "rename table %s to %s", m->name, name);
    err = ps_table_rename(w->store, m->name, name);
    if (err)
        return err;
    model_rename(m, name);
    step_done(w, true);
    return PS_OK;
}

static ps_err change_tables(struct store_work *w)
{
    switch (below(w, 4)) {
    case 0:
        return drop_table(w);
    case 1:
        return rename_table(w);
    default:
        return create_table(w);
    }
}

/* --- transactions ------------------------------------------------------------------------- */

static ps_err txn_write_bytes(struct store_work *w, struct work_txn *x)
{
    struct model_table *m = pick_table(w, PS_PAGE_RAW);
    uint32_t head = m ? m->fmt->header_len : 0, page = below(w, NEAR_PAGES);
    struct work_txn_write e;
    struct ps_table *t;
    ps_err err;

    if (!m || !m->pages[page].allocated || x->count == WORK_TXN_WRITES)
        return PS_OK;
    e = (struct work_txn_write){.table = (uint32_t)(m - w->model.tables), .page = page};
    if (txn_has(w, m, page, page) && !one_txn_has(x, e.table, page, page))
        return PS_OK; /* the other one has it */
    e.off = head + below(w, w->model.page_size - head);
    e.len = 1 + below(w, below(w, 2) ? 100 : w->model.page_size - e.off);
    if (e.len > w->model.page_size - e.off)
        e.len = w->model.page_size - e.off;
    e.fill = (uint8_t)(1 + below(w, 255));
    memset(w->buf, e.fill, e.len);
    say(w, "transaction %llu writes %s page %u", (unsigned long long)ps_txn_id(x->txn), m->name,
        page);
    err = get(w, m, &t);
    if (err)
        return err;
    err = ps_txn_write(x->txn, t, page, e.off, w->buf, e.len, NULL);
    ps_table_unref(t);
    if (err)
        e.len = 0; /* the transaction goes on without it, and may have locked the page */
    x->writes[x->count++] = e;
    return err;
}

/* False: it changed nothing. */
static bool apply_txn(struct store_work *w, const struct work_txn *x)
{
    bool changed = false;
    uint32_t i;

    for (i = 0; i < x->count; i++) {
        const struct work_txn_write *e = &x->writes[i];

        if (e->len == 0)
            continue;
        memset(w->buf, e->fill, e->len);
        model_write(&w->model, &w->model.tables[e->table], PS_SPACE_IMAGE,
                    (uint64_t)e->page * w->model.page_size + e->off, w->buf, e->len);
        changed = true;
    }
    return changed;
}

static ps_err txn_end(struct store_work *w, struct work_txn *x, bool commit)
{
    struct ps_txn *txn = x->txn;
    ps_err err;

    say(w, "transaction %llu %s", (unsigned long long)ps_txn_id(txn),
        commit ? "commits" : "aborts");
    x->txn = NULL;
    err = commit ? ps_txn_commit(txn) : ps_txn_abort(txn);
    /* A commit of nothing makes nothing durable. */
    if (!err && commit)
        step_done(w, apply_txn(w, x));
    x->doomed = err && err != PS_ERR_CONFLICT;
    if (!x->doomed)
        x->count = 0;
    return err == PS_ERR_CONFLICT ? PS_OK : err; /* it kept too much log and was undone */
}

static ps_err work_on_txn(struct store_work *w)
{
    struct work_txn *x = &w->txns[below(w, WORK_TXNS)];
    uint32_t what = below(w, 24), i;
    ps_err err = PS_OK;

    if (x->doomed)
        return PS_OK;
    if (!x->txn)
        return ps_txn_begin(w->store, &x->txn);
    if (what < 2)
        return txn_end(w, x, what == 0);
    for (i = 0; !err && i < 1 + what / 4; i++)
        err = txn_write_bytes(w, x);
    if (err == PS_ERR_CONFLICT) /* it kept too much log and was undone */
        return txn_end(w, x, false);
    return err;
}

bool work_is_settled(const struct store_work *w)
{
    uint32_t i;

    for (i = 0; i < WORK_TXNS; i++)
        if (w->txns[i].count > 0)
            return false;
    return true;
}

ps_err work_settle(struct store_work *w)
{
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && i < WORK_TXNS; i++) {
        struct work_txn *x = &w->txns[i];

        if (x->txn)
            err = txn_end(w, x, below(w, 2));
        if (!x->doomed)
            continue;
        (void)ps_store_step(w->store, PS_TASK_CHECKPOINTER); /* undoes it */
        x->doomed = false;
        x->count = 0;
    }
    return err;
}

ps_err work_resume(struct store_work *w, struct ps_store *store, size_t state_no)
{
    assert(!w->store);
    w->store = store;
    w->acked = 0;
    return model_return_to(&w->model, state_no, store);
}

/* --- durability --------------------------------------------------------------------------- */

static ps_err make_durable(struct store_work *w)
{
    ps_err err;

    switch (below(w, 6)) {
    case 0:
        say(w, "checkpoint");
        err = ps_store_checkpoint(w->store, NULL);
        break;
    case 1:
    case 2:
        say(w, "sync of the log");
        err = ps_store_sync(w->store, PS_SYNC_LOG);
        break;
    default:
        say(w, "sync");
        err = ps_store_sync(w->store, PS_SYNC_DATA);
    }
    if (!err)
        work_ack(w);
    return err;
}

static ps_err change_policy(struct store_work *w)
{
    static const char *const names[] = {"clock", "lru", "2q", "s3fifo", "arc", "adaptive"};
    const char *name = names[below(w, sizeof(names) / sizeof(names[0]))];

    say(w, "change of the policy to %s", name);
    return ps_store_set(w->store, "policy", name);
}

static ps_err background_step(struct store_work *w)
{
    enum ps_task task = (enum ps_task)below(w, 4);

    if (w->threaded)
        return PS_OK;
    say(w, "step of task %d", (int)task);
    if (ps_store_step(w->store, task) && task == PS_TASK_LOG_WRITER)
        work_ack(w);
    return PS_OK;
}

ps_err work_step(struct store_work *w)
{
    uint32_t what = below(w, 100);

    if (what < 36)
        return write_bytes(w);
    if (what < 44)
        return make_or_free_page(w);
    if (what < 46)
        return truncate_some(w);
    if (what < 48)
        return punch_some(w);
    if (what < 50)
        return allocate_some(w);
    if (what < 58)
        return insert_item(w);
    if (what < 61)
        return append_items(w);
    if (what < 64)
        return delete_item(w);
    if (what < 69 || !w->model.tables[0].id)
        return change_tables(w);
    if (what < 84)
        return work_on_txn(w);
    if (what < 90)
        return make_durable(w);
    if (what == 90)
        return change_policy(w);
    return background_step(w);
}
