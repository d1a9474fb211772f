/*
 * view_decoded.c - one page as text.
 */
#include "fs/cluster.h"
#include "fs/pfs.h"
#include "fs/view.h"

#include <stdio.h>
#include <stdlib.h>

#include "pg/page_text.h"

static ps_err add_page(const struct pfs_subject *s, struct ps_cancel *cancel, struct ps_text *out)
{
    char *data = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&data, &len);
    ps_err err;

    if (!f)
        return ps_fail(PS_ERR_NOMEM, "no memory for a page as text");
    err = ps_page_text(s->table, s->page, cancel, f);
    if (fclose(f) != 0 && !err)
        err = ps_fail(PS_ERR_NOMEM, "no memory for a page as text");
    if (!err)
        ps_text_add(out, data, len);
    free(data);
    return err;
}

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    const struct pfs_subject *s = &c->subject;

    c->done = true;
    if (s->fs->cluster)
        return ps_pg_page_text(s->fs->cluster->catalog, s->table, s->page, c->cancel, out);
    return add_page(s, c->cancel, out);
}

/* As good a guess as any that reads no page. */
static ps_err size(const struct pfs_subject *s, uint64_t *ret)
{
    *ret = ps_store_page_size(s->fs->store);
    return PS_OK;
}

const struct pfs_view pfs_view_decoded = {PFS_SIZE_OPEN, .size = size, .step = step};
