#include "pg_small.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/byteorder.h"
#include "base/crc32c.h"
#include "format/pg_layout.h"
#include "pagestore/format.h"

#define CONTROL_CRC_AT 288u
#define MAP_CRC_AT 504u

/* Offsets in rows of pg_class and pg_attribute. */
#define CLASS_NODE_AT 88u
#define CLASS_KIND_AT 115u
#define ATTRIBUTE_NUM_AT 78u
#define FIRST_USER_OID 16384u

#define OID_CLASS 1259u
#define OID_ATTRIBUTE 1249u
#define OID_TYPE 1247u

#define BASE "base/16384/"
#define SPACE "pg_tblspc/16619/PG_15_202209061/16384/"
#define CLASS_FILE BASE "16638"
#define ATTRIBUTE_FILE BASE "16644"
#define TYPE_FILE BASE "16649"

/* What there is, in the order of which inputs of fuzz targets speak: only append. */
static const struct {
    enum pg_small_kind kind;
    const char *path;
} spec[] = {
    {PG_SMALL_CONTROL, "global/pg_control"},
    {PG_SMALL_MAP, "global/pg_filenode.map"},
    {PG_SMALL_MAP, BASE "pg_filenode.map"},
    {PG_SMALL_PLAIN, "PG_VERSION"},
    {PG_SMALL_PLAIN, BASE "PG_VERSION"},
    {PG_SMALL_PLAIN, "pg_xact/0000"},
    {PG_SMALL_PLAIN, "pg_multixact/offsets/0000"},
    {PG_SMALL_PLAIN, "pg_multixact/members/0000"},
    {PG_SMALL_CATALOG, CLASS_FILE},
    {PG_SMALL_CATALOG, ATTRIBUTE_FILE},
    {PG_SMALL_CATALOG, TYPE_FILE},
    {PG_SMALL_CATALOG, BASE "2224"}, /* pg_sequence */
    {PG_SMALL_CATALOG, BASE "2601"}, /* pg_am */
    {PG_SMALL_CATALOG, BASE "2604"}, /* pg_attrdef */
    {PG_SMALL_CATALOG, BASE "2606"}, /* pg_constraint */
    {PG_SMALL_CATALOG, BASE "2610"}, /* pg_index */
    {PG_SMALL_CATALOG, BASE "2611"}, /* pg_inherits */
    {PG_SMALL_CATALOG, BASE "2615"}, /* pg_namespace */
    {PG_SMALL_CATALOG, BASE "2616"}, /* pg_opclass */
    {PG_SMALL_CATALOG, BASE "3501"}, /* pg_enum */
    {PG_SMALL_CATALOG, BASE "3541"}, /* pg_range */
    {PG_SMALL_CATALOG, "global/1260"},
    {PG_SMALL_CATALOG, "global/1262"},
    {PG_SMALL_CATALOG, "global/1213"},
    {PG_SMALL_RELATION, BASE "16497"}, /* t_mixed */
    {PG_SMALL_RELATION, BASE "16497_fsm"},
    {PG_SMALL_RELATION, BASE "16502"}, /* its primary key */
    {PG_SMALL_RELATION, BASE "16504"}, /* t_hot */
    {PG_SMALL_RELATION, BASE "16504_fsm"},
    {PG_SMALL_RELATION, BASE "16504_vm"},
    {PG_SMALL_RELATION, BASE "16511"}, /* t_toast */
    {PG_SMALL_TOAST, BASE "16514"},    /* its toast relation */
    {PG_SMALL_TOAST, BASE "16515"},    /* and the index of that */
    {PG_SMALL_RELATION, BASE "16533"}, /* t_unlogged */
    {PG_SMALL_RELATION, BASE "16533_init"},
    {PG_SMALL_RELATION, BASE "16543"}, /* t_nocols */
    {PG_SMALL_RELATION, BASE "16552"}, /* t_alter */
    {PG_SMALL_RELATION, BASE "16560"}, /* "we ird""näme.x" */
    {PG_SMALL_RELATION, BASE "16572"}, /* t_moved */
    {PG_SMALL_RELATION, BASE "16578"}, /* sq */
    {PG_SMALL_RELATION, BASE "16583"}, /* mv */
    {PG_SMALL_RELATION, BASE "16590"}, /* t_part_0 */
    {PG_SMALL_RELATION, BASE "16595"}, /* t_part_1 */
    {PG_SMALL_RELATION, BASE "16616"}, /* t_idx_brin */
    {PG_SMALL_RELATION, BASE "16687"}, /* t_empty */
    {PG_SMALL_RELATION, SPACE "16620"},
    {PG_SMALL_PLAIN, "backup_label"},
    {PG_SMALL_PLAIN, "postmaster.pid"},
    {PG_SMALL_RELATION, BASE "16497.1"},
    {PG_SMALL_RELATION, BASE "16504.1"},
    {PG_SMALL_TOAST, BASE "16514.1"},
    {PG_SMALL_RELATION, BASE "17000"},
    {PG_SMALL_RELATION, BASE "t3_17001"},
    {PG_SMALL_RELATION, BASE "4294967295"},
    {PG_SMALL_RELATION, "base/16385/1259"},
    {PG_SMALL_MAP, "base/16385/pg_filenode.map"},
    {PG_SMALL_PLAIN, "pg_wal/00000001000000000000002B"},
};

