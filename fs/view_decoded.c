/*
 * view_decoded.c - one page as text.
 */
#include "fs/cluster.h"
#include "fs/pfs.h"
#include "fs/view.h"

#include "pg/page_text.h"

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    const struct pfs_subject *s = &c->subject;

    c->done = true;
    return ps_pg_page_text(s->fs->cluster ? s->fs->cluster->catalog : NULL, s->table, s->page,
                           c->cancel, out);
}

/* As good a guess as any that reads no page. */
static ps_err size(const struct pfs_subject *s, uint64_t *ret)
{
    *ret = ps_store_page_size(s->fs->store);
    return PS_OK;
}

const struct pfs_view pfs_view_decoded = {PFS_SIZE_OPEN, .size = size, .step = step};
