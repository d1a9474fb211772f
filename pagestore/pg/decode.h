/*
 * decode.h - PostgreSQL's pages as text, and what is wrong with them, whatever access method they
 * are of.
 *
 * Text has a `name value` line a field, with pageinspect's names, hex beside decimal where it is
 * bits or a checksum; then line pointers and items; then a line `damage WORD: ...` for each thing
 * that is wrong. FORMAT.md lists the words.
 *
 * Flow       bytes of a page -> [decode] -> text, or calls of report
 * Units      block numbers; offsets in bytes on the page; line pointers count from 1.
 * Locking    pure functions.
 * Errors     none: any bytes are survived, and never read past the page.
 * Source     contrib/pageinspect; src/include/access/{nbtree,hash,ginblock,gist,spgist_private,
 *            brin_page}.h, storage/{bufpage,fsm_internals}.h, access/visibilitymap.h.
 */
#ifndef PS_PG_DECODE_H
#define PS_PG_DECODE_H

#include "base/text.h"
#include "pagestore/format.h"
#include "pg/cluster.h"

enum ps_pg_page_kind {
    PS_PG_PAGE_AUTO, /* as the page's special space says */
    PS_PG_PAGE_HEAP,
    PS_PG_PAGE_BTREE,
    PS_PG_PAGE_HASH,
    PS_PG_PAGE_GIN,
    PS_PG_PAGE_GIST,
    PS_PG_PAGE_SPGIST,
    PS_PG_PAGE_BRIN,
    PS_PG_PAGE_SEQUENCE,
    PS_PG_PAGE_FSM,
    PS_PG_PAGE_VM,
};

/* Of a relation's fork; am_name as in struct ps_pg_relation, relkind 0: not known. */
enum ps_pg_page_kind ps_pg_page_kind(const char *am_name, char relkind, enum ps_pg_fork fork);

void ps_pg_decode(enum ps_pg_page_kind kind, const void *page, const struct ps_page_ident *who,
                  bool checksums, struct ps_text *out);

/* One thing wrong; fault or suspect as the severity of a damage line; lp 0: none. */
typedef void (*ps_pg_damage_fn)(void *ctx, bool fault, const char *word, uint32_t lp,
                                const char *text);

/* What a page alone can tell: checksum, header, lp-range, lp-overlap, hoff, natts (against natts of
 * the relation, 0: not known), redirect, ... Returns how many. report may be NULL. */
unsigned ps_pg_check(enum ps_pg_page_kind kind, const void *page, const struct ps_page_ident *who,
                     bool checksums, uint32_t natts, ps_pg_damage_fn report, void *ctx);

#endif
