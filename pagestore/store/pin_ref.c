/*
 * pin_ref.c - pins that give themselves back at the end of their scope.
 */
#include "pagestore/pin.h"

#include <assert.h>

ps_err(ps_pin_ref)(struct ps_pin_ref *ref, struct ps_table *table, uint32_t page_no,
                   struct ps_cancel *cancel)
{
    ps_err err;

    ps_pin_unref(ref);
    err = (ps_pin)(table, page_no, cancel, &ref->page);
    if (!err)
        ref->table = table;
    return err;
}

const uint8_t *ps_pin_ref_read(struct ps_pin_ref *ref)
{
    assert(ref->page);
    if (!ref->latched)
        ps_latch_shared(ref->table, ref->page);
    ref->latched = true;
    return ps_page_bytes(ref->page);
}

void ps_pin_unref(struct ps_pin_ref *ref)
{
    if (!ref->page)
        return;
    if (ref->latched)
        ps_unlatch(ref->table, ref->page);
    ps_unpin(ref->table, ref->page);
    *ref = (struct ps_pin_ref){0};
}
