/* libFuzzer target: a small PostgreSQL cluster (support/pg_small.h) some of whose bytes are
 * changed, and whose checksums are right nevertheless; it is opened, and all that it shows is read.
 * The input:
 *
 *     0-1  what is read, and how: the bits below
 *     2    which relation is read; 0: each
 *     3    pg_version=, from 11; others: not given
 *     4-   changes, of 10 bytes each: what (1), which file (1), page (1), item (1), at (2), value
 * (4)
 *
 * Seeds: fuzz/pg_catalog_seeds.py FOLDER. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/byteorder.h"
#include "must.h"
#include "pg/damage.h"
#include "pg/heap_page.h"
#include "pg/rows.h"
#include "pg_small.h"

enum {
    READ_ROWS = 1 << 0,
    READ_DEAD = 1 << 1,
    READ_UNDECIDED = 1 << 2,
    READ_SCHEMA = 1 << 3,
    READ_TUPLES = 1 << 4,
    READ_DAMAGE = 1 << 5,
    READ_ALL_DAMAGE = 1 << 6,
    READ_ORPHANS = 1 << 7,
    SKIP = 1 << 8,
    SERVE = 1 << 9,
    CHECKSUMS = 3 << 10,
    UNSEALED = 1 << 12,
    FOLLOW_LINKS = 1 << 13,
    BY_ITSELF = 1 << 14, /* the file of a relation, described by the cluster's catalogs */
};
#define CHECKSUMS_SHIFT 10

#define HEADER_LEN 4u
#define CHANGE_LEN 10u
#define CHANGES_MAX 64u
#define VERSION_OFF 11u

/* What one input may cost. A relation of 16 TiB is read as far as that. */
#define STEPS_A_SCAN 40u
#define STEPS_MAX 600u
#define HOLE_PAGES_MAX 100u /* of a file that is read whole by one call */
#define POOL_BYTES (4u << 20)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct run {
    struct ps_pg_catalog *catalog;
    unsigned how;
    unsigned which; /* relation, from 1; 0: each */
    unsigned steps;
    struct ps_text text;
};

static struct pg_small *small;

/* Where no catalog changes, the cluster stays open from input to input, as `live`: its catalogs are
 * read once. NULL: it is not open. */
static struct ps_pg_cluster *kept_cluster;
static struct ps_pg_catalog *kept_catalog;

/* --- changes ------------------------------------------------------------------------------ */

struct change {
    unsigned what, width; /* bytes of value that count: 1, 2, 4 */
    struct pg_small_file *file;
    unsigned page, item, at;
    uint32_t value;
};

static bool has_pages(const struct pg_small_file *f)
{
    return f->kind == PG_SMALL_CATALOG || f->kind == PG_SMALL_TOAST || f->kind == PG_SMALL_RELATION;
}

static unsigned read16(const uint8_t *at)
{
    return (unsigned)at[0] | (unsigned)at[1] << 8;
}

static uint32_t read32(const uint8_t *at)
{
    return read16(at) | (uint32_t)read16(at + 2) << 16;
}

/* Writes the value; the file grows if it ends before. */
static void put(const struct change *c, size_t at)
{
    if (at + c->width > PG_SMALL_LEN_MAX)
        return;
    for (unsigned i = 0; i < c->width; i++)
        c->file->bytes[at + i] = (uint8_t)(c->value >> 8 * i);
    if (c->file->len < at + c->width)
        c->file->len = at + c->width;
    c->file->absent = false;
}

static uint8_t *page_of(const struct change *c)
{
    const size_t pages = c->file->len / PG_SMALL_PAGE;

    return pages ? c->file->bytes + c->page % pages * PG_SMALL_PAGE : NULL;
}

