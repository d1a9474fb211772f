/*
 * table_ddl.c - tables come, go and change their names.
 *
 * One at a time, under ddl_mtx; nobody else changes the catalog's pages. An edit is prepared on
 * copies of the one or two catalog pages that it touches and then applied in one group, together
 * with a record that says what happened (and, for a new table, the root of its map), so that after
 * a crash it has happened or it has not:
 *
 *   create   files are made and their folder synced, then the group commits and is flushed. A crash
 *            before that leaves two empty files with an id that is not in the catalog: recovery
 *            removes them.
 *   drop     the group commits and is flushed, then pages leave the pool and files are removed. A
 *            crash before that: redo of the record removes them. A checkpoint does not let the
 *            record go before they are removed: it may remove them itself, after the pages, while
 *            the drop is under way (ps_tables_sync). If they cannot be removed, the table is gone
 *            all the same, and checkpoints try again (ps_table_files_drop).
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_internal.h"

#define EDIT_PAGES 2u

struct catalog_edit {
    struct ps_store *s;
    uint32_t count;
    struct edit_page {
        uint32_t page_no;
        bool fresh;
        uint8_t *copy;
    } pages[EDIT_PAGES];
    /* Where the item of an insert went. */
    uint32_t page_no, slot;
};

static struct ps_table *catalog_of(struct ps_store *s)
{
    return ps_registry_find(s, PS_CATALOG_ID);
}

static void edit_deinit(struct catalog_edit *ed)
{
    uint32_t i;

    for (i = 0; i < ed->count; i++)
        ps_buf_free(ed->pages[i].copy);
}

/* A copy of a catalog page to edit; the same one if it is being edited already. */
static ps_err edit_page(struct catalog_edit *ed, uint32_t page_no, bool fresh,
                        struct edit_page **ret)
{
    struct ps_table *t = catalog_of(ed->s);
    const struct ps_page_ident who = ps_table_ident(t, page_no);
    struct edit_page *p = NULL;
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; i < ed->count; i++) {
        if (ed->pages[i].page_no == page_no) {
            *ret = &ed->pages[i];
            return PS_OK;
        }
    }
    assert(ed->count < EDIT_PAGES);
    p = &ed->pages[ed->count];
    *p = (struct edit_page){.page_no = page_no, .fresh = fresh};
    p->copy = ps_buf_alloc(who.page_size);
    if (!p->copy)
        return ps_fail(PS_ERR_NOMEM, "no memory for a catalog page");
    if (fresh)
        t->fmt->init(p->copy, &who, PS_PAGE_SLOTTED);
    else
        err = ps_page_copy(t, page_no, NULL, p->copy);
    if (err) {
        ps_buf_free(p->copy);
        return err;
    }
    ed->count++;
    *ret = p;
    return PS_OK;
}

/* Tries to put the item on one page. PS_ERR_FULL: it has no room, and nothing was changed. */
static ps_err edit_insert_at(struct catalog_edit *ed, uint32_t page_no, bool fresh,
                             const void *item, uint32_t len)
{
    uint32_t before = ed->count;
    struct edit_page *p = NULL;
    ps_err err = edit_page(ed, page_no, fresh, &p);

    if (err)
        return err;
    err =
        ps_slotted_insert(catalog_of(ed->s)->fmt, p->copy, ed->s->page_size, item, len, &ed->slot);
    if (!err)
        ed->page_no = page_no;
    else if (ed->count > before)
        ps_buf_free(ed->pages[--ed->count].copy);
    return err;
}

/* Where the last item went or went away from, then the last page, then a new one. */
static ps_err edit_insert(struct catalog_edit *ed, const struct ps_catalog_entry *entry)
{
    struct ps_table *t = catalog_of(ed->s);
    uint8_t item[PS_CATALOG_ITEM_MAX];
    uint32_t len = ps_catalog_encode(entry, item);
    uint32_t end = (uint32_t)t->pages_end;
    ps_err err = PS_ERR_FULL;

    if (t->insert_hint < end)
        err = edit_insert_at(ed, t->insert_hint, false, item, len);
    if (err == PS_ERR_FULL && end > 0 && t->insert_hint != end - 1)
        err = edit_insert_at(ed, end - 1, false, item, len);
    if (err == PS_ERR_FULL)
        err = edit_insert_at(ed, end, true, item, len);
    return err;
}

