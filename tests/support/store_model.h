/*
 * store_model.h - what a store should hold, kept in plain memory, and how to compare.
 *
 * Flow       test -> engine and [store_model] alike; store_digest of the engine's store is then
 *            looked up among the states that the model has been in.
 * Units      states count from 0, the empty store; each atomic step of a call adds one.
 * Ownership  a model owns its bytes; init and deinit in place.
 * Locking    none: one thread.
 * Errors     none: what no caller could mean is asserted. Calls that the engine refuses are not
 *            made on the model.
 * Promise    two stores have the same digest if and only if (but for collisions of 64 bits) a user
 *            sees the same tables, names, sizes, pages, bytes and items in both. LSNs, checksums,
 *            times, and whether a zero page was ever written are nobody's business here.
 */
#ifndef TEST_STORE_MODEL_H
#define TEST_STORE_MODEL_H

#include "pagestore/table.h"

#define MODEL_TABLES 6u
#define MODEL_PAGES 640u
#define MODEL_ITEMS 4096u
#define STATE_TABLES 32u /* of a store that several models share */

struct model_page {
    bool allocated;
    uint8_t *bytes; /* NULL: never written */
    uint64_t digest;
};

struct model_item {
    uint64_t digest;
    uint32_t page, slot; /* UINT32_MAX: not known */
};

struct model_table {
    uint32_t id; /* 0: there is none */
    char name[16];
    const struct ps_format *fmt;
    enum ps_page_type type;
    uint64_t pages_end, payload_len;
    struct model_page pages[MODEL_PAGES];
    struct model_item items[MODEL_ITEMS];
    uint32_t item_count;
    uint64_t digest; /* as of the last state; dirty: to be made anew */
    bool dirty;
};

/* A store as one number, and table by table. */
struct store_state {
    uint64_t digest;
    uint32_t table_count;
    struct {
        uint32_t id;
        uint64_t digest;
    } tables[STATE_TABLES];
};

struct store_model {
    uint32_t page_size;
    uint64_t virgin_digests[2]; /* by format */
    struct model_table tables[MODEL_TABLES];
    struct store_state *states;
    size_t state_count, state_cap;
};

void model_init(struct store_model *m, uint32_t page_size);
void model_deinit(struct store_model *m);
/* What was done since the last call is a state of its own: after a crash all of it is there or
 * none. */
void model_step(struct store_model *m);
size_t model_last(const struct store_model *m); /* number of the newest state */

void model_create(struct model_table *t, uint32_t id, const char *name, const struct ps_format *fmt,
                  enum ps_page_type type);
void model_drop(struct model_table *t);
void model_rename(struct model_table *t, const char *name);

/* Bytes of a space's page, and where they begin on it. */
uint32_t model_page_bytes(const struct store_model *m, const struct model_table *t,
                          enum ps_space space);
bool model_has_payload(const struct model_table *t);

void model_write(struct store_model *m, struct model_table *t, enum ps_space space, uint64_t off,
                 const uint8_t *buf, size_t len);
void model_page_create(struct store_model *m, struct model_table *t, uint32_t page_no);
void model_page_free(struct store_model *m, struct model_table *t, uint32_t page_no);
void model_truncate(struct store_model *m, struct model_table *t, enum ps_space space,
                    uint64_t len);
/* Gives pages [first, first + count) back (allocated == false), or empties and allocates them. */
void model_set_pages(const struct store_model *m, struct model_table *t, uint64_t first,
                     uint64_t count, bool allocated);

void model_item_insert(struct model_table *t, const void *data, uint32_t len, uint32_t page,
                       uint32_t slot);
void model_item_delete(struct model_table *t, uint32_t at);

/* Are these the page's bytes, but for what is the store's own? */
bool model_page_is(const struct store_model *m, const struct model_table *t, uint32_t page_no,
                   const uint8_t *page);

/* Reads everything that the store holds through the public headers, checks each page's checksum,
 * and sums it up. */
PS_MUST_USE ps_err store_digest(struct ps_store *store, struct store_state *ret);

/* The store was found to hold this state of the model, which becomes its present and only one: the
 * model takes over what the store holds. */
PS_MUST_USE ps_err model_return_to(struct store_model *m, size_t state_no, struct ps_store *store);

#endif
