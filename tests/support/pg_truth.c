#include "pg_truth.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "format_test.h"

#define PAGE 8192u
#define RELATIONS_MAX 128u
#define TYPES_MAX 800u
#define ENUMS_MAX 16u
#define PAIR 16494u

struct relation {
    ps_oid oid;
    char name[64];
    struct ps_pg_desc desc;
};

struct pages {
    char name[128];
    unsigned char *bytes;
    size_t len;
};

struct enum_label {
    ps_oid oid;
    char label[64];
};

struct pg_truth {
    const struct corpus *corpus;
    struct relation relations[RELATIONS_MAX];
    uint32_t relation_count;
    struct ps_pg_type types[TYPES_MAX];
    uint32_t type_count;
    struct enum_label enums[ENUMS_MAX];
    uint32_t enum_count;
    struct pages pages; /* of the last file that was asked for */
    struct pages toast; /* of the last toast relation */
};

static struct csv *open_csv(const struct pg_truth *truth, const char *name)
{
    char path[600];
    struct csv *csv = csv_open(corpus_path(truth->corpus, name, path));

    assert(csv);
    return csv;
}

static bool is_true(const struct csv *csv, const char *column)
{
    return csv_field(csv, column)[0] == 't';
}

static void add_attribute(struct relation *r, const struct csv *csv)
{
    struct ps_pg_attr *a;

    r->desc.attrs = realloc(r->desc.attrs, (r->desc.count + 1) * sizeof(*a));
    assert(r->desc.attrs);
    a = &r->desc.attrs[r->desc.count++];
    *a = (struct ps_pg_attr){
        .name = strdup(csv_field(csv, "attname")),
        .type = (ps_oid)csv_number(csv, "atttypid"),
        .typmod = (int32_t)csv_number(csv, "atttypmod"),
        .num = (int16_t)csv_number(csv, "attnum"),
        .len = (int16_t)csv_number(csv, "attlen"),
        .align = csv_field(csv, "attalign")[0],
        .dropped = is_true(csv, "attisdropped"),
    };
    assert(a->num == (int16_t)r->desc.count);
}

static void read_attributes(struct pg_truth *truth)
{
    struct csv *csv = open_csv(truth, "truth/pg_attribute.csv");
    struct relation *r = NULL;
    ps_oid oid;

    while (csv_next(csv)) {
        oid = (ps_oid)csv_number(csv, "attrelid");
        if (!r || r->oid != oid) {
            assert(truth->relation_count < RELATIONS_MAX);
            r = &truth->relations[truth->relation_count++];
            r->oid = oid;
            snprintf(r->name, sizeof(r->name), "%s", csv_field(csv, "relname"));
        }
        add_attribute(r, csv);
    }
    csv_close(csv);
}

static void read_types(struct pg_truth *truth)
{
    struct csv *csv = open_csv(truth, "truth/pg_type.csv");
    struct ps_pg_type *t;

    while (csv_next(csv)) {
        assert(truth->type_count < TYPES_MAX);
        t = &truth->types[truth->type_count++];
        *t = (struct ps_pg_type){
            .oid = (ps_oid)csv_number(csv, "oid"),
            .schema = (ps_oid)csv_number(csv, "typnamespace"),
            .len = (int16_t)csv_number(csv, "typlen"),
            .align = csv_field(csv, "typalign")[0],
            .kind = csv_field(csv, "typtype")[0],
            .delim = ',',
            .row = (ps_oid)csv_number(csv, "typrelid"),
            .elem = (ps_oid)csv_number(csv, "typelem"),
            .array = (ps_oid)csv_number(csv, "typarray"),
            .base = (ps_oid)csv_number(csv, "typbasetype"),
            .typmod = -1,
        };
        snprintf(t->name, sizeof(t->name), "%s", csv_field(csv, "typname"));
    }
    csv_close(csv);
}

static void read_enums(struct pg_truth *truth)
{
    struct csv *csv = open_csv(truth, "truth/pg_enum.csv");
    struct enum_label *e;

    while (csv_next(csv)) {
        assert(truth->enum_count < ENUMS_MAX);
        e = &truth->enums[truth->enum_count++];
        e->oid = (ps_oid)csv_number(csv, "oid");
        snprintf(e->label, sizeof(e->label), "%s", csv_field(csv, "enumlabel"));
    }
    csv_close(csv);
}

struct pg_truth *pg_truth_open(const struct corpus *corpus)
{
    struct pg_truth *truth = calloc(1, sizeof(*truth));

    assert(truth);
    truth->corpus = corpus;
    read_attributes(truth);
    read_types(truth);
    read_enums(truth);
    return truth;
}

void pg_truth_close(struct pg_truth *truth)
{
    for (uint32_t i = 0; i < truth->relation_count; i++)
        ps_pg_desc_deinit(&truth->relations[i].desc);
    free(truth->pages.bytes);
    free(truth->toast.bytes);
    free(truth);
}

const struct ps_pg_desc *pg_truth_desc(struct pg_truth *truth, const char *relation)
{
    for (uint32_t i = 0; i < truth->relation_count; i++)
        if (!strcmp(truth->relations[i].name, relation))
            return &truth->relations[i].desc;
    return NULL;
}