/* The item of the page that is changed; false: there is none. */
static bool item_of(const struct change *c, const uint8_t *page, size_t *ret_at, size_t *ret_len)
{
    const uint32_t slots = page ? ps_pg_slots(page, PG_SMALL_PAGE) : 0;
    struct ps_lp lp;

    if (slots == 0)
        return false;
    lp = ps_pg_lp_of(page, c->item % slots + 1);
    if (!ps_pg_lp_fits(&lp, PG_SMALL_PAGE))
        return false;
    *ret_at = (size_t)(page - c->file->bytes) + lp.off;
    *ret_len = lp.len;
    return true;
}

static void change_item(const struct change *c)
{
    size_t at, len;

    if (item_of(c, page_of(c), &at, &len))
        put(c, at + c->at % (len - (len > c->width ? c->width : 0)));
}

static void change_line_pointer(const struct change *c)
{
    const uint8_t *page = page_of(c);
    const uint32_t slots = page ? ps_pg_slots(page, PG_SMALL_PAGE) : 0;

    if (slots > 0)
        put(c, (size_t)(page - c->file->bytes) + sizeof(struct ps_pg_header) +
                   c->item % slots * sizeof(uint32_t));
}

/* A row stands twice: one line pointer says what another one does. */
static void copy_line_pointer(const struct change *c)
{
    uint8_t *page = page_of(c), *first;
    const uint32_t slots = page ? ps_pg_slots(page, PG_SMALL_PAGE) : 0;

    if (slots == 0)
        return;
    first = page + sizeof(struct ps_pg_header);
    memmove(first + c->at % slots * 4u, first + c->item % slots * 4u, 4);
}

static void change_page(const struct change *c)
{
    const uint8_t *page = page_of(c);

    if (page)
        put(c, (size_t)(page - c->file->bytes) + c->at % PG_SMALL_PAGE);
}

/* Another file's page, which may come behind the last. */
static void copy_page(const struct change *c)
{
    const struct pg_small_file *from = &small->files[c->value % small->count];
    const size_t pages = from->len / PG_SMALL_PAGE;
    const size_t to = c->page % (c->file->len / PG_SMALL_PAGE + 1) * PG_SMALL_PAGE;

    if (pages == 0 || to + PG_SMALL_PAGE > PG_SMALL_LEN_MAX)
        return;
    memmove(c->file->bytes + to, from->bytes + c->at % pages * PG_SMALL_PAGE, PG_SMALL_PAGE);
    if (c->file->len < to + PG_SMALL_PAGE)
        c->file->len = to + PG_SMALL_PAGE;
    c->file->absent = false;
}

/* Zeros behind a file: up to 32 TiB of them, unless one call reads them all. */
static void grow(const struct change *c)
{
    const bool whole = c->file->kind != PG_SMALL_RELATION;
    const uint64_t pages = whole ? c->value % HOLE_PAGES_MAX : c->value;

    c->file->hole = has_pages(c->file) ? pages * PG_SMALL_PAGE + c->at % 3 : c->value;
    c->file->absent = false;
}

static void make_change(const struct change *c)
{
    c->file->changed = true;
    switch (c->what) {
    case 0:
    case 1:
        change_item(c);
        break;
    case 2:
        change_line_pointer(c);
        break;
    case 3:
        copy_line_pointer(c);
        break;
    case 4:
        change_page(c);
        break;
    case 5:
        put(c, c->at);
        break;
    case 6:
        copy_page(c);
        break;
    case 7:
        grow(c);
        break;
    case 8: /* what is behind is zero when it comes back */
        c->file->len = c->value % (c->file->len + 1);
        memset(c->file->bytes + c->file->len, 0, PG_SMALL_LEN_MAX - c->file->len);
        break;
    default:
        c->file->absent = true;
        break;
    }
}

#define WHATS 10u

