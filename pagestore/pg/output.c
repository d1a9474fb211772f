/*
 * output.c - finding a type's output function, and printing values and rows with it.
 */
#include "pg/output.h"

#include <stdlib.h>

#include "pg/catalog_builtin.h"
#include "pg/output_internal.h"

#define SLOTS_FIRST 64u
#define DOMAINS_MAX 32u /* a domain over a domain over ... */

/* ---- finding how a type is printed ---- */

static uint32_t slot_of(const struct ps_pg_printer *p, ps_oid type)
{
    uint32_t i = type * 0x9e3779b1u & (p->slot_count - 1);

    while (p->slots[i] && p->slots[i]->oid != type)
        i = (i + 1) & (p->slot_count - 1);
    return i;
}

static ps_err grow_slots(struct ps_pg_printer *p)
{
    uint32_t count = p->slot_count > 0 ? p->slot_count * 2 : SLOTS_FIRST;
    struct ps_pg_out_type **old = p->slots;
    uint32_t old_count = p->slot_count;
    uint32_t i;

    p->slots = calloc(count, sizeof(struct ps_pg_out_type *));
    if (!p->slots) {
        p->slots = old;
        return ps_fail(PS_ERR_NOMEM, "no memory for %u types", count);
    }
    p->slot_count = count;
    for (i = 0; i < old_count; i++)
        if (old[i])
            p->slots[slot_of(p, old[i]->oid)] = old[i];
    free(old);
    return PS_OK;
}

static const struct ps_pg_type *catalog_type(const struct ps_pg_printer *p, ps_oid oid)
{
    const struct ps_pg_type *t = NULL;

    if (p->types.type)
        t = p->types.type(p->types.ctx, oid);
    return t ? t : ps_pg_builtin_type(oid);
}

/* The type below domains; NULL: not known. */
static const struct ps_pg_type *base_type(const struct ps_pg_printer *p, ps_oid oid)
{
    const struct ps_pg_type *t = catalog_type(p, oid);
    uint32_t i;

    for (i = 0; t && t->kind == 'd'; i++)
        t = i < DOMAINS_MAX ? catalog_type(p, t->base) : NULL;
    return t;
}

static const char *output_name(const struct ps_pg_type *t)
{
    const struct ps_pg_type *builtin = ps_pg_builtin_type(t->oid);

    switch (t->kind) {
    case 'c':
        return "record_out";
    case 'e':
        return "enum_out";
    case 'r':
        return "range_out";
    case 'm':
        return "multirange_out";
    default:
        break;
    }
    if (t->output[0])
        return t->output;
    if (builtin && builtin->output[0])
        return builtin->output;
    return t->elem != 0 && t->len == -1 ? "array_out" : "";
}

/* What a type is made of: an array's elements, a range's bounds, a multirange's ranges. */
static ps_oid part_type(const struct ps_pg_type *t)
{
    const struct ps_pg_type *builtin = ps_pg_builtin_type(t->oid);

    if (t->kind != 'r' && t->kind != 'm')
        return t->elem;
    if (t->base == 0 && builtin) /* pg_range is missing */
        return builtin->base;
    return t->base;
}

static bool describe(const struct ps_pg_printer *p, ps_oid oid, struct ps_pg_out_type *ret)
{
    const struct ps_pg_type *outer = catalog_type(p, oid);
    const struct ps_pg_type *t = base_type(p, oid);
    const struct ps_pg_out_entry *entry = t ? ps_pg_out_entry(output_name(t)) : NULL;

    if (!entry)
        return false;
    *ret = (struct ps_pg_out_type){
        .oid = oid,
        .base = t->oid,
        .print = entry->print,
        .fixed_len = entry->fixed_len,
        .bare_csv = entry->bare_csv,
        .bare = entry->bare,
        .delim = outer->delim ? outer->delim : ',',
        .elem = part_type(t),
        .row = t->row,
        .attr = {.type = oid, .typmod = -1, .len = t->len, .align = t->align},
    };
    return true;
}

/* Remembers a type permanently. */
static ps_err keep(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                   const struct ps_pg_out_type **ret)
{
    struct ps_pg_out_type *copy;
    ps_err err;

    if ((p->type_count + 1) * 2 > p->slot_count) {
        err = grow_slots(p);
        if (err)
            return err;
    }
    copy = malloc(sizeof(*copy));
    if (!copy)
        return ps_fail(PS_ERR_NOMEM, "no memory for a type");
    *copy = *type;
    p->slots[slot_of(p, type->oid)] = copy;
    p->type_count++;
    *ret = copy;
    return PS_OK;
}

ps_err ps_pg_out_lookup(struct ps_pg_printer *p, ps_oid type, const struct ps_pg_out_type **ret)
{
    const struct ps_pg_out_type *known = p->slots[slot_of(p, type)];
    struct ps_pg_out_type found;

    *ret = known;
    if (known || !describe(p, type, &found))
        return PS_OK;
    return keep(p, &found, ret);
}

ps_err ps_pg_out_column(struct ps_pg_printer *p, ps_oid type, const struct ps_pg_out_type **ret)
{
    const struct ps_pg_out_type *known = p->slots[slot_of(p, type)];
    ps_err err;

    *ret = known;
    if (known)
        return PS_OK;
    err = ps_pg_out_lookup(p, type, ret);
    if (err || *ret)
        return err;
    return keep(p,
                &(struct ps_pg_out_type){.oid = type, .print = ps_pg_out_unknown, .bare_csv = true},
                ret);
}

