/*
 * txn.h - transactions: changes of several pages that can be taken back.
 *
 * ARIES (Mohan et al., 1992): changes are logged with before- and after-bytes, abort and recovery
 * undo them with compensation records. Each page that a transaction changes is locked until the
 * transaction ends; whoever else wants to change it waits for up to 100 ms and then gets
 * PS_ERR_CONFLICT. Readers do not wait: isolation is for a layer above.
 *
 * Flow       programs -> [txn] -> pool, log
 * Units      page numbers count from 0, slots from 1; offsets and lengths are bytes of the page.
 * Ownership  begin gives a transaction that commit or abort takes back, whatever they return.
 * Locking    one thread a transaction at a time.
 * Errors     PS_ERR_CONFLICT: another transaction holds the page, or too many are active. After a
 *            failed write the transaction lives on, without that write. A transaction keeps all log
 *            since its first record; one that holds back more than half of max_wal is undone, idle
 *            or not, and from then on its calls, except abort, are PS_ERR_CONFLICT.
 * Promise    when commit returns PS_OK the transaction survives a crash whole; one that did not
 *            commit leaves no trace in any page but its LSN.
 */
#ifndef PAGESTORE_TXN_H
#define PAGESTORE_TXN_H

#include "pagestore/table.h"

struct ps_txn;

PS_MUST_USE ps_err ps_txn_begin(struct ps_store *store, struct ps_txn **ret);
uint64_t ps_txn_id(const struct ps_txn *txn);

/* Changes bytes of one allocated page; the identity fields are stamped over as in ps_write. */
PS_MUST_USE ps_err ps_txn_write(struct ps_txn *txn, struct ps_table *table, uint32_t page_no,
                                uint32_t off, const void *buf, uint32_t len,
                                struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_txn_item_insert(struct ps_txn *txn, struct ps_table *table, uint32_t page_no,
                                      const void *data, uint32_t len, uint32_t *ret_slot,
                                      struct ps_cancel *cancel);
PS_MUST_USE ps_err ps_txn_item_delete(struct ps_txn *txn, struct ps_table *table, uint32_t page_no,
                                      uint32_t slot, struct ps_cancel *cancel);

PS_MUST_USE ps_err ps_txn_commit(struct ps_txn *txn);
ps_err ps_txn_abort(struct ps_txn *txn);

#endif
