/*
 * cluster_guess.c - what nobody tells is judged from the pages themselves: their size, whether they
 * carry checksums, and of a single file whose format they are of.
 */
#include <stdlib.h>

#include "format/native_layout.h"
#include "format/pg_checksum.h"
#include "format/pg_layout.h"
#include "pg/cluster_internal.h"

#define SAMPLE_BYTES (1u << 20) /* of a file, from its beginning */
#define SAMPLE_FILES 32u        /* with something in them */
#define SAMPLE_TRIES 1024u

/* The beginnings of some files. */
struct sample {
    uint8_t *bytes;
    size_t len;
    uint32_t first_page; /* number of the page that it begins with */
};

/* --- a beginning -------------------------------------------------------------------------- */

/* Nothing of a file that cannot be read. */
static void take_sample(struct ps_pg_cluster *c, unsigned root, const char *path,
                        struct sample *ret)
{
    struct ps_io *io = c->roots[root].io;
    struct ps_io_file *file = NULL;

    ret->len = 0;
    if (io->ops->open(io, path, PS_IO_RDONLY | PS_IO_BUFFERED, &file))
        return;
    if (ps_io_read(file, ret->bytes, SAMPLE_BYTES, 0, &ret->len))
        ret->len = 0;
    ps_io_close(file);
}

/* Pages of that size that say that they have it. */
static uint32_t count_size(const struct sample *s, uint32_t size)
{
    uint32_t count = 0;

    for (size_t at = 0; at + size <= s->len; at += size) {
        const struct ps_pg_header *hdr = (const struct ps_pg_header *)(s->bytes + at);
        const uint32_t field = ps_get16(hdr->pd_pagesize_version);

        count += (field & 0xff00) == size && (field & 0xff) <= PS_PG_LAYOUT_VERSION &&
                 (field & 0xff) > 0;
    }
    return count;
}

/* What the checksum fields of pages that are not zero say. */
struct checks {
    uint64_t right, none, wrong;
};

static void add_checks(const struct sample *s, uint32_t size, struct checks *ret)
{
    for (size_t at = 0; at + size <= s->len; at += size) {
        const uint8_t *page = s->bytes + at;
        const uint32_t stored = ps_get16(((const struct ps_pg_header *)page)->pd_checksum);

        if (ps_page_is_zero(page, size))
            continue;
        if (stored == ps_pg_checksum(page, size, s->first_page + (uint32_t)(at / size)))
            ret->right++;
        else if (stored == 0)
            ret->none++;
        else
            ret->wrong++;
    }
}

/* A cluster that had checksums and has none any more keeps the old ones on pages that have not
 * changed; one whose pages are damaged has them right on the others. */
static bool has_checksums(const struct checks *checks)
{
    if (checks->right + checks->wrong <= checks->none)
        return false;
    return checks->right >= checks->wrong || checks->right + checks->none == 0;
}

/* --- many files --------------------------------------------------------------------------- */

/* Calls each for samples of files from all over the cluster. */
static ps_err for_samples(struct ps_pg_cluster *c,
                          void (*each)(struct ps_pg_cluster *c, const struct sample *s, void *ctx),
                          void *ctx)
{
    struct sample s = {.bytes = malloc(SAMPLE_BYTES)};
    const uint32_t step = c->file_count / SAMPLE_TRIES + 1;
    uint32_t seen = 0;

    if (!s.bytes)
        return ps_fail(PS_ERR_NOMEM, "no memory for the beginnings of files");
    for (uint32_t i = 0; i < c->file_count && seen < SAMPLE_FILES; i += step) {
        const struct ps_pg_file *file = &c->files[i];

        if (file->fork != PS_PG_MAIN)
            continue;
        take_sample(c, file->root, file->path, &s);
        if (s.len == 0)
            continue;
        seen++;
        each(c, &s, ctx);
    }
    free(s.bytes);
    return PS_OK;
}

#define SIZES 4u /* 4, 8, 16 and 32 KiB */

static void each_for_size(struct ps_pg_cluster *c, const struct sample *s, void *ctx)
{
    uint32_t *counts = ctx;

    (void)c;
    for (uint32_t i = 0; i < SIZES; i++)
        counts[i] += count_size(s, PS_PAGE_SIZE_MIN << i);
}

/* The size that most pages say they have; 0: none says any. */
static uint32_t best_size(const uint32_t counts[SIZES])
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < SIZES; i++)
        if (counts[i] > counts[best])
            best = i;
    return counts[best] ? PS_PAGE_SIZE_MIN << best : 0;
}

static void each_for_checksums(struct ps_pg_cluster *c, const struct sample *s, void *ctx)
{
    add_checks(s, c->page_size, ctx);
}

/* --- what is taken ------------------------------------------------------------------------ */

