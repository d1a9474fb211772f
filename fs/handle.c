#include "fs/handle.h"

#include <assert.h>
#include <stdlib.h>

ps_err pfs_handle_create(const struct pfs_object *o, struct ps_table *table,
                         struct pfs_handle **ret)
{
    struct pfs_handle *h = calloc(1, sizeof(*h));

    if (!h) {
        if (table)
            ps_table_unref(table);
        return ps_fail(PS_ERR_NOMEM, "no memory for an open file");
    }
    h->refs = 1;
    h->object = *o;
    h->table = table;
    pthread_mutex_init(&h->pending_mtx, NULL);
    *ret = h;
    return PS_OK;
}

void pfs_handle_ref(struct pfs_handle *h)
{
    h->refs++;
}

static void handle_destroy(struct pfs_handle *h)
{
    pfs_gen_close(h->gen);
    ps_text_deinit(&h->pending);
    pthread_mutex_destroy(&h->pending_mtx);
    if (h->table)
        ps_table_unref(h->table);
    free(h);
}

void pfs_handle_unref(struct pfs_handle *h)
{
    assert(h->refs > 0);
    if (--h->refs == 0)
        handle_destroy(h);
}
