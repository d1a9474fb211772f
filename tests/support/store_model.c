#include "store_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* --- digests ------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t h = (a ^ (b + 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u;

    return h ^ h >> 29;
}

static uint64_t digest_bytes(const uint8_t *bytes, size_t len)
{
    uint64_t h = len, word;
    size_t i;

    for (i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
        memcpy(&word, bytes + i, sizeof(word));
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    for (; i < len; i++)
        h = mix(h, bytes[i]);
    return mix(h, len);
}

/* What is the user's of a page's first 32 bytes: flags (native), all but LSN and checksum. */
static uint64_t digest_page(const struct ps_format *fmt, const uint8_t *page, uint32_t page_size)
{
    uint8_t head[32];

    memcpy(head, page, sizeof(head));
    if (fmt->id == PS_FORMAT_NATIVE) {
        memset(head, 0, 6);
        memset(head + 8, 0, sizeof(head) - 8);
    } else {
        memset(head, 0, 10);
    }
    return mix(digest_bytes(head, sizeof(head)),
               digest_bytes(page + sizeof(head), page_size - sizeof(head)));
}

struct table_sum {
    uint64_t pages, items; /* sums, so that order does not matter */
};

static uint64_t digest_table(const char *name, enum ps_format_id format, enum ps_page_type type,
                             uint64_t pages_end, uint64_t payload_len, const struct table_sum *sum)
{
    uint64_t h = digest_bytes((const uint8_t *)name, strlen(name));

    h = mix(mix(h, format), type);
    /* Where items go is the store's choice. */
    if (type == PS_PAGE_RAW)
        h = mix(mix(mix(h, pages_end), payload_len), sum->pages);
    return mix(h, sum->items);
}

static void state_add(struct store_state *state, uint32_t id, uint64_t digest)
{
    assert(state->table_count < STATE_TABLES);
    state->tables[state->table_count].id = id;
    state->tables[state->table_count++].digest = digest;
    state->digest += mix(id, digest);
}

/* --- the model ---------------------------------------------------------------------------- */

/* The digest of a page that nobody has written; its number is none of it. */
static uint64_t virgin_digest(const struct ps_format *fmt, uint32_t page_size)
{
    const struct ps_page_ident who = {.page_size = page_size};
    uint8_t *page = malloc(page_size);
    uint64_t digest;

    assert(page);
    fmt->init(page, &who, PS_PAGE_RAW);
    digest = digest_page(fmt, page, page_size);
    free(page);
    return digest;
}

void model_init(struct store_model *m, uint32_t page_size)
{
    memset(m, 0, sizeof(*m));
    m->page_size = page_size;
    m->virgin_digests[PS_FORMAT_NATIVE] = virgin_digest(&ps_format_native, page_size);
    m->virgin_digests[PS_FORMAT_POSTGRES] = virgin_digest(&ps_format_postgres, page_size);
    model_step(m);
}

static void forget_page(struct model_page *p)
{
    free(p->bytes);
    *p = (struct model_page){0};
}

static void forget_table(struct model_table *t)
{
    uint32_t i;

    for (i = 0; i < MODEL_PAGES; i++)
        forget_page(&t->pages[i]);
    t->id = 0;
    t->item_count = 0;
}

void model_deinit(struct store_model *m)
{
    uint32_t i;

    for (i = 0; i < MODEL_TABLES; i++)
        forget_table(&m->tables[i]);
    free(m->states);
}

static uint64_t model_table_digest(const struct model_table *t)
{
    struct table_sum sum = {0};
    uint32_t i;

    for (i = 0; i < MODEL_PAGES; i++)
        if (t->pages[i].allocated)
            sum.pages += mix(i, t->pages[i].digest);
    for (i = 0; i < t->item_count; i++)
        sum.items += t->items[i].digest;
    return digest_table(t->name, t->fmt->id, t->type, t->pages_end, t->payload_len, &sum);
}

void model_step(struct store_model *m)
{
    struct store_state *state;
    uint32_t i;

    if (m->state_count == m->state_cap) {
        m->state_cap = m->state_cap ? 2 * m->state_cap : 256;
        m->states = realloc(m->states, m->state_cap * sizeof(*m->states));
        assert(m->states);
    }
    state = &m->states[m->state_count++];
    *state = (struct store_state){0};
    for (i = 0; i < MODEL_TABLES; i++) {
        struct model_table *t = &m->tables[i];

        if (t->id && t->dirty)
            t->digest = model_table_digest(t);
        t->dirty = false;
        if (t->id)
            state_add(state, t->id, t->digest);
    }
}

size_t model_last(const struct store_model *m)
{
    return m->state_count - 1;
}

void model_create(struct model_table *t, uint32_t id, const char *name, const struct ps_format *fmt,
                  enum ps_page_type type)
{
    assert(!t->id && id);
    forget_table(t);
    t->id = id;
    t->fmt = fmt;
    t->type = type;
    t->pages_end = t->payload_len = 0;
    model_rename(t, name);
}

void model_drop(struct model_table *t)
{
    forget_table(t);
}

void model_rename(struct model_table *t, const char *name)
{
    assert(strlen(name) < sizeof(t->name));
    memset(t->name, 0, sizeof(t->name));
    memcpy(t->name, name, strlen(name));
    t->dirty = true;
}

bool model_has_payload(const struct model_table *t)
{
    return t->fmt->id == PS_FORMAT_NATIVE && t->type == PS_PAGE_RAW;
}

static uint32_t page_off(const struct model_table *t, enum ps_space space)
{
    return space == PS_SPACE_PAYLOAD ? t->fmt->header_len : 0;
}

uint32_t model_page_bytes(const struct store_model *m, const struct model_table *t,
                          enum ps_space space)
{
    return m->page_size - page_off(t, space);
}

/* Length of the payload of so many pages. */
static uint64_t payload_of(const struct store_model *m, const struct model_table *t, uint64_t pages)
{
    return model_has_payload(t) ? pages * model_page_bytes(m, t, PS_SPACE_PAYLOAD) : 0;
}

static void init_page(const struct store_model *m, const struct model_table *t, uint32_t page_no,
                      uint8_t *bytes)
{
    const struct ps_page_ident who = {
        .page_size = m->page_size, .page_no = page_no, .table_id = t->id};

    t->fmt->init(bytes, &who, PS_PAGE_RAW);
}

/* The page's bytes, for change; an empty page if it was never written. */
static uint8_t *touch(const struct store_model *m, struct model_table *t, uint32_t page_no)
{
    struct model_page *p = &t->pages[page_no];

    assert(page_no < MODEL_PAGES);
    if (!p->bytes) {
        p->bytes = malloc(m->page_size);
        assert(p->bytes);
        init_page(m, t, page_no, p->bytes);
    }
    p->allocated = true;
    t->dirty = true;
    return p->bytes;
}

static void touched(const struct store_model *m, struct model_table *t, uint32_t page_no)
{
    t->pages[page_no].digest = digest_page(t->fmt, t->pages[page_no].bytes, m->page_size);
}

void model_set_pages(const struct store_model *m, struct model_table *t, uint64_t first,
                     uint64_t count, bool allocated)
{
    uint64_t i;

    assert(first + count <= MODEL_PAGES);
    for (i = first; i < first + count; i++) {
        forget_page(&t->pages[i]);
        t->pages[i].allocated = allocated;
        t->pages[i].digest = m->virgin_digests[t->fmt->id];
    }
    t->dirty = true;
}

void model_write(struct store_model *m, struct model_table *t, enum ps_space space, uint64_t off,
                 const uint8_t *buf, size_t len)
{
    uint32_t page_bytes = model_page_bytes(m, t, space), at = page_off(t, space);
    uint64_t end = off + len, first = off / page_bytes, last = (end - 1) / page_bytes, i;

    if (space == PS_SPACE_PAYLOAD && t->pages_end < first)
        model_set_pages(m, t, t->pages_end, first - t->pages_end, true);
    for (i = first; i <= last; i++) {
        uint64_t start = i * page_bytes > off ? i * page_bytes : off;
        uint64_t stop = (i + 1) * page_bytes < end ? (i + 1) * page_bytes : end;
        uint8_t *page = touch(m, t, (uint32_t)i);

        memcpy(page + at + (start - i * page_bytes), buf + (start - off), stop - start);
        touched(m, t, (uint32_t)i);
    }
    if (space == PS_SPACE_PAYLOAD && t->payload_len < end)
        t->payload_len = end;
    if (space == PS_SPACE_IMAGE && last >= t->pages_end)
        t->payload_len = payload_of(m, t, last + 1);
    if (t->pages_end <= last)
        t->pages_end = last + 1;
}

void model_page_create(struct store_model *m, struct model_table *t, uint32_t page_no)
{
    model_set_pages(m, t, page_no, 1, true);
    if (page_no < t->pages_end)
        return;
    t->pages_end = (uint64_t)page_no + 1;
    t->payload_len = payload_of(m, t, t->pages_end);
}

void model_page_free(struct store_model *m, struct model_table *t, uint32_t page_no)
{
    model_set_pages(m, t, page_no, 1, false);
    if (t->pages_end != (uint64_t)page_no + 1)
        return;
    while (t->pages_end > 0 && !t->pages[t->pages_end - 1].allocated)
        t->pages_end--;
    t->payload_len = payload_of(m, t, t->pages_end);
}

void model_truncate(struct store_model *m, struct model_table *t, enum ps_space space, uint64_t len)
{
    uint32_t page_bytes = model_page_bytes(m, t, space);
    uint64_t end = (len + page_bytes - 1) / page_bytes;
    uint32_t tail = (uint32_t)(len % page_bytes);

    if (tail && len < t->payload_len && space == PS_SPACE_PAYLOAD && t->pages[end - 1].bytes) {
        uint8_t *page = touch(m, t, (uint32_t)end - 1);

        tail += page_off(t, space);
        memset(page + tail, 0, m->page_size - tail);
        touched(m, t, (uint32_t)end - 1);
    }
    if (end < t->pages_end)
        model_set_pages(m, t, end, t->pages_end - end, false);
    else
        model_set_pages(m, t, t->pages_end, end - t->pages_end, true);
    if (end > 0 && !t->pages[end - 1].allocated)
        model_set_pages(m, t, end - 1, 1, true);
    t->pages_end = end;
    t->payload_len = space == PS_SPACE_PAYLOAD ? len : payload_of(m, t, end);
    t->dirty = true;
}

bool model_page_is(const struct store_model *m, const struct model_table *t, uint32_t page_no,
                   const uint8_t *page)
{
    return t->pages[page_no].allocated &&
           digest_page(t->fmt, page, m->page_size) == t->pages[page_no].digest;
}

void model_item_insert(struct model_table *t, const void *data, uint32_t len, uint32_t page,
                       uint32_t slot)
{
    assert(t->item_count < MODEL_ITEMS);
    t->items[t->item_count++] =
        (struct model_item){.digest = digest_bytes(data, len), .page = page, .slot = slot};
    t->dirty = true;
}

void model_item_delete(struct model_table *t, uint32_t at)
{
    assert(at < t->item_count);
    t->items[at] = t->items[--t->item_count];
    t->dirty = true;
}

/* --- the store ---------------------------------------------------------------------------- */

struct reading {
    struct ps_table *table;
    struct store_model *model;
    struct model_table *into; /* NULL, or what takes over what is read, of the model */
    struct ps_table_info info;
    const struct ps_format *fmt;
    uint32_t page_size;
    uint8_t *page;
    struct table_sum sum;
};

static ps_err read_items(struct reading *r, uint32_t page_no)
{
    struct ps_item item;
    uint32_t slot, slots = 0;
    ps_err err = ps_slotted_slots(r->fmt, r->page, r->page_size, &slots);

    for (slot = 1; !err && slot <= slots; slot++) {
        err = ps_slotted_get(r->fmt, r->page, r->page_size, slot, &item);
        if (err == PS_ERR_NOENT) {
            err = PS_OK;
            continue;
        }
        if (err)
            break;
        r->sum.items += digest_bytes(item.data, item.len);
        if (r->into)
            model_item_insert(r->into, item.data, item.len, page_no, slot);
    }
    return err;
}

static void take_page_over(struct reading *r, uint32_t page_no)
{
    memcpy(touch(r->model, r->into, page_no), r->page, r->page_size);
    touched(r->model, r->into, page_no);
}

static ps_err read_page(struct reading *r, uint32_t page_no)
{
    const struct ps_page_ident who = {
        .page_size = r->page_size, .page_no = page_no, .table_id = r->info.id};
    uint64_t off = (uint64_t)page_no * r->page_size;
    size_t got = 0;
    ps_err err = ps_read(r->table, PS_SPACE_IMAGE, off, r->page, r->page_size, NULL, &got);

    if (!err && got != r->page_size)
        err = ps_fail(PS_ERR_IO, "page %u: %zu bytes", page_no, got);
    if (!err)
        err = r->fmt->verify(r->page, &who);
    if (!err && r->info.type == PS_PAGE_SLOTTED)
        return read_items(r, page_no);
    if (err)
        return err;
    r->sum.pages += mix(page_no, digest_page(r->fmt, r->page, r->page_size));
    if (r->into)
        take_page_over(r, page_no);
    return PS_OK;
}

static ps_err read_table(struct reading *r, uint64_t *ret)
{
    struct ps_page_info pages[64];
    uint32_t i, n = 1;
    uint64_t from = 0;
    ps_err err = ps_table_info(r->table, &r->info);

    r->fmt = ps_format_by_id(r->info.format);
    r->sum = (struct table_sum){0};
    while (!err && n > 0) {
        err = ps_page_list(r->table, from, pages, 64, &n);
        for (i = 0; !err && i < n; i++) {
            err = read_page(r, pages[i].page_no);
            from = (uint64_t)pages[i].page_no + 1;
        }
    }
    *ret = digest_table(r->info.name, r->info.format, r->info.type, r->info.pages_end,
                        r->info.payload_len, &r->sum);
    return err ? ps_fail_in(err, "table '%s'", r->info.name) : PS_OK;
}

ps_err store_digest(struct ps_store *store, struct store_state *ret)
{
    struct reading r = {.page_size = ps_store_page_size(store)};
    uint32_t from = PS_CATALOG_ID + 1;
    uint64_t digest = 0;
    ps_err err = PS_OK;

    *ret = (struct store_state){0};
    r.page = aligned_alloc(4096, r.page_size);
    assert(r.page);
    while (!err && ps_table_next(store, from, &r.table) == PS_OK) {
        from = ps_table_id(r.table) + 1;
        err = read_table(&r, &digest);
        ps_table_unref(r.table);
        if (!err && ret->table_count == STATE_TABLES)
            err = ps_fail(PS_ERR_RANGE, "there are more than %u tables", STATE_TABLES);
        if (!err)
            state_add(ret, from - 1, digest);
    }
    free(r.page);
    return err;
}

static ps_err take_table_over(struct reading *r, struct ps_store *store, uint32_t id)
{
    struct ps_table_info info;
    uint64_t digest;
    ps_err err = ps_table_get(store, id, &r->table);

    if (err)
        return err;
    err = ps_table_info(r->table, &info);
    if (!err) {
        model_create(r->into, id, info.name, ps_format_by_id(info.format), info.type);
        err = read_table(r, &digest);
    }
    if (!err && info.type == PS_PAGE_RAW) {
        r->into->pages_end = info.pages_end;
        r->into->payload_len = info.payload_len;
    }
    ps_table_unref(r->table);
    return err;
}

ps_err model_return_to(struct store_model *m, size_t state_no, struct ps_store *store)
{
    const struct store_state state = m->states[state_no];
    struct reading r = {.model = m, .page_size = m->page_size};
    ps_err err = PS_OK;
    uint32_t i;

    r.page = aligned_alloc(4096, r.page_size);
    assert(r.page);
    for (i = 0; i < MODEL_TABLES; i++)
        forget_table(&m->tables[i]);
    for (i = 0; !err && i < state.table_count; i++) {
        r.into = &m->tables[i];
        err = take_table_over(&r, store, state.tables[i].id);
    }
    free(r.page);
    m->state_count = 0;
    model_step(m);
    assert(err || m->states[0].digest == state.digest);
    return err;
}
