/*
 * page_text.h - a page as text, whatever kind of table it is of.
 *
 * Flow       fs, tools -> [page_text] -> catalog (what the relation is), decode (the text)
 * Units      page numbers count from 0.
 * Ownership  the text is the caller's; nothing is kept.
 * Locking    thread safe.
 * Errors     those of ps_page_copy, but a damaged page is shown, with what is wrong.
 */
#ifndef PS_PG_PAGE_TEXT_H
#define PS_PG_PAGE_TEXT_H

#include "pg/catalog.h"
#include "pg/decode.h"

/* catalog: of the cluster that the table is of; NULL: it is a store's own. */
PS_MUST_USE ps_err ps_pg_page_text(struct ps_pg_catalog *catalog, struct ps_table *table,
                                   uint32_t page_no, struct ps_cancel *cancel, struct ps_text *out);

#endif