static void *must(void *got)
{
    if (!got) {
        perror("pg_small");
        abort();
    }
    return got;
}

/* --- files -------------------------------------------------------------------------------- */

static void path_of(const struct pg_small *s, const struct pg_small_file *f, char buf[600])
{
    (void)snprintf(buf, 600, "%s/%s", s->dir, f->path);
}

static void write_file(const struct pg_small *s, const struct pg_small_file *f)
{
    char path[600];
    int fd;

    path_of(s, f, path);
    if (f->absent) {
        (void)unlink(path);
        return;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, f->bytes, f->len) != (ssize_t)f->len ||
        (f->hole > 0 && ftruncate(fd, (off_t)(f->len + f->hole)) != 0)) {
        perror(path);
        abort();
    }
    close(fd);
}

static void read_file(const struct corpus *c, struct pg_small_file *f)
{
    char name[400], path[600];
    FILE *in;

    f->bytes = must(calloc(1, PG_SMALL_LEN_MAX));
    (void)snprintf(name, sizeof(name), "cluster/%s", f->path);
    in = fopen(corpus_path(c, name, path), "re");
    f->absent = !in;
    if (!in)
        return;
    f->len = fread(f->bytes, 1, PG_SMALL_LEN_MAX, in);
    (void)fclose(in);
}

static void make_parents(char *path, size_t from)
{
    for (char *at = path + from; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700);
        *at = '/';
    }
}

/* --- rows that are kept ------------------------------------------------------------------- */

static uint32_t get32(const uint8_t *at)
{
    ps_le32 v;

    memcpy(v.b, at, sizeof(v));
    return ps_get32(v);
}

/* Is the file here? Of t_idx and some of its indexes the catalogs tell, without their files. */
static bool has_node(uint32_t node)
{
    static const uint32_t without_file[] = {16600, 16605, 16608, 16609};
    const char *name;

    for (size_t i = 0; i < sizeof(without_file) / sizeof(without_file[0]); i++)
        if (node == without_file[i])
            return true;
    for (size_t i = 0; i < sizeof(spec) / sizeof(spec[0]); i++) {
        name = strrchr(spec[i].path, '/');
        if (node != 0 && name && strtoul(name + 1, NULL, 10) == node)
            return true;
    }
    return false;
}

struct kept {
    uint32_t oids[256];
    size_t count;
};

static bool is_kept(const struct kept *k, uint32_t oid)
{
    for (size_t i = 0; i < k->count; i++)
        if (k->oids[i] == oid)
            return true;
    return false;
}

/* Relations whose files are here, and those that have none: partitioned ones, mapped ones. */
static bool keep_class(struct kept *k, const uint8_t *row, size_t len)
{
    const uint32_t oid = get32(row);

    if (len <= CLASS_KIND_AT || k->count == sizeof(k->oids) / sizeof(k->oids[0]))
        return false;
    if (!has_node(get32(row + CLASS_NODE_AT)) && row[CLASS_KIND_AT] != 'p' && !has_node(oid) &&
        oid != OID_CLASS && oid != OID_ATTRIBUTE && oid != OID_TYPE)
        return false;
    k->oids[k->count++] = oid;
    return true;
}

