/*
 * view_checksums.c - one XXH128 a page, as `xxhsum -H2` prints and `xxhsum -c` reads it.
 */
#include "fs/pfs.h"
#include "fs/view.h"

#include <xxhash.h>

#include "base/mem.h"

#define LINE_LEN (sizeof(XXH128_hash_t) * 2 + 2 + PFS_PAGE_NAME_LEN + 1)
#define PAGES_A_STEP 64u

static void add_hash(uint32_t page_no, const void *bytes, size_t len, struct ps_text *out)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, len);

    ps_text_printf(out, "%016llx%016llx  %0*u\n", (unsigned long long)hash.high64,
                   (unsigned long long)hash.low64, (int)PFS_PAGE_NAME_LEN, page_no);
}

/* A damaged page has the hash of the bytes on disk: xxhsum will fail to read it and say so. */
static ps_err add_page(struct pfs_cursor *c, uint32_t page_no, void *buf, struct ps_text *out)
{
    ps_err err = ps_page_copy(c->subject.table, page_no, c->cancel, buf);

    if (err == PS_ERR_NOENT) /* freed since it was listed */
        return PS_OK;
    if (err && err != PS_ERR_CORRUPT)
        return err;
    add_hash(page_no, buf, ps_store_page_size(c->subject.fs->store), out);
    return PS_OK;
}

static ps_err step(struct pfs_cursor *c, struct ps_text *out)
{
    struct ps_page_info pages[PAGES_A_STEP];
    uint32_t count = 0;
    void *buf;
    ps_err err = ps_page_list(c->subject.table, c->at, pages, PAGES_A_STEP, &count);

    if (err)
        return err;
    buf = ps_buf_alloc(ps_store_page_size(c->subject.fs->store));
    if (!buf)
        return ps_fail(PS_ERR_NOMEM, "no memory for a copy of a page");
    for (uint32_t i = 0; i < count && !err; i++) {
        err = add_page(c, pages[i].page_no, buf, out);
        if (!err)
            c->at = (uint64_t)pages[i].page_no + 1;
    }
    c->done = count == 0;
    ps_buf_free(buf);
    return err;
}

static ps_err size(const struct pfs_subject *s, uint64_t *ret)
{
    struct ps_table_info info;
    ps_err err = ps_table_info(s->table, &info);

    *ret = err ? 0 : info.pages_allocated * LINE_LEN;
    return err;
}

const struct pfs_view pfs_view_checksums = {PFS_SIZE_SHAPE, .size = size, .step = step};
