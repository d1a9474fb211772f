#include "fs/gen.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fs/log.h"
#include "fs/pfs.h"

#define STREAM_STEPS 1024u /* most of them are a page each */

/*
 * The text that is there lies in `text`; it begins at byte text_off of the file. A snapshot has
 * all of it. A stream keeps what its last reads made: reading backwards starts it again.
 */
struct pfs_gen {
    const struct pfs_view *view;
    bool is_stream;
    bool told; /* the log says why a step failed; guarded by mtx */
    pthread_mutex_t mtx;
    struct pfs_cursor cursor; /* guarded by mtx */
    struct ps_text text;      /* guarded by mtx */
    uint64_t text_off;        /* guarded by mtx */
};

/* A reader gets EIO, which does not say what is missing in a PostgreSQL source. In a store the pool
 * has already logged which page is damaged. */
static void tell_failure(struct pfs_gen *g, ps_err err)
{
    const struct pfs_subject *s = &g->cursor.subject;
    struct ps_table_info info;
    char why[512];

    if (g->told || err == PS_ERR_INTERRUPTED || !s->fs->cluster || !s->table)
        return;
    g->told = true;
    (void)snprintf(why, sizeof(why), "%s", ps_message());
    if (!ps_table_info(s->table, &info))
        pfs_log(PS_MSG_ERROR, "%s: a view of it ends early: %s", info.name, why);
}

/* One step; a step that fails leaves the text as it was. */
static ps_err advance(struct pfs_gen *g, struct ps_cancel *cancel)
{
    size_t len = g->text.len;
    ps_err err;

    if (ps_cancel_raised(cancel))
        return ps_fail(PS_ERR_INTERRUPTED, "reading a view was interrupted");
    g->cursor.cancel = cancel;
    err = g->view->step(&g->cursor, &g->text);
    g->cursor.cancel = NULL;
    if (!err)
        err = ps_text_err(&g->text);
    if (err) {
        g->text.len = len;
        g->text.failed = false;
        tell_failure(g, err);
    }
    return err;
}

static void end_cursor(struct pfs_gen *g)
{
    if (g->cursor.state)
        g->view->end(&g->cursor);
    g->cursor.state = NULL;
}

static void restart(struct pfs_gen *g)
{
    end_cursor(g);
    g->cursor.at = 0;
    g->cursor.done = false;
    ps_text_clear(&g->text);
    g->text_off = 0;
}

/* Lets go of the text before off, if it is a stream's. */
static void forget_before(struct pfs_gen *g, uint64_t off)
{
    size_t gone = off - g->text_off < g->text.len ? (size_t)(off - g->text_off) : g->text.len;

    if (gone == 0)
        return;
    memmove(g->text.data, g->text.data + gone, g->text.len - gone);
    g->text.len -= gone;
    g->text_off += gone;
}

static bool is_filled(const struct pfs_gen *g, uint64_t end)
{
    return g->cursor.done || g->text_off + g->text.len >= end;
}

/* Where text is sparse, as rows of a relation that is mostly empty, a stream gives what it has. */
static ps_err fill(struct pfs_gen *g, uint64_t off, size_t len, struct ps_cancel *cancel)
{
    ps_err err = PS_OK;

    if (off < g->text_off)
        restart(g);
    for (unsigned steps = 0; !is_filled(g, off + len) && !err; steps++) {
        if (g->is_stream && steps >= STREAM_STEPS && g->text_off + g->text.len > off)
            break;
        if (g->is_stream)
            forget_before(g, off);
        err = advance(g, cancel);
    }
    /* What came before the failure is given first; the next read meets the failure again. */
    return err && g->text_off + g->text.len > off ? PS_OK : err;
}

static ps_err make_snapshot(struct pfs_gen *g, struct ps_cancel *cancel)
{
    ps_err err = PS_OK;

    while (!g->cursor.done && !err)
        err = advance(g, cancel);
    return err;
}

static ps_err decide_stream(const struct pfs_view *view, const struct pfs_subject *subject,
                            bool *ret)
{
    uint64_t size = 0;
    ps_err err = PS_OK;

    if (view->size)
        err = view->size(subject, &size);
    *ret = view->sizing == PFS_SIZE_STREAM || size > PFS_SNAPSHOT_MAX;
    return err;
}

ps_err pfs_gen_open(const struct pfs_view *view, const struct pfs_subject *subject,
                    struct ps_cancel *cancel, struct pfs_gen **ret)
{
    struct pfs_gen *g = calloc(1, sizeof(*g));
    ps_err err;

    if (!g)
        return ps_fail(PS_ERR_NOMEM, "no memory for a view");
    g->view = view;
    g->cursor.subject = *subject;
    pthread_mutex_init(&g->mtx, NULL);
    err = decide_stream(view, subject, &g->is_stream);
    if (!err && !g->is_stream)
        err = make_snapshot(g, cancel);
    if (!g->is_stream)
        end_cursor(g);
    if (err) {
        pfs_gen_close(g);
        return err;
    }
    *ret = g;
    return PS_OK;
}

void pfs_gen_close(struct pfs_gen *g)
{
    if (!g)
        return;
    end_cursor(g);
    ps_text_deinit(&g->text);
    pthread_mutex_destroy(&g->mtx);
    free(g);
}

uint64_t pfs_gen_len(const struct pfs_gen *g)
{
    return g->is_stream ? 0 : g->text.len;
}

bool pfs_gen_is_stream(const struct pfs_gen *g)
{
    return g->is_stream;
}

ps_err pfs_gen_read_begin(struct pfs_gen *g, uint64_t off, size_t len, struct ps_cancel *cancel,
                          const char **ret, size_t *ret_len)
{
    uint64_t end;
    ps_err err;

    pthread_mutex_lock(&g->mtx);
    err = fill(g, off, len, cancel);
    if (err) {
        pthread_mutex_unlock(&g->mtx);
        return err;
    }
    end = g->text_off + g->text.len;
    assert(off >= g->text_off);
    *ret_len = off >= end ? 0 : end - off < len ? (size_t)(end - off) : len;
    *ret = *ret_len > 0 ? g->text.data + (off - g->text_off) : "";
    return PS_OK;
}

void pfs_gen_read_end(struct pfs_gen *g)
{
    pthread_mutex_unlock(&g->mtx);
}

ps_err pfs_view_size(const struct pfs_view *v, const struct pfs_subject *s, uint64_t *ret)
{
    struct pfs_gen *g = NULL;
    ps_err err;

    *ret = 0;
    if (v->size) {
        err = v->size(s, ret);
        if (*ret > PFS_SNAPSHOT_MAX)
            *ret = 0;
        return err;
    }
    if (v->sizing != PFS_SIZE_RENDER)
        return PS_OK;
    err = pfs_gen_open(v, s, NULL, &g);
    if (!err)
        *ret = pfs_gen_len(g);
    pfs_gen_close(g);
    return err;
}
