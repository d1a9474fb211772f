/*
 * view_frames.c - the buffer pool, a line a frame.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include "pool/pool.h"

#define TITLES "frame table page page_id pin dirty usage lsn fork"
#define LINE_LEN 103u
#define FRAMES_A_STEP 256u

static void add_frame(uint32_t frame, const struct ps_frame_info *i, struct ps_text *out)
{
    if (!i->valid) {
        ps_text_printf(out, "%10u %10s %10s %20s %10s %5s %5s %20s %4s\n", frame, "-", "-", "-",
                       "-", "-", "-", "-", "-");
        return;
    }
    ps_text_printf(out, "%10u %10u %10u %20llu %10u %5u %5u %20llu %4s\n", frame, i->tag.table,
                   i->tag.page, (unsigned long long)i->tag.table << 32 | i->tag.page, i->pins,
                   i->dirty ? 1u : 0u, i->usage, (unsigned long long)i->lsn,
                   i->tag.fork == PS_FORK_MAP ? "map" : "data");
}

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    struct ps_pool *pool = ps_store_pool(c->subject.fs->store);
    uint32_t end = ps_pool_frames(pool);
    struct ps_frame_info info;

    if (c->at == 0)
        ps_text_printf(out, TITLES "\n");
    for (uint32_t i = 0; i < FRAMES_A_STEP && c->at < end; i++, c->at++) {
        ps_pool_frame_info(pool, (uint32_t)c->at, &info);
        add_frame((uint32_t)c->at, &info, out);
    }
    c->done = c->at >= end;
    return PS_OK;
}

static ps_err size(const struct pfs_subject *s, uint64_t *ret)
{
    *ret = sizeof(TITLES) + (uint64_t)ps_pool_frames(ps_store_pool(s->fs->store)) * LINE_LEN;
    return PS_OK;
}

const struct pfs_view pfs_view_frames = {PFS_SIZE_SHAPE, .size = size, .step = step};
