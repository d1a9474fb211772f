/*
 * pglz.c - PostgreSQL's own compression (src/common/pg_lzcompress.c): groups of eight items, a
 * byte of flags before each group. A clear flag is a byte as it is; a set one two or three bytes
 * that name an earlier run.
 */
#include <string.h>

#include "pg/toast.h"

#define RUN_MIN 3u
#define RUN_LONG 18u  /* such a run has a third byte, with what it is longer */
#define GROUP_LEN 25u /* a byte of flags and eight runs of three bytes */
#define GROUP_RAW_MAX (8u * (RUN_LONG + 255u))

struct unfolding {
    const uint8_t *from, *from_end;
    char *start, *to, *to_end;
};

/* dst = the len bytes that begin off bytes before it; what is copied may be what is written. */
static void copy_run(char *to, uint32_t off, uint32_t len)
{
    const char *from = to - off;

    while (off < len) { /* doubles what repeats */
        memcpy(to, from, off);
        to += off;
        len -= off;
        off += off;
    }
    memcpy(to, from, len);
}

static bool unfold_run(struct unfolding *u)
{
    uint32_t len, off, left = (uint32_t)(u->to_end - u->to);

    if (u->from_end - u->from < 2)
        return false;
    len = (u->from[0] & 0x0fu) + RUN_MIN;
    off = (u->from[0] & 0xf0u) << 4 | u->from[1];
    u->from += 2;
    if (len == RUN_LONG) {
        if (u->from == u->from_end)
            return false;
        len += *u->from++;
    }
    if (off == 0 || off > u->to - u->start)
        return false;
    if (len > left)
        len = left;
    copy_run(u->to, off, len);
    u->to += len;
    return true;
}

static bool unfold(struct unfolding *u)
{
    uint32_t flags, i;

    while (u->from < u->from_end && u->to < u->to_end) {
        flags = *u->from++;
        for (i = 0; i < 8 && u->from < u->from_end && u->to < u->to_end; i++, flags >>= 1) {
            if (!(flags & 1))
                *u->to++ = (char)*u->from++;
            else if (!unfold_run(u))
                return false;
        }
    }
    return u->from == u->from_end && u->to == u->to_end;
}

ps_err ps_pglz_decompress(const uint8_t *data, uint32_t len, uint32_t raw_len, struct ps_text *out)
{
    struct unfolding u = {.from = data, .from_end = data + len};

    if (raw_len / GROUP_RAW_MAX > len / GROUP_LEN + 1)
        return ps_fail(PS_ERR_CORRUPT, "pglz: %u bytes cannot unfold to %u", len, raw_len);
    u.start = ps_text_room(out, raw_len);
    if (!u.start)
        return ps_text_err(out);
    u.to = u.start;
    u.to_end = u.start + raw_len;
    if (!unfold(&u))
        return ps_fail(PS_ERR_CORRUPT, "pglz: %u bytes do not unfold to %u", len, raw_len);
    out->len += raw_len;
    return PS_OK;
}
