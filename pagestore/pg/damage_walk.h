/*
 * damage_walk.h - one fork of a relation, walked page by page for damage: inside of damage.h, and
 * as much of it as needs no catalog.
 *
 * Flow       damage -> [damage_walk] -> decode, xact, visibility, tuple -> store
 * Ownership  what the subject points to stays until the walk is closed.
 * Locking, Errors, Promise  as damage.h.
 */
#ifndef PS_PG_DAMAGE_WALK_H
#define PS_PG_DAMAGE_WALK_H

#include "pg/damage.h"
#include "pg/decode_private.h"
#include "pg/toast.h"
#include "pg/xact.h"

/* What is walked, and what is known of it. */
struct ps_pg_subject {
    const char *relation; /* NULL: no catalog names the file */
    const struct ps_pg_file *file;
    enum ps_pg_page_kind kind;
    const struct ps_pg_desc *desc;       /* of the relation's columns; NULL: not known */
    const struct ps_pg_file *vm;         /* of a heap; NULL: there is none */
    const struct ps_pg_file *heap;       /* of an index: what it leads to; NULL: not known */
    const struct ps_pg_toaster *toaster; /* NULL: values stored elsewhere are not looked for */
    bool orders_bytes;                   /* as ps_pg_database of its database */
};

/* What is known of the order of an index's keys: by their first column, as far as its type has an
 * order that the files tell. Ascending or descending is what most neighbours are. */
struct ps_pg_key_order {
    /* a < b: negative. NULL: cannot be judged. Both are whole keys of the type. */
    int (*compare)(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len);
    uint32_t key_len; /* 0: a varlena, or a C string */
    bool c_string;
    uint64_t ascending, descending;
};

struct ps_pg_walk {
    struct ps_pg_cluster *cluster;
    struct ps_pg_xacts *xacts;
    struct ps_pg_subject subject;
    bool checksums;
    bool settled; /* closed cleanly and nobody changes it: pages must agree with each other */
    uint32_t page_size;
    struct ps_table *table, *vm_table;
    uint64_t pages_end, heap_pages; /* heap_pages UINT64_MAX: not known */
    uint64_t block;
    uint64_t zero_first, zero_count; /* all-zero pages right before block */
    uint8_t *page, *other, *vm;      /* other: of a neighbour in a B-tree */
    uint64_t vm_block;               /* that vm is a copy of; UINT64_MAX: none */
    struct ps_pg_key_order order;
    uint32_t btree_version;     /* of the metapage; 0: not seen */
    struct ps_pg_value *values; /* of a row; as many as desc has attributes */
    struct ps_text detoasted;
    /* of the step */
    struct ps_cancel *cancel;
    struct ps_text *out;
    struct ps_pg_damage_counts *counts;
};

PS_MUST_USE ps_err ps_pg_walk_open(struct ps_pg_cluster *cluster, struct ps_pg_xacts *xacts,
                                   const struct ps_pg_subject *subject, struct ps_pg_walk **ret);
void ps_pg_walk_close(struct ps_pg_walk *walk);
PS_MUST_USE ps_err ps_pg_walk_step(struct ps_pg_walk *walk, struct ps_cancel *cancel,
                                   struct ps_text *out, struct ps_pg_damage_counts *counts,
                                   bool *ret_done);

/* A line about a block of the file (UINT64_MAX: as a whole), counted. */
void ps_pg_walk_add(struct ps_pg_walk *w, uint64_t block, uint32_t lp, bool fault, const char *word,
                    const char *fmt, ...) PS_PRINTF(6, 7);
/* One about the page that is walked: a fault if pages must agree, else suspect. */
#define PS_PG_WALK_DISAGREE(w, lp, word, ...) \
    ps_pg_walk_add(w, (w)->block, lp, (w)->settled, word, __VA_ARGS__)

/* What the page that is walked says of others; its checksum and header are right. */
PS_MUST_USE ps_err ps_pg_walk_heap(struct ps_pg_walk *w, const struct ps_pg_view *v);
PS_MUST_USE ps_err ps_pg_walk_btree(struct ps_pg_walk *w, const struct ps_pg_view *v);
/* damage_order.c: what is known of the order of the subject's keys. */
void ps_pg_key_order_find(const struct ps_pg_subject *subject, struct ps_pg_key_order *ret);
void ps_pg_walk_order(struct ps_pg_walk *w, const struct ps_pg_view *v, const struct ps_bt_page *b);

#endif
