/*
 * damage_walk.h - blocks of one fork of a relation, walked page by page for damage: inside of
 * damage.h, and as much of it as needs no catalog.
 *
 * A walk sees a piece of the fork: what it says of a page does not depend on where the pieces
 * before it ended, but for what the first piece of a B-tree learns for all (ps_pg_lore).
 *
 * Flow       damage_hand -> [damage_walk] -> decode, xact, visibility, tuple -> store
 * Units      blocks count over all segments of the fork.
 * Ownership  new gives a walk that free takes back; between enter and leave it walks one piece.
 *            What the subject points to stays until leave.
 * Locking    one thread uses a walk; a lore is thread safe.
 * Errors, Promise  as damage.h.
 */
#ifndef PS_PG_DAMAGE_WALK_H
#define PS_PG_DAMAGE_WALK_H

#include "base/lock.h"
#include "pg/damage.h"
#include "pg/damage_links.h"
#include "pg/decode_private.h"
#include "pg/toast.h"
#include "pg/tuple_plain.h"
#include "pg/xact.h"

/* Does the error end a walk? Any other is damage: it becomes a line, and the walk goes on. */
static inline bool ps_pg_walk_ends(ps_err err)
{
    return err == PS_ERR_INTERRUPTED || err == PS_ERR_NOMEM;
}

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
    bool own_class;                      /* as ps_pg_relation */
    struct ps_pg_links *links;           /* of an SP-GiST index; NULL: they are not looked for */
    /* As ps_pg_subject_measure() finds them. */
    uint64_t first_block, pages_end;
    uint64_t heap_pages; /* up to the last one that is not zero; UINT64_MAX: not known */
};

/* Keys that are compared as numbers, if that is what they are. */
enum ps_pg_number { PS_PG_NO_NUMBER, PS_PG_INT4, PS_PG_UINT4, PS_PG_INT8 };

/* What is known of the order of an index's keys: by their first column, as far as its type has an
 * order that the files tell. Ascending or descending is what most neighbours are. */
struct ps_pg_key_order {
    /* a < b: negative. NULL: cannot be judged. Both are whole keys of the type. */
    int (*compare)(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len);
    uint32_t key_len; /* 0: a varlena, or a C string */
    enum ps_pg_number number;
    bool c_string;
    uint64_t ascending, descending;
};

/* What the first piece of a B-tree reveals about the whole. Walks of later pieces wait for it. */
struct ps_pg_lore {
    struct ps_pg_lore *next; /* its owner's */
    struct ps_mutex mtx;     /* rank LEAF */
    struct ps_cond told;
    bool known; /* guarded by mtx, as what follows */
    uint32_t btree_version;
    uint64_t ascending, descending; /* neighbours in its pages */
};

/* The last heap row whose header was fine. Rows that have the same transactions and marks, on a
 * page with the same bits in its map, need not be judged again. */
struct ps_pg_like {
    bool known;
    bool whole; /* they have all attributes and no nulls, and lie as the shape's stretches */
    unsigned bits;
    uint64_t xids, marks;
    struct ps_pg_tuple tuple; /* its; but bytes, len and nulls are those of the row looked at */
};

/* Pages in a row, read in one go. */
struct ps_pg_run {
    uint8_t *bytes;
    uint64_t first;
    uint32_t count, cap;
    bool sound[PS_RUN_PAGES_MAX];
};

struct ps_pg_walk {
    struct ps_pg_cluster *cluster;
    struct ps_pg_xacts *xacts;
    bool settled; /* closed cleanly and nobody changes it: pages must agree with each other */
    uint32_t page_size;
    struct ps_pg_run run, near; /* of the piece; of neighbours in a B-tree */
    uint8_t *copy, *other, *vm; /* other: of a neighbour that is not in a run */
    struct ps_pg_value *values; /* of a row that is not plain */
    uint32_t values_cap;
    struct ps_text detoasted;
    /* of the piece */
    struct ps_pg_subject subject;
    struct ps_pg_lore *lore;   /* NULL: there is one piece, or nothing to learn */
    struct ps_pg_links *links; /* the subject's, until the piece is left */
    struct ps_table *table, *vm_table;
    uint64_t from, to, block;
    uint64_t zero_first, zero_count; /* all-zero pages right before block */
    bool seen_page;                  /* one that is not zero, in the piece */
    const uint8_t *page;             /* that is walked; in run, or copy */
    uint64_t vm_block;               /* that vm is a copy of; UINT64_MAX: none */
    uint32_t committed;              /* a transaction that did, the last that was asked for */
    struct ps_pg_like like;
    struct ps_pg_shape shape; /* of the subject's columns, if it has a desc */
    struct ps_pg_key_order order;
    uint32_t btree_version; /* of the metapage; 0: not seen */
    /* of the step */
    struct ps_cancel *cancel;
    struct ps_text *out;
    struct ps_pg_damage_counts *counts;
};

