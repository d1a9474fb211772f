/*
 * damage_hand.c - one thread's walk, and the toast reader of the database that it is in.
 */
#include "pg/damage_hand.h"

void ps_pg_hand_init(struct ps_pg_hand *h, struct ps_pg_catalog *catalog)
{
    *h = (struct ps_pg_hand){.catalog = catalog};
}

static void drop_toast(struct ps_pg_hand *h)
{
    if (h->toast)
        ps_pg_toast_reader_free(h->toast);
    h->toast = NULL;
}

void ps_pg_hand_deinit(struct ps_pg_hand *h)
{
    ps_pg_walk_free(h->walk);
    drop_toast(h);
}

void ps_pg_hand_drop(struct ps_pg_hand *h)
{
    if (h->walk)
        ps_pg_walk_leave(h->walk);
}

/* The reader remembers where values of the relation lie. */
static ps_err find_toaster(struct ps_pg_hand *h, uint32_t db)
{
    ps_err err;

    if (h->toast && h->toast_db == db)
        return PS_OK;
    drop_toast(h);
    err = ps_pg_toast_reader_new(h->catalog, db, &h->toast);
    if (err)
        return err;
    h->toast_db = db;
    h->toaster = ps_pg_toast_reader_toaster(h->toast);
    return PS_OK;
}

static ps_err enter(struct ps_pg_hand *h, const struct ps_pg_piece *piece)
{
    struct ps_pg_subject subject = piece->subject;
    ps_err err = PS_OK;

    if (!h->walk)
        err = ps_pg_walk_new(ps_pg_catalog_cluster(h->catalog), ps_pg_catalog_xacts(h->catalog),
                             &h->walk);
    if (!err && piece->has_toast)
        err = find_toaster(h, piece->db);
    if (err)
        return err;
    subject.toaster = piece->has_toast ? &h->toaster : NULL;
    return ps_pg_walk_enter(h->walk, &subject, piece->from, piece->to, piece->lore);
}

ps_err ps_pg_hand_begin(struct ps_pg_hand *h, const struct ps_pg_piece *piece,
                        struct ps_pg_out *out, bool *ret_has)
{
    const struct ps_pg_subject *s = &piece->subject;
    ps_err err = enter(h, piece);

    *ret_has = !err;
    if (err && s->links && piece->to < s->pages_end)
        ps_pg_links_walked(s->links, piece->to - piece->from); /* nobody shall wait for it */
    if (err && piece->lore && piece->from == s->first_block)
        ps_pg_lore_tell(piece->lore, NULL); /* nor for that */
    if (!err || ps_pg_walk_ends(err))
        return err;
    ps_pg_damage_unread(out, s);
    return PS_OK;
}

ps_err ps_pg_hand_step(struct ps_pg_hand *h, struct ps_cancel *cancel, struct ps_pg_out *out,
                       bool *ret_has)
{
    bool done = false;
    ps_err err;

    if (h->toast)
        ps_pg_toast_reader_cancel(h->toast, cancel);
    err = ps_pg_walk_step(h->walk, cancel, out->text, out->counts, &done);
    *ret_has = !err && !done;
    if (!*ret_has)
        ps_pg_walk_leave(h->walk);
    return err;
}
