/*
 * damage_crew.c - pieces walked by threads, their lines kept in a ring until they are taken in
 * order.
 */
#include "pg/damage_crew.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/lock.h"
#include "base/thread.h"
#include "base/wait.h"

#define SLOTS_A_THREAD 16u
#define BATCH_MAX 8u /* pieces that a thread plans in one go */
#define MESSAGE_MAX 512u

/* A piece that is walked, or waits to be taken. */
struct slot {
    bool done; /* guarded by mtx; what follows is the walking thread's until then */
    bool last; /* there was nothing more */
    struct ps_text lines;
    struct ps_pg_damage_counts counts;
    ps_err err;
    char message[MESSAGE_MAX]; /* of err */
};

struct ps_pg_crew {
    struct ps_pg_catalog *catalog;
    struct ps_mutex plan_mtx; /* rank PG_DAMAGE */
    struct ps_pg_plan *plan;  /* guarded by plan_mtx, as what follows */
    uint64_t planned;         /* pieces; the next one's number */
    bool plan_done;

    struct ps_mutex mtx; /* rank LEAF */
    struct ps_cond room; /* a slot was taken, or stop */
    struct ps_cond done; /* worth_taking() */
    struct slot *slots;  /* a ring: of piece n, slot n % slot_count */
    uint32_t slot_count;
    uint64_t taken;    /* guarded by mtx: pieces */
    bool ended;        /* guarded by mtx: a slot is done that is the last, or has an error */
    _Atomic bool stop; /* written under mtx */
    pthread_t *threads;
    unsigned thread_count;
};

static struct slot *slot_of(const struct ps_pg_crew *c, uint64_t piece)
{
    return &c->slots[piece % c->slot_count];
}

/* Is the next piece done, and half a ring behind it, or all there is? Then it pays to wake who
 * takes them. The ring has room for so many while he waits. mtx is held. */
static bool worth_taking(const struct ps_pg_crew *c)
{
    return slot_of(c, c->taken)->done &&
           (c->ended || slot_of(c, c->taken + c->slot_count / 2)->done);
}

/* --- a thread's work ----------------------------------------------------------------------- */

/* Is the slot of the next piece free? If asked to, waits until it is; false then: stop. */
static bool has_room(struct ps_pg_crew *c, bool wait)
{
    bool room;

    ps_mutex_lock(&c->mtx);
    while (wait && !c->stop && c->planned - c->taken >= c->slot_count)
        ps_cond_wait(&c->room, &c->mtx);
    room = !c->stop && c->planned - c->taken < c->slot_count;
    ps_mutex_unlock(&c->mtx);
    return room;
}

static void keep_error(struct slot *s, ps_err err)
{
    s->err = err;
    snprintf(s->message, sizeof(s->message), "%s", ps_message());
}

/* The next piece of the plan, and a slot whose lines begin with the plan's. plan_mtx is held. */
static void plan_piece(struct ps_pg_crew *c, struct ps_pg_piece *ret, struct slot **ret_slot)
{
    struct slot *s = slot_of(c, c->planned++);
    struct ps_pg_out out = {.text = &s->lines, .counts = &s->counts};
    ps_err err;

    do
        err = ps_pg_plan_next(c->plan, &out, ret, &s->last);
    while (!err && !s->last && !ret->subject.file);
    if (err)
        keep_error(s, err);
    c->plan_done = err || s->last;
    *ret_slot = s;
}

/* What one thread does in a row: as many pieces as make a full one, so that small files cost few
 * turns. */
struct batch {
    struct ps_pg_piece pieces[BATCH_MAX];
    struct slot *slots[BATCH_MAX];
    unsigned count;
    bool first; /* the plan's */
};

/* False: there is none, or stop. Only the first piece is waited for: who takes waits for those that
 * are planned. */
static bool plan_batch(struct ps_pg_crew *c, struct batch *b)
{
    const uint64_t full = ps_pg_walk_piece(ps_pg_catalog_cluster(c->catalog));
    uint64_t blocks = 0;

    b->count = 0;
    ps_mutex_lock(&c->plan_mtx);
    b->first = c->planned == 0;
    while (!c->plan_done && b->count < BATCH_MAX && blocks < full && has_room(c, b->count == 0)) {
        struct ps_pg_piece *piece = &b->pieces[b->count];

        plan_piece(c, piece, &b->slots[b->count++]);
        if (!c->plan_done)
            blocks += piece->to - piece->from;
    }
    ps_mutex_unlock(&c->plan_mtx);
    return b->count > 0;
}

static void walk_piece(struct ps_pg_crew *c, struct ps_pg_hand *hand,
                       const struct ps_pg_piece *piece, struct slot *s)
{
    struct ps_pg_out out = {.text = &s->lines, .counts = &s->counts};
    bool more = false;
    ps_err err = ps_pg_hand_begin(hand, piece, &out, &more);

    while (!err && more && !c->stop)
        err = ps_pg_hand_step(hand, NULL, &out, &more);
    ps_pg_hand_drop(hand);
    if (!err)
        err = ps_text_err(&s->lines);
    if (err)
        keep_error(s, err);
}

static void finish(struct ps_pg_crew *c, struct slot *s)
{
    ps_mutex_lock(&c->mtx);
    s->done = true;
    c->ended = c->ended || s->last || s->err;
    if (worth_taking(c))
        ps_cond_broadcast(&c->done);
    ps_mutex_unlock(&c->mtx);
}

