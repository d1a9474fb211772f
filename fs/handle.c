#include "fs/handle.h"

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
    h->object = *o;
    h->table = table;
    pthread_mutex_init(&h->pending_mtx, NULL);
    *ret = h;
    return PS_OK;
}

void pfs_handle_destroy(struct pfs_handle *h)
{
    if (!h)
        return;
    pfs_gen_close(h->gen);
    pfs_text_deinit(&h->pending);
    pthread_mutex_destroy(&h->pending_mtx);
    if (h->table)
        ps_table_unref(h->table);
    free(h);
}