PS_MUST_USE ps_err ps_pg_walk_new(struct ps_pg_cluster *cluster, struct ps_pg_xacts *xacts,
                                  struct ps_pg_walk **ret);
void ps_pg_walk_free(struct ps_pg_walk *walk);

/* Lengths of the subject's file and of its heap. */
PS_MUST_USE ps_err ps_pg_subject_measure(struct ps_pg_cluster *cluster,
                                         struct ps_pg_subject *subject);
/* Blocks of a piece, at most. */
uint32_t ps_pg_walk_piece(struct ps_pg_cluster *cluster);
/* Blocks [from, to) of the subject, a piece of it; the last ones come with what is wrong with
 * the file as a whole. Waits for the lore unless the piece is the first. */
PS_MUST_USE ps_err ps_pg_walk_enter(struct ps_pg_walk *walk, const struct ps_pg_subject *subject,
                                    uint64_t from, uint64_t to, struct ps_pg_lore *lore);
PS_MUST_USE ps_err ps_pg_walk_step(struct ps_pg_walk *walk, struct ps_cancel *cancel,
                                   struct ps_text *out, struct ps_pg_damage_counts *counts,
                                   bool *ret_done);
void ps_pg_walk_leave(struct ps_pg_walk *walk);

PS_MUST_USE ps_err ps_pg_lore_new(struct ps_pg_lore **ret);
void ps_pg_lore_free(struct ps_pg_lore *lore);
/* To be called once: by the walk of the first piece when it leaves, whether or not it reached the
 * end; with NULL, if that piece could not be entered. */
void ps_pg_lore_tell(struct ps_pg_lore *lore, const struct ps_pg_walk *walk);

/* A line about a block of the file (UINT64_MAX: as a whole), counted. */
void ps_pg_walk_add(struct ps_pg_walk *w, uint64_t block, uint32_t lp, bool fault, const char *word,
                    const char *fmt, ...) PS_PRINTF(6, 7);
/* One about the page that is walked: a fault if pages must agree, else suspect. */
#define PS_PG_WALK_DISAGREE(w, lp, word, ...) \
    ps_pg_walk_add(w, (w)->block, lp, (w)->settled, word, __VA_ARGS__)

/* Sees at a glance, of a page whose checksum is right, that there is nothing to tell but what it
 * has told (damage_glance.h). *ret_fine false says nothing, and nothing was told. */
PS_MUST_USE ps_err ps_pg_glance_heap(struct ps_pg_walk *w, const struct ps_pg_view *v,
                                     bool *ret_fine);
PS_MUST_USE ps_err ps_pg_glance_btree(struct ps_pg_walk *w, const struct ps_pg_view *v,
                                      bool *ret_fine);
/* What the page that is walked says of others; its checksum and header are right. */
PS_MUST_USE ps_err ps_pg_walk_heap(struct ps_pg_walk *w, const struct ps_pg_view *v);
PS_MUST_USE ps_err ps_pg_walk_btree(struct ps_pg_walk *w, const struct ps_pg_view *v);
/* damage_order.c: what is known of the order of the subject's keys. */
void ps_pg_key_order_find(const struct ps_pg_subject *subject, struct ps_pg_key_order *ret);
/* Are all items of a leaf sound, in order, and do they lead into the heap? Then what they say of
 * the order is noted. False says nothing. */
bool ps_pg_order_is_fine(struct ps_pg_walk *w, const struct ps_pg_view *v,
                         const struct ps_bt_page *b);
void ps_pg_walk_order(struct ps_pg_walk *w, const struct ps_pg_view *v, const struct ps_bt_page *b);

/* --- damage_zero.c: pages of zeros --------------------------------------------------------- */

/* The page that is walked is all zero. with_hole: the walk goes on behind the hole that it lies
 * in. */
void ps_pg_zeros_see(struct ps_pg_walk *w, bool with_hole);
/* The page that is walked is not: what is to be told of zeros right before it. */
PS_MUST_USE ps_err ps_pg_zeros_tell(struct ps_pg_walk *w);
/* The file ends here. */
PS_MUST_USE ps_err ps_pg_zeros_end(struct ps_pg_walk *w);

/* --- damage_read.c: pages of the subject's file -------------------------------------------- */

PS_MUST_USE ps_err ps_pg_run_init(struct ps_pg_run *run, uint32_t cap, uint32_t page_size);
void ps_pg_run_deinit(struct ps_pg_run *run);
/* As ps_page_copy(), of a block of the piece, one after the other. *ret is good until the next. */
PS_MUST_USE ps_err ps_pg_walk_read(struct ps_pg_walk *w, uint64_t block, const uint8_t **ret);
/* The same of any block; does not touch what ps_pg_walk_read() gave. */
PS_MUST_USE ps_err ps_pg_walk_read_other(struct ps_pg_walk *w, uint64_t block, const uint8_t **ret);
/* Any block; what cannot be read, or not be trusted, is not zero. */
bool ps_pg_walk_is_zero(struct ps_pg_walk *w, uint64_t block);

#endif