static void make_changes(const uint8_t *at, size_t len)
{
    for (unsigned i = 0; i < CHANGES_MAX && len >= CHANGE_LEN; i++) {
        struct change c = {
            .what = at[0] % WHATS,
            .width = 4u >> (at[0] / WHATS % 3u),
            .file = &small->files[at[1] % small->count],
            .page = at[2],
            .item = at[3],
            .at = read16(at + 4),
            .value = read32(at + 6),
        };

        make_change(&c);
        at += CHANGE_LEN;
        len -= CHANGE_LEN;
    }
}

/* --- what is shown -------------------------------------------------------------------------- */

static bool may_step(struct run *r, unsigned step)
{
    return step < STEPS_A_SCAN && r->steps++ < STEPS_MAX;
}

static void read_rows(struct run *r, uint32_t db, const struct ps_pg_relation *rel,
                      enum ps_pg_rows what)
{
    const bool skip = r->how & SKIP;
    struct ps_pg_scan *scan;
    bool done = false;
    ps_err err = ps_pg_scan_open(r->catalog, db, rel, what, skip, &scan);

    if (err)
        return;
    for (unsigned i = 0; !err && !done && may_step(r, i); i++) {
        ps_text_clear(&r->text);
        err = ps_pg_scan_step(scan, NULL, &r->text, &done);
        MUST(r->text.len == 0 || r->text.data[r->text.len - 1] == '\n');
    }
    MUST(!skip || !err);
    ps_pg_scan_close(scan);
}

static void read_tuples(struct run *r, const struct ps_pg_relation *rel)
{
    struct ps_table *table;
    uint64_t at = 0;
    bool done = false;
    ps_err err;

    if (ps_table_get(ps_pg_store(ps_pg_catalog_cluster(r->catalog)), rel->files[PS_PG_MAIN],
                     &table))
        return;
    err = PS_OK;
    for (unsigned i = 0; !err && !done && may_step(r, i); i++) {
        ps_text_clear(&r->text);
        err = ps_pg_tuples_step(table, &at, r->how & SKIP, NULL, &r->text, &done);
    }
    ps_table_unref(table);
}

/* Of each line seven fields, the fifth one of two words. */
static void check_damage(const struct ps_text *text)
{
    const char *at = text->data;
    size_t left = text->len;

    while (left > 0) {
        const char *line_end = memchr(at, '\n', left), *field = at;

        MUST(line_end);
        for (unsigned tabs = 0; tabs < 6; tabs++) {
            if (tabs == 4)
                MUST(strncmp(field, "fault\t", 6) == 0 || strncmp(field, "suspect\t", 8) == 0);
            field = memchr(field, '\t', (size_t)(line_end - field));
            MUST(field);
            field++;
        }
        MUST(!memchr(field, '\t', (size_t)(line_end - field)));
        left -= (size_t)(line_end + 1 - at);
        at = line_end + 1;
    }
}

/* Takes the scan. */
static void read_damage(struct run *r, struct ps_pg_damage *damage, unsigned steps_a_scan)
{
    bool done = false;
    ps_err err = PS_OK;

    for (unsigned i = 0; !err && !done && i < steps_a_scan && r->steps++ < STEPS_MAX; i++) {
        ps_text_clear(&r->text);
        err = ps_pg_damage_step(damage, NULL, &r->text, &done);
        check_damage(&r->text);
    }
    MUST(!err);
    ps_pg_damage_close(damage);
}

static void read_leaves(struct run *r, uint32_t db, const struct ps_pg_relation *rel)
{
    const struct ps_pg_relation **leaves = NULL;
    uint32_t count = 0;

    if (!ps_pg_relation_leaves(r->catalog, db, rel, &leaves, &count))
        free(leaves);
}