static ps_err settle_page_size(struct ps_pg_cluster *c)
{
    uint32_t counts[SIZES] = {0};
    ps_err err;

    c->page_size = c->opts.page_size ? c->opts.page_size : c->control.block_size;
    if (c->page_size)
        return PS_OK;
    err = for_samples(c, each_for_size, counts);
    if (err)
        return err;
    c->page_size = best_size(counts);
    if (c->page_size) {
        ps_pg_note(c, "page size: %u, as the pages say", c->page_size);
        return PS_OK;
    }
    c->page_size = PS_PAGE_SIZE_DEFAULT;
    ps_pg_note(c, "page size: taken as %u, no page says it; page_size= sets it", c->page_size);
    return PS_OK;
}

static void take_checks(struct ps_pg_cluster *c, const struct checks *checks)
{
    c->checksums = has_checksums(checks);
    ps_pg_note(c,
               "checksums: taken as %s; of the pages looked at %llu have a right one, %llu a "
               "wrong one, %llu none",
               c->checksums ? "on" : "off", (unsigned long long)checks->right,
               (unsigned long long)checks->wrong, (unsigned long long)checks->none);
}

/* True where options or pg_control say it. */
static bool know_checksums(struct ps_pg_cluster *c)
{
    if (c->opts.checksums != PS_PG_CHECKS_AUTO)
        c->checksums = c->opts.checksums == PS_PG_CHECKS_ON;
    else if (c->control.known)
        c->checksums = c->control.checksum_version != 0;
    else
        return false;
    return true;
}

/* Those who ask pg_control for sizes shall not find none. */
static void fill_control(struct ps_pg_cluster *c)
{
    c->control.block_size = c->page_size;
    c->control.segment_blocks = c->place.segment_pages;
    if (!c->control.known)
        c->control.checksum_version = c->checksums;
}

static void settle_segment(struct ps_pg_cluster *c)
{
    c->place.segment_pages = c->opts.segment_blocks      ? c->opts.segment_blocks
                             : c->control.segment_blocks ? c->control.segment_blocks
                                                         : PS_PG_SEGMENT_BLOCKS_DEFAULT;
}

ps_err ps_cluster_settle_sizes(struct ps_pg_cluster *c)
{
    struct checks checks = {0};
    ps_err err = settle_page_size(c);

    if (err)
        return err;
    settle_segment(c);
    if (!know_checksums(c)) {
        err = for_samples(c, each_for_checksums, &checks);
        if (err)
            return err;
        take_checks(c, &checks);
    }
    fill_control(c);
    return PS_OK;
}

/* --- a single file ------------------------------------------------------------------------ */

/* How much speaks for pages of page-db, of that size. *ret_table: whose the first sound one is. */
static uint32_t count_native(const struct sample *s, uint32_t size, uint32_t *ret_table)
{
    uint32_t count = 0, sound = 0;

    *ret_table = 0;
    for (size_t at = 0; at + size <= s->len; at += size) {
        const struct ps_native_hdr *hdr = (const struct ps_native_hdr *)(s->bytes + at);
        const struct ps_page_ident who = {.page_size = size,
                                          .page_no = (uint32_t)(at / size),
                                          .table_id = ps_get32(hdr->table_id)};

        if (ps_get32(hdr->magic) != PS_NATIVE_MAGIC || ps_get64(hdr->page_no) != who.page_no)
            continue;
        count++;
        if (ps_format_native.verify(s->bytes + at, &who))
            continue;
        if (sound++ == 0)
            *ret_table = who.table_id;
    }
    return count + sound;
}

/* False: this is no file of page-db. */
static bool settle_native(struct ps_pg_cluster *c, const struct sample *s)
{
    uint32_t size, count, table, most = 0, best = 0;

    for (size = PS_PAGE_SIZE_MIN; size <= PS_PAGE_SIZE_MAX; size *= 2) {
        count = count_native(s, size, &table);
        if (count > most) {
            most = count;
            best = size;
            c->page_table_id = table;
        }
    }
    if (most == 0)
        return false;
    c->format = PS_FORMAT_NATIVE;
    c->page_size = c->opts.page_size ? c->opts.page_size : best;
    c->place.segment_pages = 0;
    c->place.first_page = 0;
    c->checksums = c->opts.checksums != PS_PG_CHECKS_OFF;
    return true;
}