/* Not those of catalogs that are read as they are built in, without them. */
static bool keep_attribute(struct kept *k, const uint8_t *row, size_t len)
{
    static const uint32_t built_in[] = {OID_TYPE, 1260};
    const uint32_t relation = get32(row);

    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++)
        if (relation == built_in[i])
            return false;
    return len > ATTRIBUTE_NUM_AT + 1u && is_kept(k, relation) && row[ATTRIBUTE_NUM_AT + 1u] < 0x80;
}

static bool keep_user(struct kept *k, const uint8_t *row, size_t len)
{
    (void)k;
    return len > 4 && get32(row) >= FIRST_USER_OID;
}

/* --- pages of kept rows ------------------------------------------------------------------- */

typedef bool keep_fn(struct kept *k, const uint8_t *row, size_t len);

static uint16_t field(const uint8_t *page, unsigned at)
{
    return (uint16_t)(page[at] | page[at + 1] << 8);
}

static void set_field(uint8_t *page, unsigned at, unsigned value)
{
    page[at] = (uint8_t)value;
    page[at + 1] = (uint8_t)(value >> 8);
}

#define LOWER_AT 12u
#define UPPER_AT 14u
#define LP_LEN 4u

static bool add_item(uint8_t *page, const uint8_t *item, unsigned len)
{
    const unsigned lower = field(page, LOWER_AT);
    const unsigned upper = field(page, UPPER_AT) - (len + 7u) / 8u * 8u;
    const uint32_t lp = upper | 1u << 15 | len << 17;

    if (upper < lower + LP_LEN || upper > PG_SMALL_PAGE)
        return false;
    memcpy(page + upper, item, len);
    memcpy(page + lower, &lp, LP_LEN);
    set_field(page, LOWER_AT, lower + LP_LEN);
    set_field(page, UPPER_AT, upper);
    return true;
}

/* Makes the file one of only those rows. */
static void keep_rows(struct pg_small_file *f, const uint8_t *all, size_t all_len, struct kept *k,
                      keep_fn *keep)
{
    struct ps_page_ident who = {.page_size = PG_SMALL_PAGE};
    uint8_t *to = f->bytes;

    memset(f->bytes, 0, PG_SMALL_LEN_MAX);
    ps_format_postgres.init(to, &who, PS_PAGE_SLOTTED);
    for (const uint8_t *page = all; page < all + all_len; page += PG_SMALL_PAGE)
        for (unsigned at = 24; at + LP_LEN <= field(page, LOWER_AT); at += LP_LEN) {
            const uint32_t lp = get32(page + at);
            const uint8_t *item = page + (lp & 0x7fff);
            const unsigned len = lp >> 17;

            if ((lp >> 15 & 3) != 1 || !keep(k, item + item[22], len - item[22]))
                continue;
            if (add_item(to, item, len))
                continue;
            to += PG_SMALL_PAGE;
            if (to == f->bytes + PG_SMALL_LEN_MAX)
                abort();
            ps_format_postgres.init(to, &who, PS_PAGE_SLOTTED);
            (void)add_item(to, item, len);
        }
    f->len = (size_t)(to - f->bytes) + PG_SMALL_PAGE;
    f->changed = true;
}

/* A file of the corpus, of any length. */
static uint8_t *read_all(const struct corpus *c, const char *name, size_t *ret_len)
{
    const size_t max = 1u << 20;
    uint8_t *bytes = must(malloc(max));
    char of[400], path[600];
    FILE *in;

    (void)snprintf(of, sizeof(of), "cluster/%s", name);
    in = must(fopen(corpus_path(c, of, path), "re"));
    *ret_len = fread(bytes, 1, max, in);
    (void)fclose(in);
    return bytes;
}

static struct pg_small_file *file_at(struct pg_small *s, const char *path)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->files[i].path, path) == 0)
            return &s->files[i];
    abort();
}