static ps_err edit_delete(struct catalog_edit *ed, const struct ps_table *t)
{
    struct edit_page *p = NULL;
    ps_err err = edit_page(ed, t->catalog_page, false, &p);

    if (err)
        return err;
    ed->page_no = t->catalog_page;
    return ps_slotted_delete(catalog_of(ed->s)->fmt, p->copy, ed->s->page_size, t->catalog_slot);
}

/* In its place if it fits, else elsewhere. */
static ps_err edit_replace(struct catalog_edit *ed, const struct ps_table *t,
                           const struct ps_catalog_entry *entry)
{
    uint8_t item[PS_CATALOG_ITEM_MAX];
    uint32_t len = ps_catalog_encode(entry, item);
    struct edit_page *p = NULL;
    ps_err err = edit_page(ed, t->catalog_page, false, &p);

    if (err)
        return err;
    ed->page_no = t->catalog_page;
    ed->slot = t->catalog_slot;
    err = ps_slotted_replace(catalog_of(ed->s)->fmt, p->copy, ed->s->page_size, t->catalog_slot,
                             item, len);
    if (err != PS_ERR_FULL)
        return err;
    err = edit_delete(ed, t);
    return err ? err : edit_insert(ed, entry);
}

/* Pages in ascending order, as latches go. */
static void edit_sort(struct catalog_edit *ed)
{
    struct edit_page first = ed->pages[0];

    if (ed->count == 2 && ed->pages[1].page_no < first.page_no) {
        ed->pages[0] = ed->pages[1];
        ed->pages[1] = first;
    }
}

static size_t edit_ranges(const struct catalog_edit *ed, struct ps_map_range ranges[EDIT_PAGES])
{
    uint32_t i;

    for (i = 0; i < ed->count; i++)
        ranges[i] = (struct ps_map_range){.first = ed->pages[i].page_no, .count = 1};
    return ed->count;
}

/* Pins everything; nothing fails afterwards. new_map: a new table's, whose root is made, or NULL.
 */
static ps_err edit_prepare(struct ps_change *c, struct catalog_edit *ed,
                           struct ps_page *pages[EDIT_PAGES], struct ps_table *new_table)
{
    struct ps_map_range ranges[EDIT_PAGES];
    size_t n = edit_ranges(ed, ranges);
    ps_err err = PS_OK;
    uint32_t i;

    for (i = 0; !err && i < n; i++) {
        if (ed->pages[i].fresh)
            err = ps_pagefile_reserve(&c->table->data, ed->pages[i].page_no, 1);
        if (!err)
            err = ps_change_page(c, ed->pages[i].page_no,
                                 ed->pages[i].fresh ? PS_PIN_NEW : PS_PIN_LOAD, &pages[i]);
    }
    if (!err)
        err = ps_change_prepare(c, ranges, n, true);
    if (!err && new_table)
        err = ps_pagefile_reserve(&new_table->map_file, 0, 1);
    if (!err && new_table)
        err = ps_map_format(&new_table->map, &c->g);
    return err;
}

static void edit_write(struct ps_change *c, struct catalog_edit *ed,
                       struct ps_page *pages[EDIT_PAGES])
{
    struct ps_table *t = c->table;
    uint32_t i;

    for (i = 0; i < ed->count; i++) {
        uint32_t page_no = ed->pages[i].page_no;

        if (ed->pages[i].fresh) {
            (void)ps_group_write(&c->g, pages[i], 0, ed->s->page_size);
            ps_map_apply_set(&t->map, &c->g, page_no, 1, PS_USED);
        }
        ps_change_from_copy(c, pages[i], ed->pages[i].copy);
        ps_map_apply_touch(&t->map, &c->g, page_no, 1, NULL);
        if (page_no >= t->pages_end)
            t->pages_end = (uint64_t)page_no + 1;
    }
    t->insert_hint = ed->page_no;
}

/* What the edit is about: the record that goes with it, and what follows from it at once. */
struct edit_purpose {
    enum ps_rm_table_type type;
    const struct ps_catalog_entry *entry;
    struct ps_table *created; /* the root of its map is part of the group */
    struct ps_table *dropped; /* its files go before its record may */
    struct ps_table *slotted; /* empty until then, it becomes slotted in the same step */
};