/* Reads the catalogs of all databases, in the plan's order, while others walk what is planned: who
 * plans would hold them up, as it takes one thread some milliseconds a database. What is read stays
 * in any case. */
static void read_catalogs(struct ps_pg_crew *c)
{
    const uint32_t count = ps_pg_database_count(c->catalog);

    for (uint32_t db = 0; db < count && !c->stop; db++)
        (void)ps_pg_relation_count(c->catalog, db);
}

static void *crew_main(void *arg)
{
    struct ps_pg_crew *c = arg;
    struct ps_pg_hand hand;
    struct batch b;

    ps_pg_hand_init(&hand, c->catalog);
    while (plan_batch(c, &b)) {
        for (unsigned i = 0; i < b.count; i++) {
            if (!b.slots[i]->err && !b.slots[i]->last)
                walk_piece(c, &hand, &b.pieces[i], b.slots[i]);
            finish(c, b.slots[i]);
        }
        if (b.first)
            read_catalogs(c);
    }
    ps_pg_hand_deinit(&hand);
    return NULL;
}

/* --- the crew ------------------------------------------------------------------------------ */

static ps_err make_room(struct ps_pg_crew *c, unsigned threads)
{
    c->slot_count = threads * SLOTS_A_THREAD;
    c->slots = calloc(c->slot_count, sizeof(*c->slots));
    c->threads = calloc(threads, sizeof(*c->threads));
    if (!c->slots || !c->threads)
        return ps_fail(PS_ERR_NOMEM, "no memory for %u threads that look for damage", threads);
    return PS_OK;
}

/* Fewer than were asked for are enough. */
static ps_err start_threads(struct ps_pg_crew *c, unsigned threads)
{
    while (c->thread_count < threads &&
           ps_thread_start(&c->threads[c->thread_count], crew_main, c) == 0)
        c->thread_count++;
    return c->thread_count > 0
               ? PS_OK
               : ps_fail(PS_ERR_NOMEM, "cannot start a thread that looks for damage");
}

ps_err ps_pg_crew_start(struct ps_pg_plan *plan, unsigned threads, struct ps_pg_crew **ret)
{
    struct ps_pg_crew *c = calloc(1, sizeof(*c));
    ps_err err;

    assert(threads > 0 && threads <= PS_PG_DAMAGE_THREADS_MAX);
    if (!c)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    c->plan = plan;
    c->catalog = plan->catalog;
    ps_mutex_init(&c->plan_mtx, PS_RANK_PG_DAMAGE, "pg_crew.plan_mtx");
    ps_mutex_init(&c->mtx, PS_RANK_LEAF, "pg_crew.mtx");
    ps_cond_init(&c->room);
    ps_cond_init(&c->done);
    err = make_room(c, threads);
    if (!err)
        err = start_threads(c, threads);
    if (err)
        ps_pg_crew_stop(c);
    else
        *ret = c;
    return err;
}

void ps_pg_crew_stop(struct ps_pg_crew *c)
{
    ps_mutex_lock(&c->mtx);
    c->stop = true;
    ps_cond_broadcast(&c->room);
    ps_mutex_unlock(&c->mtx);
    for (unsigned i = 0; i < c->thread_count; i++)
        (void)pthread_join(c->threads[i], NULL);
    for (uint32_t i = 0; c->slots && i < c->slot_count; i++)
        ps_text_deinit(&c->slots[i].lines);
    ps_cond_deinit(&c->room);
    ps_cond_deinit(&c->done);
    ps_mutex_deinit(&c->mtx);
    ps_mutex_deinit(&c->plan_mtx);
    free(c->slots);
    free(c->threads);
    free(c);
}

/* --- taking -------------------------------------------------------------------------------- */

static void empty_slot(struct slot *s)
{
    ps_text_clear(&s->lines);
    s->counts = (struct ps_pg_damage_counts){0};
    s->done = false;
}

static ps_err wait_until_done(struct ps_pg_crew *c, const struct slot *s, struct ps_cancel *cancel)
{
    ps_err err = PS_OK;

    ps_mutex_lock(&c->mtx);
    while (!s->done && !err)
        err = ps_wait(&c->done, &c->mtx, cancel);
    ps_mutex_unlock(&c->mtx);
    return err;
}

ps_err ps_pg_crew_take(struct ps_pg_crew *c, struct ps_cancel *cancel, struct ps_pg_out *out,
                       bool *ret_done)
{
    struct slot *s = slot_of(c, c->taken);
    ps_err err = wait_until_done(c, s, cancel);

    if (err)
        return err;

    /* The slot is ours until it counts as taken; one that ends it all is never taken. */
    ps_text_add(out->text, s->lines.data, s->lines.len);
    out->counts->pages += s->counts.pages;
    out->counts->faults += s->counts.faults;
    out->counts->suspects += s->counts.suspects;
    *ret_done = s->last;
    if (s->err)
        return ps_fail(s->err, "%s", s->message);
    if (s->last)
        return ps_text_err(out->text);

    ps_mutex_lock(&c->mtx);
    empty_slot(s);
    c->taken++;
    ps_cond_signal(&c->room);
    ps_mutex_unlock(&c->mtx);
    return ps_text_err(out->text);
}
