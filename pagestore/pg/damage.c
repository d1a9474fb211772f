/*
 * damage.c - the search for damage: one piece after the other, by the caller or by a crew of
 * threads.
 */
#include "pg/damage.h"

#include <stdlib.h>

#include "pg/damage_crew.h"

struct ps_pg_damage {
    struct ps_pg_plan plan;
    struct ps_pg_hand hand;
    bool at_work;            /* the hand has a piece */
    struct ps_pg_crew *crew; /* NULL: the caller does the work */
    struct ps_pg_damage_counts counts;
};

static ps_err open_scan(struct ps_pg_catalog *catalog, struct ps_pg_damage **ret)
{
    struct ps_pg_damage *d = calloc(1, sizeof(*d));

    if (!d)
        return ps_fail(PS_ERR_NOMEM, "no memory to look for damage");
    ps_pg_plan_init(&d->plan, catalog);
    ps_pg_hand_init(&d->hand, catalog);
    *ret = d;
    return PS_OK;
}

ps_err ps_pg_damage_open(struct ps_pg_catalog *catalog, uint32_t db,
                         const struct ps_pg_relation *relation, struct ps_pg_damage **ret)
{
    ps_err err = open_scan(catalog, ret);

    if (err)
        return err;
    (*ret)->plan.db = db;
    (*ret)->plan.asked = relation;
    return PS_OK;
}

ps_err ps_pg_damage_open_all(struct ps_pg_catalog *catalog, unsigned threads,
                             struct ps_pg_damage **ret)
{
    ps_err err = open_scan(catalog, ret);

    if (err)
        return err;
    (*ret)->plan.all = true;
    if (threads > 1)
        err = ps_pg_crew_start(&(*ret)->plan, threads, &(*ret)->crew);
    if (err)
        ps_pg_damage_close(*ret);
    return err;
}

void ps_pg_damage_close(struct ps_pg_damage *d)
{
    if (!d)
        return;
    if (d->crew)
        ps_pg_crew_stop(d->crew);
    ps_pg_hand_deinit(&d->hand);
    ps_pg_plan_deinit(&d->plan);
    free(d);
}

/* What comes next of the plan, up to where the walk of a piece begins. */
static ps_err go_on(struct ps_pg_damage *d, struct ps_pg_out *out, bool *ret_done)
{
    struct ps_pg_piece piece;
    ps_err err = ps_pg_plan_next(&d->plan, out, &piece, ret_done);

    if (!err && piece.subject.file)
        err = ps_pg_hand_begin(&d->hand, &piece, out, &d->at_work);
    return err ? err : ps_text_err(out->text);
}

ps_err ps_pg_damage_step(struct ps_pg_damage *d, struct ps_cancel *cancel, struct ps_text *text,
                         bool *ret_done)
{
    struct ps_pg_out out = {.text = text, .counts = &d->counts};

    *ret_done = false;
    if (d->crew)
        return ps_pg_crew_take(d->crew, cancel, &out, ret_done);
    if (d->at_work)
        return ps_pg_hand_step(&d->hand, cancel, &out, &d->at_work);
    return go_on(d, &out, ret_done);
}

struct ps_pg_damage_counts ps_pg_damage_counts(const struct ps_pg_damage *d)
{
    return d->counts;
}