static void make_record(const struct edit_purpose *why, uint8_t *body, struct ps_record *rec)
{
    size_t name_len = strlen(why->entry->name);
    const struct ps_table_body head = {
        .table = ps_put32(why->entry->table),
        .format = (uint8_t)why->entry->format,
        .type = (uint8_t)why->entry->type,
        .name_len = ps_put16((uint16_t)name_len),
    };

    memcpy(body, &head, sizeof(head));
    memcpy(body + sizeof(head), why->entry->name, name_len);
    *rec = (struct ps_record){.rm = PS_RM_TABLE,
                              .type = (uint8_t)why->type,
                              .body = body,
                              .body_len = (uint32_t)(sizeof(head) + name_len)};
}

/* Holds a table as empty as it is; PS_ERR_WRONG_TYPE: it is not. A frame is reserved. */
static ps_err hold_empty(struct ps_table *t)
{
    ps_err err;

    ps_rwlock_wrlock(&t->alloc_lock);
    err = ps_table_summary(t);
    if (!err && t->pages_end > 0)
        err = ps_fail(PS_ERR_WRONG_TYPE, "table %u is raw: it has no items", t->id);
    if (err)
        ps_rwlock_unlock(&t->alloc_lock);
    return err;
}

static ps_err edit_apply(struct catalog_edit *ed, const struct edit_purpose *why)
{
    const uint32_t more = (why->created ? 1 : 0) + (why->slotted ? PS_MAP_READ_FRAMES : 0);
    struct ps_store *s = ed->s;
    struct ps_table *t = catalog_of(s);
    uint8_t body[sizeof(struct ps_table_body) + PS_TABLE_NAME_MAX];
    struct ps_map_range ranges[EDIT_PAGES];
    struct ps_page *pages[EDIT_PAGES];
    struct ps_record rec;
    struct ps_change_needs needs = {.pages = ed->count + more, .ranges = ranges, .exclusive = true};
    struct ps_change c;
    uint64_t lsn;
    ps_err err;

    edit_sort(ed);
    make_record(why, body, &rec);
    needs.bytes = (EDIT_PAGES + 1) * (uint64_t)s->page_size + sizeof(body);
    needs.range_count = edit_ranges(ed, ranges);
    err = ps_change_begin(&c, t, &needs, NULL);
    if (err)
        return err;
    err = why->slotted ? hold_empty(why->slotted) : PS_OK;
    if (err)
        goto abandon;
    err = edit_prepare(&c, ed, pages, why->created);
    if (err)
        goto release;
    edit_write(&c, ed, pages);
    c.g.extra = &rec;
    ps_rwlock_rdlock(&s->txns.table_lock); /* no checkpoint between the record and what it owes */
    lsn = ps_group_commit(&c.g);
    if (why->dropped)
        why->dropped->drop_lsn = lsn;
    ps_rwlock_unlock(&s->txns.table_lock);
    if (why->slotted) {
        why->slotted->type = PS_PAGE_SLOTTED;
        ps_rwlock_unlock(&why->slotted->alloc_lock);
    }
    ps_change_end(&c);
    return ps_wal_flush(s->wal, lsn, NULL);

release:
    if (why->slotted)
        ps_rwlock_unlock(&why->slotted->alloc_lock);
abandon:
    ps_change_abandon(&c);
    return err;
}

/* --- create ------------------------------------------------------------------------------- */

static ps_err make_file(struct ps_store *s, uint32_t id, const char *suffix)
{
    struct ps_io_file *file = NULL;
    char path[64];
    ps_err err;

    ps_table_path(path, sizeof(path), id, suffix);
    err = s->io->ops->open(s->io, path, PS_IO_CREATE | PS_IO_EXCL, &file);
    ps_io_close(file);
    return err;
}

static ps_err make_files(struct ps_store *s, uint32_t id)
{
    ps_err err = make_file(s, id, "pages");

    if (!err)
        err = make_file(s, id, "map");
    if (!err)
        err = s->io->ops->sync_dir(s->io, PS_TABLES_DIR);
    return err;
}

/* Under ddl_mtx and catalog_lock: makes the table whose entry is given. */
static ps_err create_locked(struct ps_store *s, const struct ps_catalog_entry *entry,
                            struct ps_table **ret)
{
    struct catalog_edit ed = {.s = s};
    struct edit_purpose why = {.type = PS_TABLE_CREATE, .entry = entry};
    struct ps_table *t = NULL;
    ps_err err = ps_registry_make(s, entry->table, ps_format_by_id(entry->format), &t);