static void make_small(struct pg_small *s)
{
    static const struct {
        const char *path;
        keep_fn *keep;
    } ways[] = {
        {CLASS_FILE, keep_class}, {ATTRIBUTE_FILE, keep_attribute}, {TYPE_FILE, keep_user},
        {BASE "2606", keep_user}, {BASE "2610", keep_user},
    };
    struct kept kept = {.count = 0};
    size_t len;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        uint8_t *all = read_all(s->corpus, ways[i].path, &len);

        keep_rows(file_at(s, ways[i].path), all, len, &kept, ways[i].keep);
        free(all);
    }
}

/* --- opening ------------------------------------------------------------------------------ */

struct pg_small *pg_small_open(void)
{
    struct pg_small *s = must(calloc(1, sizeof(*s)));
    char path[600];
    void *corpus = NULL;

    if (corpus_setup(&corpus) != 0)
        abort();
    s->corpus = corpus;
    s->count = sizeof(spec) / sizeof(spec[0]);
    s->files = must(calloc(s->count, sizeof(*s->files)));
    (void)snprintf(s->dir, sizeof(s->dir), "%s/small", s->corpus->tmp);
    for (size_t i = 0; i < s->count; i++) {
        s->files[i].path = spec[i].path;
        s->files[i].kind = spec[i].kind;
        read_file(s->corpus, &s->files[i]);
    }
    make_small(s);
    pg_small_seal(s);
    for (size_t i = 0; i < s->count; i++) {
        struct pg_small_file *f = &s->files[i];

        path_of(s, f, path);
        make_parents(path, strlen(s->corpus->tmp) + 1);
        f->first_bytes = must(malloc(f->len + 1));
        memcpy(f->first_bytes, f->bytes, f->len);
        f->first_len = f->len;
        f->first_absent = f->absent;
        f->changed = false;
        write_file(s, f);
    }
    return s;
}

void pg_small_close(struct pg_small *s)
{
    void *corpus = s->corpus;

    for (size_t i = 0; i < s->count; i++) {
        free(s->files[i].bytes);
        free(s->files[i].first_bytes);
    }
    free(s->files);
    free(s);
    (void)corpus_teardown(&corpus);
}

/* --- changes ------------------------------------------------------------------------------ */

static void seal_pages(struct pg_small_file *f)
{
    struct ps_page_ident who = {.page_size = PG_SMALL_PAGE};

    for (; (who.page_no + 1u) * PG_SMALL_PAGE <= f->len; who.page_no++)
        ps_format_postgres.seal(f->bytes + (size_t)who.page_no * PG_SMALL_PAGE, &who);
}

static void seal_bytes(struct pg_small_file *f, size_t crc_at)
{
    const ps_le32 crc = ps_put32(ps_crc32c(f->bytes, crc_at));

    if (f->len >= crc_at + sizeof(crc))
        memcpy(f->bytes + crc_at, crc.b, sizeof(crc));
}

void pg_small_seal(struct pg_small *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!s->files[i].changed)
            continue;
        switch (s->files[i].kind) {
        case PG_SMALL_CATALOG:
        case PG_SMALL_TOAST:
        case PG_SMALL_RELATION:
            seal_pages(&s->files[i]);
            break;
        case PG_SMALL_CONTROL:
            seal_bytes(&s->files[i], CONTROL_CRC_AT);
            break;
        case PG_SMALL_MAP:
            seal_bytes(&s->files[i], MAP_CRC_AT);
            break;
        case PG_SMALL_PLAIN:
            break;
        }
    }
}

void pg_small_write(const struct pg_small *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->files[i].changed)
            write_file(s, &s->files[i]);
}

void pg_small_restore(struct pg_small *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct pg_small_file *f = &s->files[i];

        if (!f->changed)
            continue;
        memcpy(f->bytes, f->first_bytes, f->first_len);
        if (f->len > f->first_len)
            memset(f->bytes + f->first_len, 0, f->len - f->first_len);
        f->len = f->first_len;
        f->absent = f->first_absent;
        f->hole = 0;
        f->changed = false;
        write_file(s, f);
    }
}