/* Which pages a file has, if a segment has `blocks` of them. One that is longer is no segment. */
static ps_err settle_place(struct ps_pg_cluster *c, const struct ps_pg_file *file, uint32_t blocks,
                           uint32_t segment, struct ps_cluster_place *ret)
{
    const bool by_name = segment == UINT32_MAX;
    uint64_t len = 0;
    size_t stem;
    ps_err err = ps_cluster_file_len(c, file->root, file->path, &len);

    if (err)
        return err;
    if (by_name && ps_cluster_parse_segment(file->path, &stem, &segment))
        ps_pg_note(c, "%s: taken as segment %u; segment= sets it", file->path, segment);
    else if (by_name)
        segment = 0;
    if ((uint64_t)segment * blocks >= UINT32_MAX)
        return ps_fail(PS_ERR_INVAL, "segment=%u: no relation has so many pages", segment);
    ret->first_page = segment * blocks;
    ret->segment_pages = segment > 0 || len > (uint64_t)blocks * c->page_size ? 0 : blocks;
    return PS_OK;
}

/* As the pages say, or else the cluster of catalogs=. */
static ps_err settle_file_page_size(struct ps_pg_cluster *c, const struct sample *s)
{
    const char *name = c->files[0].path;
    uint32_t counts[SIZES] = {0};

    each_for_size(c, s, counts);
    c->page_size = c->opts.page_size ? c->opts.page_size : best_size(counts);
    if (c->page_size)
        return PS_OK;
    if (!ps_page_is_zero(s->bytes, s->len))
        return ps_fail(PS_ERR_UNSUPPORTED,
                       "%s: no page of it is PostgreSQL's or page-db's; page_size= says that they "
                       "are, and how long",
                       name);
    c->page_size = c->control.block_size;
    if (c->page_size)
        return PS_OK;
    c->page_size = PS_PAGE_SIZE_DEFAULT;
    ps_pg_note(c, "%s: page size taken as %u, no page says it; page_size= sets it", name,
               c->page_size);
    return PS_OK;
}

/* A table and its toast relation are of one cluster. */
static ps_err check_toast(struct ps_pg_cluster *c, struct sample *s)
{
    const struct ps_pg_file *toast = &c->files[PS_CLUSTER_TOAST];
    uint32_t counts[SIZES] = {0}, size;

    take_sample(c, toast->root, toast->path, s);
    each_for_size(c, s, counts);
    size = best_size(counts);
    if (size == 0 || size == c->page_size)
        return PS_OK;
    return ps_fail(PS_ERR_INVAL, "toast=%s: has pages of %u bytes, %s of %u", c->opts.toast, size,
                   c->files[0].path, c->page_size);
}

static ps_err settle_postgres(struct ps_pg_cluster *c, struct sample *s)
{
    struct checks checks = {0};
    uint32_t blocks;
    ps_err err;

    c->format = PS_FORMAT_POSTGRES;
    err = settle_file_page_size(c, s);
    if (err)
        return err;
    settle_segment(c);
    blocks = c->place.segment_pages;
    err = settle_place(c, &c->files[0], blocks, c->opts.segment, &c->place);
    if (!err && c->file_count > PS_CLUSTER_TOAST)
        err = settle_place(c, &c->files[PS_CLUSTER_TOAST], blocks, UINT32_MAX, &c->toast_place);
    if (!err && !know_checksums(c)) {
        s->first_page = c->place.first_page;
        add_checks(s, c->page_size, &checks);
        take_checks(c, &checks);
    }
    if (!err && c->file_count > PS_CLUSTER_TOAST)
        err = check_toast(c, s);
    return err;
}

/* What describes a relation of PostgreSQL's has no meaning for page-db's. */
static ps_err check_format(const struct ps_pg_cluster *c)
{
    const struct ps_format *fmt = ps_format_by_id(c->format);
    const char *name = c->files[0].path;

    if (c->page_size > fmt->page_size_max)
        return ps_fail(PS_ERR_INVAL,
                       "page_size=%u: %s has pages of PostgreSQL's, of %u bytes at most",
                       c->page_size, name, fmt->page_size_max);
    if (c->format == PS_FORMAT_NATIVE && (c->opts.catalogs || c->opts.schema || c->opts.toast))
        return ps_fail(PS_ERR_INVAL, "%s: is for a relation of PostgreSQL's, %s is page-db's",
                       c->opts.catalogs ? "catalogs="
                       : c->opts.schema ? "schema="
                                        : "toast=",
                       name);
    return PS_OK;
}

ps_err ps_cluster_settle_file(struct ps_pg_cluster *c)
{
    struct sample s = {.bytes = malloc(SAMPLE_BYTES)};
    ps_err err = PS_OK;

    if (!s.bytes)
        return ps_fail(PS_ERR_NOMEM, "no memory for the beginning of %s", c->files[0].path);
    take_sample(c, 0, c->files[0].path, &s);
    if (!settle_native(c, &s))
        err = settle_postgres(c, &s);
    if (!err)
        err = check_format(c);
    if (!err)
        fill_control(c);
    free(s.bytes);
    return err;
}