    if (err)
        return err;
    t->type = entry->type;
    ps_names_set(&s->names, t, entry->name);
    t->ctime_us = entry->ctime_us;
    t->mtime_us = entry->ctime_us;
    t->summary_known = true;
    why.created = t;
    err = make_files(s, t->id);
    if (!err)
        err = ps_table_open_files(t);
    if (!err)
        err = edit_insert(&ed, entry);
    if (!err)
        err = edit_apply(&ed, &why);
    t->catalog_page = ed.page_no;
    t->catalog_slot = ed.slot;
    edit_deinit(&ed);
    if (!err) {
        *ret = t;
        return PS_OK;
    }
    ps_pool_drop(s->pool, 0, t->id, PS_FORK_MAP, 0, UINT32_MAX);
    /* After a failed flush its record may be durable all the same: recovery will tell. Otherwise
     * whatever stays is empty and named by nobody. */
    if (!ps_poison_reason(&s->poison) && ps_table_files_remove(s, t->id))
        ps_store_say(s, PS_MSG_WARNING, "the files of table %u stay: %s", t->id, ps_message());
    ps_registry_remove(s, t);
    return err;
}

static ps_err lock_ddl(struct ps_store *s)
{
    ps_err err = ps_store_writable(s);

    if (err)
        return err;
    ps_mutex_lock(&s->ddl_mtx);
    ps_rwlock_wrlock(&s->catalog_lock);
    return PS_OK;
}

static void unlock_ddl(struct ps_store *s)
{
    ps_rwlock_unlock(&s->catalog_lock);
    ps_mutex_unlock(&s->ddl_mtx);
}

ps_err ps_table_create(struct ps_store *s, const char *name, enum ps_format_id format,
                       enum ps_page_type type, struct ps_table **ret)
{
    struct ps_catalog_entry entry = {.format = format, .type = type};
    const struct ps_format *fmt = ps_format_by_id(format);
    struct ps_event event = {.kind = PS_EVENT_TABLE_CREATED, .name = name};
    struct ps_table *t = NULL;
    ps_err err;

    if (!fmt || (type != PS_PAGE_RAW && type != PS_PAGE_SLOTTED))
        return ps_fail(PS_ERR_INVAL, "table '%s': no such format or type", name);
    if (s->page_size > fmt->page_size_max)
        return ps_fail(PS_ERR_INVAL, "table '%s': format %s has pages of at most %u bytes", name,
                       fmt->name, fmt->page_size_max);
    err = ps_table_name_check(name);
    if (!err)
        err = lock_ddl(s);
    if (err)
        return err;
    if (ps_names_find(&s->names, name)) {
        err = ps_fail(PS_ERR_EXIST, "there is a table '%s'", name);
    } else if (s->next_table == UINT32_MAX) {
        err = ps_fail(PS_ERR_RANGE, "table ids are used up");
    } else {
        entry.table = s->next_table;
        entry.ctime_us = ps_io_wall_us(s->io);
        strncpy(entry.name, name, sizeof(entry.name) - 1);
        err = create_locked(s, &entry, &t);
    }
    if (!err) {
        event.table = t->id;
        ps_store_event(s, &event);
        if (ret) {
            t->refs++;
            *ret = t;
        }
    }
    unlock_ddl(s);
    return err;
}

/* --- drop and rename ---------------------------------------------------------------------- */

static ps_err find_own(struct ps_store *s, const char *name, struct ps_table **ret)
{
    struct ps_table *t = ps_names_find(&s->names, name);

    if (!t)
        return ps_fail(PS_ERR_NOENT, "there is no table '%s'", name);
    if (t->id == PS_CATALOG_ID)
        return ps_fail(PS_ERR_READONLY, "%s is changed by the store only", PS_CATALOG_NAME);
    *ret = t;
    return PS_OK;
}

static void entry_of(const struct ps_table *t, struct ps_catalog_entry *ret)
{
    *ret = (struct ps_catalog_entry){
        .table = t->id, .format = t->fmt->id, .type = t->type, .ctime_us = t->ctime_us};
    memcpy(ret->name, t->name, sizeof(ret->name));
}

/* From here on nobody reads or changes the table's pages. */
static ps_err close_off(struct ps_table *t, bool even_with_pages)
{
    struct ps_pool *pool = t->store->pool;
    ps_err err = ps_pool_reserve(pool, PS_MAP_READ_FRAMES, NULL);

    if (err)
        return err;
    ps_rwlock_wrlock(&t->alloc_lock);
    err = even_with_pages ? PS_OK : ps_table_summary(t);
    if (!err && !even_with_pages && t->pages_end > 0)
        err = ps_fail(PS_ERR_NOTEMPTY, "table '%s' has pages", t->name);
    if (!err && ps_range_locked(&t->store->txns, t->id, 0, UINT32_MAX))
        err = ps_fail(PS_ERR_CONFLICT, "a page of table '%s' is locked by a transaction", t->name);
    if (!err)
        t->dropped = true;
    ps_rwlock_unlock(&t->alloc_lock);
    ps_pool_release(pool, PS_MAP_READ_FRAMES);
    return err;
}

