/*
 * pin.h - pins that give themselves back at the end of their scope.
 *
 *     PS_SCOPED_PIN pin = {0};
 *     ps_err err = ps_pin_ref(&pin, table, 5, NULL);
 *
 *     if (!err)
 *         err = look_at(ps_pin_ref_read(&pin));
 *     return err;
 *
 * Flow       users of the library -> [pin] -> table.h
 * Units      page numbers count from 0.
 * Ownership  a reference that holds a page owes one ps_pin_unref, which the compiler adds on every
 *            way out of the scope of a PS_SCOPED_PIN (GCC and Clang). It starts empty ({0}) and is
 *            never copied. The caller's reference to the table must outlive the pin.
 * Locking    one thread uses a reference. From ps_pin_ref_read to the end it holds the page's
 *            shared latch, and makes no call into the library except ps_pin_unref.
 * Errors     those of ps_pin; the reference stays empty.
 * Promise    unref releases exactly what the reference holds, so it may be called early, and again.
 */
#ifndef PAGESTORE_PIN_H
#define PAGESTORE_PIN_H

#include "pagestore/table.h"

struct ps_pin_ref {
    struct ps_table *table;
    struct ps_page *page; /* NULL: it holds nothing */
    bool latched;
};

/* Pins a page, after releasing what the reference held before. */
PS_MUST_USE ps_err ps_pin_ref(struct ps_pin_ref *ref, struct ps_table *table, uint32_t page_no,
                              struct ps_cancel *cancel);
/* Latches the page it holds shared, sealed, and gives its bytes. */
const uint8_t *ps_pin_ref_read(struct ps_pin_ref *ref);
void ps_pin_unref(struct ps_pin_ref *ref);

#define PS_SCOPED_PIN __attribute__((cleanup(ps_pin_unref))) struct ps_pin_ref

#ifdef PS_DEBUG_PINS
#define ps_pin_ref(ref, table, page_no, cancel) \
    ps_pin_noted(table, (ps_pin_ref)(ref, table, page_no, cancel), &(ref)->page, __FILE__, __LINE__)
#endif

#endif
