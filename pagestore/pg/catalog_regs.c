/*
 * catalog_regs.c - what regclass, regproc, regtype and the like print.
 */
#include <string.h>

#include "pg/catalog_names.h"
#include "pg/type_oid.h"

/* NULL: the name is found without it. */
static const char *schema_for(const struct ps_pgc_db *db, const struct ps_pgc_object *o, bool found)
{
    return found ? NULL : ps_pgc_schema_name(db, o->schema);
}

static void add_plain(const struct ps_pgc_db *db, const struct ps_pgc_names *names,
                      enum ps_pgc_class which, const struct ps_pgc_object *o, struct ps_text *out)
{
    ps_pgc_qualified(out, schema_for(db, o, ps_pgc_is_visible(names, which, o)), o->name);
}

static void add_arguments(struct ps_pgc_db *db, const struct ps_pgc_object *o, struct ps_text *out)
{
    uint32_t i;

    ps_text_add(out, "(", 1);
    for (i = 0; i < o->arg_count; i++) {
        ps_text_add(out, ",", i > 0);
        if (ps_pgc_object_arg(o, i) == 0)
            ps_text_add(out, "NONE", 4);
        else
            ps_pgc_format_type(db, ps_pgc_object_arg(o, i), -1, PS_PGC_BARE, out);
    }
    ps_text_add(out, ")", 1);
}

/* Operators' names are not quoted. */
static void add_operator(const struct ps_pgc_db *db, const struct ps_pgc_object *o, bool found,
                         struct ps_text *out)
{
    const char *schema = schema_for(db, o, found);

    if (schema) {
        ps_pgc_quote(out, schema);
        ps_text_add(out, ".", 1);
    }
    ps_text_add(out, o->name, strlen(o->name));
}

/* Which class the type's values are OIDs of; false: of none that has names in schemas. */
static bool class_of(ps_oid type, enum ps_pgc_class *ret)
{
    static const struct {
        ps_oid type;
        enum ps_pgc_class which;
    } all[] = {
        {PS_PG_REGPROCOID, PS_PGC_PROCS},           {PS_PG_REGPROCEDUREOID, PS_PGC_PROCS},
        {PS_PG_REGOPEROID, PS_PGC_OPERATORS},       {PS_PG_REGOPERATOROID, PS_PGC_OPERATORS},
        {PS_PG_REGCLASSOID, PS_PGC_RELATIONS},      {PS_PG_REGTYPEOID, PS_PGC_TYPES},
        {PS_PG_REGCONFIGOID, PS_PGC_CONFIGS},       {PS_PG_REGDICTIONARYOID, PS_PGC_DICTS},
        {PS_PG_REGCOLLATIONOID, PS_PGC_COLLATIONS},
    };
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i].type == type) {
            *ret = all[i].which;
            return true;
        }
    return false;
}

static bool add_object(struct ps_pgc_db *db, ps_oid type, ps_oid value, struct ps_text *out)
{
    const struct ps_pgc_names *names = ps_pgc_names(db);
    const struct ps_pgc_object *o;
    enum ps_pgc_class which;

    if (!names || !class_of(type, &which))
        return false;
    o = ps_pgc_list_find(&names->classes[which].list, value, 0);
    if (!o)
        return false;
    if (type == PS_PG_REGTYPEOID)
        ps_pgc_format_type(db, value, -1, PS_PGC_BARE, out);
    else if (type == PS_PG_REGPROCOID)
        ps_pgc_qualified(out, schema_for(db, o, ps_pgc_is_only(names, which, o)), o->name);
    else if (type == PS_PG_REGOPEROID)
        add_operator(db, o, ps_pgc_is_only(names, which, o), out);
    else if (type == PS_PG_REGOPERATOROID)
        add_operator(db, o, ps_pgc_is_visible(names, which, o), out);
    else
        add_plain(db, names, which, o, out);
    if (type == PS_PG_REGOPERATOROID || type == PS_PG_REGPROCEDUREOID)
        add_arguments(db, o, out);
    return true;
}

static bool add_named(const char *name, struct ps_text *out)
{
    if (name)
        ps_pgc_quote(out, name);
    return name != NULL;
}

static bool add_value(struct ps_pgc_db *db, ps_oid type, ps_oid value, struct ps_text *out)
{
    const struct ps_pgc_names *names;

    if (type == PS_PG_REGNAMESPACEOID)
        return add_named(ps_pgc_schema_name(db, value), out);
    if (type == PS_PG_REGROLEOID) {
        names = ps_pgc_names(db);
        return names && add_named(ps_pgc_name_in(&names->roles, value), out);
    }
    return add_object(db, type, value, out);
}

bool ps_pgc_reg_name(void *ctx, ps_oid type, ps_oid value, char *buf, size_t len)
{
    struct ps_text text = {0};
    bool found = add_value(ctx, type, value, &text) && !text.failed && text.len < len;

    if (found) {
        memcpy(buf, text.data, text.len);
        buf[text.len] = '\0';
    }
    ps_text_deinit(&text);
    return found;
}