static ps_err drop_locked(struct ps_store *s, struct ps_table *t, bool even_with_pages)
{
    struct catalog_edit ed = {.s = s};
    struct ps_catalog_entry entry;
    const struct edit_purpose why = {.type = PS_TABLE_DROP, .entry = &entry, .dropped = t};
    struct ps_event event = {.kind = PS_EVENT_TABLE_DROPPED, .table = t->id, .name = t->name};
    ps_err err = close_off(t, even_with_pages);

    if (err)
        return err;
    entry_of(t, &entry);
    err = edit_delete(&ed, t);
    if (!err)
        err = edit_apply(&ed, &why);
    edit_deinit(&ed);
    if (err && !t->drop_lsn) {
        t->dropped = false; /* nothing was logged */
        return err;
    }
    ps_store_event(s, &event);
    ps_table_pages_discard(t);
    if (!err)
        ps_table_files_drop(t);
    ps_registry_remove(s, t);
    return err;
}

static ps_err try_drop(struct ps_store *s, const char *name, bool even_with_pages, uint32_t *ret_id)
{
    struct ps_table *t = NULL;
    ps_err err = ps_table_name_check(name);

    if (!err)
        err = lock_ddl(s);
    if (err)
        return err;
    err = find_own(s, name, &t);
    if (!err)
        *ret_id = t->id;
    if (!err)
        err = drop_locked(s, t, even_with_pages);
    unlock_ddl(s);
    return err;
}

ps_err ps_table_drop(struct ps_store *s, const char *name, bool even_with_pages)
{
    uint32_t id = 0;
    ps_err err;

    while ((err = try_drop(s, name, even_with_pages, &id)) == PS_ERR_CONFLICT) {
        err = ps_range_lock_wait(&s->txns, id, 0, UINT32_MAX, NULL);
        if (err)
            return err;
    }
    return err;
}

/* Replaces the table's item; under ddl_mtx and catalog_lock. */
static ps_err update_locked(struct ps_table *t, const struct ps_catalog_entry *entry)
{
    struct catalog_edit ed = {.s = t->store};
    const struct edit_purpose why = {
        .type = PS_TABLE_RENAME, .entry = entry, .slotted = entry->type != t->type ? t : NULL};
    ps_err err = edit_replace(&ed, t, entry);

    if (!err)
        err = edit_apply(&ed, &why);
    if (!err) {
        t->catalog_page = ed.page_no;
        t->catalog_slot = ed.slot;
        t->ctime_us = entry->ctime_us;
        ps_names_set(&t->store->names, t, entry->name);
    }
    edit_deinit(&ed);
    return err;
}

ps_err ps_table_rename(struct ps_store *s, const char *from, const char *to)
{
    struct ps_event event = {.kind = PS_EVENT_TABLE_RENAMED, .name = to, .name_old = from};
    struct ps_catalog_entry entry;
    struct ps_table *t = NULL;
    ps_err err = ps_table_name_check(to);

    if (!err)
        err = lock_ddl(s);
    if (err)
        return err;
    err = find_own(s, from, &t);
    if (!err && strcmp(from, to) != 0 && ps_names_find(&s->names, to))
        err = ps_fail(PS_ERR_EXIST, "there is a table '%s'", to);
    if (!err && strcmp(from, to) != 0) {
        entry_of(t, &entry);
        memset(entry.name, 0, sizeof(entry.name));
        memcpy(entry.name, to, strlen(to));
        entry.ctime_us = ps_io_wall_us(s->io);
        err = update_locked(t, &entry);
        event.table = t->id;
        if (!err)
            ps_store_event(s, &event);
    }
    unlock_ddl(s);
    return err;
}

ps_err ps_table_become_slotted(struct ps_table *t)
{
    struct ps_catalog_entry entry;
    ps_err err = lock_ddl(t->store);

    if (err)
        return err;
    if (t->dropped) {
        err = ps_fail(PS_ERR_NOENT, "table %u was dropped", t->id);
    } else if (t->type != PS_PAGE_SLOTTED) {
        entry_of(t, &entry);
        entry.type = PS_PAGE_SLOTTED;
        err = update_locked(t, &entry);
    }
    unlock_ddl(t->store);
    return err;
}