static void read_relation(struct run *r, uint32_t db, const struct ps_pg_relation *rel)
{
    struct ps_pg_damage *damage;
    const struct ps_pg_desc *desc;

    (void)!ps_pg_relation_desc(r->catalog, db, rel, &desc);
    if (r->how & READ_SCHEMA) {
        ps_text_clear(&r->text);
        (void)!ps_pg_schema_sql(r->catalog, db, rel, &r->text);
    }
    if (r->how & READ_ROWS)
        read_rows(r, db, rel, PS_PG_ROWS);
    if (r->how & READ_DEAD)
        read_rows(r, db, rel, PS_PG_DEAD_ROWS);
    if (r->how & READ_UNDECIDED)
        read_rows(r, db, rel, PS_PG_UNDECIDED_ROWS);
    if (r->how & READ_TUPLES)
        read_tuples(r, rel);
    if (rel->kind == 'p')
        read_leaves(r, db, rel);
    if ((r->how & READ_DAMAGE) && !ps_pg_damage_open(r->catalog, db, rel, &damage))
        read_damage(r, damage, STEPS_A_SCAN);
}

/* Is it a name that a folder can have? */
static void check_dir(const char *dir)
{
    const size_t len = strlen(dir);

    MUST(len > 0 && len <= PS_PG_DIR_MAX && !strchr(dir, '/') && dir[0] != '.');
    for (size_t i = 0; i < len; i++)
        MUST((unsigned char)dir[i] >= 0x20 && dir[i] != 0x7f);
}

static void check_relation(struct run *r, uint32_t db, const struct ps_pg_relation *rel)
{
    enum ps_pg_fork fork;
    char dir[PS_PG_DIR_MAX + 1];

    check_dir(rel->dir);
    MUST(ps_pg_relation_find(r->catalog, db, rel->dir, &fork) == rel && fork == PS_PG_MAIN);
    for (int i = PS_PG_FSM; i < PS_PG_FORKS; i++) {
        if (rel->files[i] == 0)
            continue;
        ps_pg_relation_fork_dir(rel, (enum ps_pg_fork)i, dir);
        MUST(ps_pg_relation_find(r->catalog, db, dir, &fork) == rel && (int)fork == i);
    }
}

static void read_database(struct run *r, uint32_t db)
{
    const uint32_t count = ps_pg_relation_count(r->catalog, db);
    const char *before = "";

    for (uint32_t i = 0; i < count; i++) {
        const struct ps_pg_relation *rel = ps_pg_relation(r->catalog, db, i);

        MUST(strcmp(before, rel->dir) < 0);
        before = rel->dir;
        check_relation(r, db, rel);
        if (r->which == 0 || (r->which - 1u) % count == i)
            read_relation(r, db, rel);
    }
    if (!(r->how & READ_ORPHANS))
        return;
    ps_text_clear(&r->text);
    (void)!ps_pg_orphans(r->catalog, db, &r->text);
}

static void read_catalog(struct ps_pg_catalog *catalog, unsigned how, unsigned which)
{
    struct run r = {.catalog = catalog, .how = how, .which = which};
    struct ps_pg_damage *damage;

    for (uint32_t db = 0; db < ps_pg_database_count(catalog); db++) {
        const char *dir = ps_pg_database(catalog, db)->dir;

        check_dir(dir);
        MUST(ps_pg_database_find(catalog, dir) == db);
        read_database(&r, db);
    }
    if (how & READ_ALL_DAMAGE && !ps_pg_damage_open_all(catalog, 1, &damage))
        read_damage(&r, damage, STEPS_MAX);
    ps_text_deinit(&r.text);
}

/* --- an input ------------------------------------------------------------------------------- */

/* The file of a relation, described by the cluster's catalogs. */
struct by_itself {
    char file[sizeof(small->dir) + 32], toast[sizeof(small->dir) + 32];
};

static void choose_file(struct by_itself *one, unsigned which)
{
    static const char *const names[] = {"16497", "16504", "16511", "16514", "16552", "16620"};

    (void)snprintf(one->file, sizeof(one->file), "%s/base/16384/%s", small->dir,
                   names[which % (sizeof(names) / sizeof(names[0]))]);
    (void)snprintf(one->toast, sizeof(one->toast), "%s/base/16384/16514", small->dir);
}