void ps_pg_tell_unknown(struct ps_pg_printer *p, const struct ps_pg_out_type *type)
{
    struct ps_pg_out_type *kept = p->slots[slot_of(p, type->oid)];

    if (!kept->told && p->unknown)
        p->unknown(p->unknown_ctx, type->oid);
    kept->told = true;
}

ps_err ps_pg_out_unknown(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                         const uint8_t *data, uint32_t len, struct ps_text *out)
{
    ps_pg_tell_unknown(p, type);
    ps_text_add(out, "\\x", 2);
    ps_pg_add_hex(out, data, len);
    return ps_text_err(out);
}

/* ---- printing ---- */

ps_err ps_pg_out_value(struct ps_pg_printer *p, const struct ps_pg_out_type *type,
                       const struct ps_pg_value *value, struct ps_text *out)
{
    const uint8_t *data = value->data;
    uint32_t len = value->len;
    ps_err err = PS_OK;

    if (p->level == PS_PG_LEVELS_MAX)
        return ps_fail(PS_ERR_CORRUPT, "values within values, over %u deep", PS_PG_LEVELS_MAX);
    if (value->form != PS_PG_PLAIN)
        err = ps_pg_detoast(value, &p->toaster, &p->detoasted[p->level], &data, &len);
    if (err)
        return err;
    if (type->fixed_len != 0 && len != type->fixed_len)
        return ps_fail(PS_ERR_CORRUPT, "a value of %u bytes, its type has %u", len,
                       type->fixed_len);
    p->level++;
    err = type->print(p, type, data, len, out);
    p->level--;
    return err;
}

ps_err ps_pg_print(struct ps_pg_printer *printer, ps_oid type, const struct ps_pg_value *value,
                   struct ps_text *out)
{
    const struct ps_pg_out_type *how;
    ps_err err = ps_pg_out_column(printer, type, &how);

    return err ? err : ps_pg_out_value(printer, how, value, out);
}

ps_err ps_pg_printer_new(const struct ps_pg_types *types, const struct ps_pg_toaster *toaster,
                         void (*unknown)(void *ctx, ps_oid type), void *ctx,
                         struct ps_pg_printer **ret)
{
    struct ps_pg_printer *p = calloc(1, sizeof(*p));

    if (!p)
        return ps_fail(PS_ERR_NOMEM, "no memory for a printer");
    if (types)
        p->types = *types;
    if (toaster)
        p->toaster = *toaster;
    p->unknown = unknown;
    p->unknown_ctx = ctx;
    if (grow_slots(p)) {
        free(p);
        return PS_ERR_NOMEM;
    }
    *ret = p;
    return PS_OK;
}

void ps_pg_printer_free(struct ps_pg_printer *printer)
{
    uint32_t i;

    if (!printer)
        return;
    for (i = 0; i < printer->slot_count; i++)
        free(printer->slots[i]);
    for (i = 0; i < PS_PG_LEVELS_MAX; i++)
        ps_text_deinit(&printer->detoasted[i]);
    free(printer->slots);
    free(printer);
}

/* ---- rows ---- */

static bool has_only_column(const struct ps_pg_desc *desc)
{
    uint32_t i, copied = 0;

    for (i = 0; i < desc->count && copied < 2; i++)
        copied += ps_pg_attr_copied(&desc->attrs[i]);
    return copied == 1;
}

static ps_err csv_value(struct ps_pg_printer *printer, const struct ps_pg_attr *attr,
                        const struct ps_pg_value *value, bool only_column, struct ps_text *out)
{
    const struct ps_pg_out_type *how;
    size_t start = out->len;
    ps_err err = ps_pg_out_column(printer, attr->type, &how);

    if (!err)
        err = ps_pg_out_value(printer, how, value, out);
    if (err)
        return ps_fail_in(err, "column %s", attr->name ? attr->name : "");
    if (!how->bare_csv)
        ps_pg_csv_quote_tail(out, start, only_column);
    return PS_OK;
}

ps_err ps_pg_csv_row(struct ps_pg_printer *printer, const struct ps_pg_desc *desc,
                     const struct ps_pg_value *values, struct ps_text *out)
{
    bool only_column = has_only_column(desc);
    size_t start = out->len;
    bool first = true;
    ps_err err;
    uint32_t i;

    for (i = 0; i < desc->count; i++) {
        if (!ps_pg_attr_copied(&desc->attrs[i]))
            continue;
        if (!first)
            ps_pg_add_char(out, ',');
        first = false;
        if (values[i].form == PS_PG_NULL)
            continue;
        err = csv_value(printer, &desc->attrs[i], &values[i], only_column, out);
        if (err) {
            out->len = start;
            return err;
        }
    }
    ps_pg_add_char(out, '\n');
    return ps_text_err(out);
}

void ps_pg_csv_header(const struct ps_pg_desc *desc, struct ps_text *out)
{
    bool only_column = has_only_column(desc);
    bool first = true;
    const char *name;
    uint32_t i;

    for (i = 0; i < desc->count; i++) {
        if (!ps_pg_attr_copied(&desc->attrs[i]))
            continue;
        if (!first)
            ps_pg_add_char(out, ',');
        first = false;
        name = desc->attrs[i].name ? desc->attrs[i].name : "";
        ps_pg_csv_field(out, name, strlen(name), only_column);
    }
    ps_pg_add_char(out, '\n');
}