/* --- bringing the catalog up -------------------------------------------------------------- */

ps_err ps_catalog_create(struct ps_store *s)
{
    struct ps_catalog_entry entry = {
        .table = PS_CATALOG_ID,
        .format = PS_FORMAT_NATIVE,
        .type = PS_PAGE_SLOTTED,
        .ctime_us = ps_io_wall_us(s->io),
        .name = PS_CATALOG_NAME,
    };
    struct catalog_edit ed = {.s = s};
    struct edit_purpose why = {.type = PS_TABLE_CREATE, .entry = &entry};
    struct ps_group g;
    struct ps_table *t = catalog_of(s);
    ps_err err = ps_table_open_files(t);

    /* Its map first, in a group of its own: the edit reads it. */
    if (!err)
        err = ps_pagefile_reserve(&t->map_file, 0, 1);
    if (!err)
        err = ps_group_begin(&g, &s->env, NULL, 1 + PS_LOAD_FRAMES, s->page_size, NULL);
    if (err)
        return err;
    err = ps_map_format(&t->map, &g);
    if (err) {
        ps_group_abandon(&g);
        return err;
    }
    (void)ps_group_commit(&g);
    t->summary_known = true;
    err = edit_insert(&ed, &entry);
    if (!err)
        err = edit_apply(&ed, &why);
    edit_deinit(&ed);
    return err;
}

static ps_err load_item(struct ps_store *s, uint32_t page_no, uint32_t slot,
                        const struct ps_item *item)
{
    struct ps_catalog_entry entry;
    struct ps_table *t;
    ps_err err = ps_catalog_decode(item->data, item->len, s->page_size, &entry);

    if (err)
        return ps_fail_in(err, "catalog page %u item %u", page_no, slot);
    t = ps_registry_find(s, entry.table);
    if (!t) {
        err = ps_registry_make(s, entry.table, ps_format_by_id(entry.format), &t);
    } else if (t->name[0]) {
        err = ps_fail(PS_ERR_CORRUPT, "catalog page %u item %u: table %u is there twice", page_no,
                      slot, entry.table);
    }
    if (!err && ps_names_find(&s->names, entry.name))
        err = ps_fail(PS_ERR_CORRUPT, "catalog page %u item %u: there are two tables '%s'", page_no,
                      slot, entry.name);
    if (err)
        return err;
    t->fmt = ps_format_by_id(entry.format);
    t->type = entry.type;
    t->ctime_us = entry.ctime_us;
    t->catalog_page = page_no;
    t->catalog_slot = slot;
    ps_names_set(&s->names, t, entry.name);
    return PS_OK;
}

static ps_err load_page(struct ps_store *s, uint32_t page_no, void *buf)
{
    const struct ps_format *fmt = catalog_of(s)->fmt;
    uint32_t slot, slots = 0;
    struct ps_item item;
    ps_err err = ps_page_copy(catalog_of(s), page_no, NULL, buf);

    if (!err)
        err = ps_slotted_slots(fmt, buf, s->page_size, &slots);
    for (slot = 1; !err && slot <= slots; slot++) {
        err = ps_slotted_get(fmt, buf, s->page_size, slot, &item);
        if (err == PS_ERR_NOENT)
            err = PS_OK; /* a deleted item's slot */
        else if (!err)
            err = load_item(s, page_no, slot, &item);
    }
    return err;
}

ps_err ps_catalog_load(struct ps_store *s)
{
    struct ps_table *t = catalog_of(s);
    struct ps_page_info page;
    uint64_t from = 0;
    uint32_t n = 1;
    void *buf = ps_buf_alloc(s->page_size);
    ps_err err = buf ? PS_OK : ps_fail(PS_ERR_NOMEM, "no memory for a catalog page");

    while (!err && n > 0) {
        err = ps_page_list(t, from, &page, 1, &n);
        if (!err && n > 0)
            err = load_page(s, page.page_no, buf);
        from = (uint64_t)page.page_no + 1;
    }
    if (!err && !t->name[0])
        err = ps_fail(PS_ERR_CORRUPT, "the catalog does not name itself");
    ps_buf_free(buf);
    return err ? ps_fail_in(err, "catalog") : PS_OK;
}