static const struct ps_pg_desc *desc_of(const struct pg_truth *truth, ps_oid relation)
{
    for (uint32_t i = 0; i < truth->relation_count; i++)
        if (truth->relations[i].oid == relation)
            return &truth->relations[i].desc;
    return NULL;
}

/* ---- pages ---- */

static void open_pages(const struct pg_truth *truth, struct pages *p, const char *file)
{
    char path[600], name[160];

    if (p->bytes && !strcmp(p->name, file))
        return;
    free(p->bytes);
    snprintf(p->name, sizeof(p->name), "%s", file);
    snprintf(name, sizeof(name), "cluster/%s", file);
    p->bytes = read_whole_file(corpus_path(truth->corpus, name, path), &p->len);
}

static bool item_of(const struct pages *p, uint32_t blk, uint32_t lp, const uint8_t **ret_item,
                    uint32_t *ret_len)
{
    const unsigned char *page = p->bytes + (size_t)blk * PAGE;
    uint32_t word, off;
    uint16_t lower;

    if ((size_t)(blk + 1) * PAGE > p->len)
        return false;
    memcpy(&lower, page + 12, sizeof(lower));
    if (lp < 1 || 24 + lp * 4 > lower)
        return false;
    memcpy(&word, page + 24 + (lp - 1) * 4, sizeof(word));
    off = word & 0x7fff;
    *ret_len = word >> 17;
    *ret_item = page + off;
    return (word >> 15 & 3) == 1 && off + *ret_len <= PAGE;
}

bool pg_truth_item(struct pg_truth *truth, const char *file, uint32_t blk, uint32_t lp,
                   const uint8_t **ret_item, uint32_t *ret_len)
{
    open_pages(truth, &truth->pages, file);
    return item_of(&truth->pages, blk, lp, ret_item, ret_len);
}

/* ---- types ---- */

static const struct ps_pg_type *type_of(void *ctx, ps_oid oid)
{
    const struct pg_truth *truth = ctx;

    for (uint32_t i = 0; i < truth->type_count; i++)
        if (truth->types[i].oid == oid)
            return &truth->types[i];
    return NULL;
}

/* The corpus' only composite, which pg_attribute.csv leaves out, is pair: an int and a text. */
static const struct ps_pg_desc *row_of(void *ctx, ps_oid relation)
{
    static struct ps_pg_attr attrs[] = {
        {.num = 1, .type = 23, .typmod = -1, .len = 4, .align = 'i'},
        {.num = 2, .type = 25, .typmod = -1, .len = -1, .align = 'i'},
    };
    static const struct ps_pg_desc pair = {.count = 2, .attrs = attrs};

    return relation == PAIR ? &pair : desc_of(ctx, relation);
}

static const char *enum_label_of(void *ctx, ps_oid value)
{
    const struct pg_truth *truth = ctx;

    for (uint32_t i = 0; i < truth->enum_count; i++)
        if (truth->enums[i].oid == value)
            return truth->enums[i].label;
    return NULL;
}

struct ps_pg_types pg_truth_types(struct pg_truth *truth)
{
    return (struct ps_pg_types){
        .type = type_of, .row = row_of, .enum_label = enum_label_of, .ctx = truth};
}

/* ---- toast ---- */

/* Appends the chunk if it is chunk `seq` of the value. */
static bool add_chunk(const struct ps_pg_desc *desc, const uint8_t *item, uint32_t len,
                      ps_oid value, uint32_t seq, struct ps_text *out)
{
    struct ps_pg_value values[3];
    struct ps_pg_tuple tuple;
    uint32_t good, id, chunk_seq;

    if (ps_pg_tuple_parse(item, len, &tuple) || ps_pg_tuple_values(&tuple, desc, values, &good))
        return false;
    memcpy(&id, values[0].data, sizeof(id));
    memcpy(&chunk_seq, values[1].data, sizeof(chunk_seq));
    if (id != value || chunk_seq != seq)
        return false;
    ps_text_add(out, values[2].data, values[2].len);
    return true;
}

static bool find_chunk(const struct pages *p, const struct ps_pg_desc *desc, ps_oid value,
                       uint32_t seq, struct ps_text *out)
{
    const uint8_t *item;
    uint32_t len;

    for (uint32_t blk = 0; blk < p->len / PAGE; blk++)
        for (uint32_t lp = 1; lp <= PAGE / 4; lp++)
            if (item_of(p, blk, lp, &item, &len) && add_chunk(desc, item, len, value, seq, out))
                return true;
    return false;
}

static ps_err fetch(void *ctx, const struct ps_pg_external *external, struct ps_text *out)
{
    struct pg_truth *truth = ctx;
    const struct ps_pg_desc *desc = desc_of(truth, external->relation);
    size_t start = out->len;
    char file[128];
    uint32_t seq = 0;

    snprintf(file, sizeof(file), "base/16384/%u", external->relation);
    open_pages(truth, &truth->toast, file);
    while (out->len - start < external->stored_len)
        if (!desc || !find_chunk(&truth->toast, desc, external->value, seq++, out))
            return ps_fail(PS_ERR_NOENT, "toast-missing: value %u", external->value);
    return PS_OK;
}

struct ps_pg_toaster pg_truth_toaster(struct pg_truth *truth)
{
    return (struct ps_pg_toaster){.fetch = fetch, .ctx = truth};
}
