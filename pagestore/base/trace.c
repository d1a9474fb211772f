/*
 * trace.c - the ring of last events.
 *
 * Each slot is guarded by its own sequence number: 0 while it is being written, else the number
 * of the event in it. A reader that finds the same number before and after copying has a whole
 * event. Fields are atomics, because a writer may overwrite them under a reader's eyes.
 */
#include "base/trace.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

struct slot {
    _Atomic uint64_t seq;
    _Atomic uint64_t time_us;
    _Atomic uint64_t lsn;
    _Atomic(const char *) kind;
    _Atomic(const char *) reason;
    _Atomic uint32_t table;
    _Atomic uint32_t page;
    _Atomic uint32_t frame;
    _Atomic uint16_t fork;
};

struct ps_trace {
    _Atomic uint64_t last_seq;
    size_t slot_count;
    struct slot slots[];
};

ps_err ps_trace_create(size_t events, struct ps_trace **ret)
{
    struct ps_trace *t;

    assert(events > 0);
    t = calloc(1, sizeof(*t) + events * sizeof(t->slots[0]));
    if (!t)
        return ps_fail(PS_ERR_NOMEM, "no memory for a trace of %zu events", events);
    t->slot_count = events;
    *ret = t;
    return PS_OK;
}

void ps_trace_destroy(struct ps_trace *t)
{
    free(t);
}

/* Two writers meet in one slot only when one was overtaken by a whole ring of events; the slot
 * may then hold a mixture of the two, which is what a trace may show and nothing else may. */
void ps_trace_add(struct ps_trace *t, const struct ps_trace_event *event)
{
    uint64_t seq = atomic_fetch_add(&t->last_seq, 1) + 1;
    struct slot *s = &t->slots[seq % t->slot_count];

    atomic_store(&s->seq, 0);
    atomic_store(&s->time_us, event->time_us);
    atomic_store(&s->lsn, event->lsn);
    atomic_store(&s->kind, event->kind);
    atomic_store(&s->reason, event->reason);
    atomic_store(&s->table, event->table);
    atomic_store(&s->page, event->page);
    atomic_store(&s->frame, event->frame);
    atomic_store(&s->fork, event->fork);
    atomic_store(&s->seq, seq);
}

/* False when the slot holds, or may hold, another event. */
static bool slot_read(struct slot *s, uint64_t seq, struct ps_trace_event *ret)
{
    if (atomic_load(&s->seq) != seq)
        return false;
    ret->seq = seq;
    ret->time_us = atomic_load(&s->time_us);
    ret->lsn = atomic_load(&s->lsn);
    ret->kind = atomic_load(&s->kind);
    ret->reason = atomic_load(&s->reason);
    ret->table = atomic_load(&s->table);
    ret->page = atomic_load(&s->page);
    ret->frame = atomic_load(&s->frame);
    ret->fork = atomic_load(&s->fork);
    return atomic_load(&s->seq) == seq;
}

size_t ps_trace_count(const struct ps_trace *t)
{
    uint64_t last = atomic_load(&t->last_seq);

    return last < t->slot_count ? (size_t)last : t->slot_count;
}

size_t ps_trace_snapshot(struct ps_trace *t, struct ps_trace_event *events, size_t max)
{
    uint64_t last = atomic_load(&t->last_seq);
    uint64_t wanted = last;
    size_t count = 0;

    if (wanted > t->slot_count)
        wanted = t->slot_count;
    if (wanted > max)
        wanted = max;
    for (uint64_t seq = last - wanted + 1; seq <= last; seq++) {
        if (slot_read(&t->slots[seq % t->slot_count], seq, &events[count]))
            count++;
    }
    return count;
}