static struct ps_pg_options options_of(unsigned how, unsigned version, const struct by_itself *one)
{
    struct ps_pg_options opts = {
        .segment = UINT32_MAX,
        .checksums = (enum ps_pg_checks)((how & CHECKSUMS) >> CHECKSUMS_SHIFT),
        .follow_links = how & FOLLOW_LINKS,
    };

    if (opts.checksums > PS_PG_CHECKS_OFF)
        opts.checksums = PS_PG_CHECKS_AUTO;
    if (version > 0 && version <= 18)
        opts.version = VERSION_OFF + version;
    if (how & BY_ITSELF) {
        opts.catalogs = small->dir;
        opts.toast = how & SERVE ? NULL : one->toast;
    }
    return opts;
}

static ps_err open_catalog(const char *source, const struct ps_pg_options *opts, bool serve,
                           struct ps_pg_cluster **ret_cluster, struct ps_pg_catalog **ret)
{
    struct ps_store_options store_opts;
    ps_err err;

    ps_store_options_default(&store_opts);
    store_opts.pool_bytes = POOL_BYTES;
    store_opts.io = "buffered";
    store_opts.no_threads = true;
    store_opts.serve_corrupt = serve;
    err = ps_pg_open(source, opts, &store_opts, ret_cluster);
    if (err)
        return err;
    err = ps_pg_catalog_open(*ret_cluster, ret);
    if (err)
        ps_pg_close(*ret_cluster);
    return err;
}

static void read_fresh(unsigned how, unsigned which, unsigned version)
{
    struct by_itself one;
    struct ps_pg_options opts;
    struct ps_pg_cluster *cluster;
    struct ps_pg_catalog *catalog;

    choose_file(&one, which);
    opts = options_of(how, version, &one);
    if (open_catalog(how & BY_ITSELF ? one.file : small->dir, &opts, how & SERVE, &cluster,
                     &catalog))
        return;
    read_catalog(catalog, how, which);
    ps_pg_catalog_close(catalog);
    ps_pg_close(cluster);
}

/* The cluster as it is before any change. */
static void open_kept(void)
{
    const struct ps_pg_options opts = {.segment = UINT32_MAX, .live = true};

    MUST(open_catalog(small->dir, &opts, false, &kept_cluster, &kept_catalog) == PS_OK);
    for (uint32_t db = 0; db < ps_pg_database_count(kept_catalog); db++)
        (void)ps_pg_relation_count(kept_catalog, db);
}

static bool may_keep(unsigned how, unsigned version)
{
    if (version != 0 || how & (SERVE | CHECKSUMS | FOLLOW_LINKS | BY_ITSELF))
        return false;
    for (size_t i = 0; i < small->count; i++)
        if (small->files[i].changed && small->files[i].kind != PG_SMALL_RELATION &&
            small->files[i].kind != PG_SMALL_TOAST)
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned how;

    if (len < HEADER_LEN)
        return -1;
    how = read16(data);
    make_changes(data + HEADER_LEN, len - HEADER_LEN);
    if (!(how & UNSEALED))
        pg_small_seal(small);
    pg_small_write(small);
    if (may_keep(how, data[3]))
        read_catalog(kept_catalog, how, data[2]);
    else
        read_fresh(how, data[2], data[3]);
    pg_small_restore(small);
    return 0;
}

static void close_small(void)
{
    ps_pg_catalog_close(kept_catalog);
    ps_pg_close(kept_cluster);
    pg_small_close(small);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    if (access("/dev/shm", W_OK) == 0) /* files in memory */
        (void)setenv("TMPDIR", "/dev/shm", 1);
    (void)prctl(PR_SET_THP_DISABLE, 1, 0, 0,
                0); /* each input makes a pool, and uses little of it */
    small = pg_small_open();
    open_kept();
    (void)atexit(close_small);
    return 0;
}
