/*
 * catalog_format.c - types as SQL writes them (format_type() of
 * src/backend/utils/adt/format_type.c).
 */
#include "pg/catalog_names.h"
#include "pg/type_oid.h"
#include "pg/typmod.h"

/* --- what is behind a type's name in parentheses ------------------------------------------ */

static const char *interval_fields(int32_t fields)
{
    static const struct {
        int32_t bits;
        const char *text;
    } all[] = {
        {PS_PG_YEAR, " year"},
        {PS_PG_MONTH, " month"},
        {PS_PG_DAY, " day"},
        {PS_PG_HOUR, " hour"},
        {PS_PG_MINUTE, " minute"},
        {PS_PG_SECOND, " second"},
        {PS_PG_YEAR | PS_PG_MONTH, " year to month"},
        {PS_PG_DAY | PS_PG_HOUR, " day to hour"},
        {PS_PG_DAY | PS_PG_HOUR | PS_PG_MINUTE, " day to minute"},
        {PS_PG_DAY | PS_PG_HOUR | PS_PG_MINUTE | PS_PG_SECOND, " day to second"},
        {PS_PG_HOUR | PS_PG_MINUTE, " hour to minute"},
        {PS_PG_HOUR | PS_PG_MINUTE | PS_PG_SECOND, " hour to second"},
        {PS_PG_MINUTE | PS_PG_SECOND, " minute to second"},
    };
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i].bits == fields)
            return all[i].text;
    return "";
}

static void add_interval(int32_t typmod, struct ps_text *out)
{
    int32_t precision;

    ps_text_printf(out, "interval");
    if (typmod < 0)
        return;
    ps_text_printf(out, "%s", interval_fields(typmod >> 16 & PS_PG_INTERVAL_FULL_RANGE));
    precision = typmod & PS_PG_INTERVAL_FULL_PRECISION;
    if (precision != PS_PG_INTERVAL_FULL_PRECISION)
        ps_text_printf(out, "(%d)", precision);
}

static void add_numeric(int32_t typmod, struct ps_text *out)
{
    int32_t scale;

    ps_text_printf(out, "numeric");
    if (typmod < PS_PG_VARHDRSZ)
        return;
    scale = (((typmod - PS_PG_VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
    ps_text_printf(out, "(%d,%d)", (typmod - PS_PG_VARHDRSZ) >> 16 & 0xffff, scale);
}

static void add_len(const char *name, int32_t len, struct ps_text *out)
{
    if (len >= 0)
        ps_text_printf(out, "%s(%d)", name, len);
    else
        ps_text_printf(out, "%s", name);
}

static void add_time(const char *name, int32_t typmod, const char *zone, struct ps_text *out)
{
    add_len(name, typmod, out);
    ps_text_printf(out, " %s time zone", zone);
}

/* Types with names that the SQL standard gives them. False: this is none, or the standard's name
 * would mean another typmod. */
static bool add_standard(ps_oid type, int32_t typmod, bool column, struct ps_text *out)
{
    static const struct {
        ps_oid type;
        const char *name;
    } plain[] = {{PS_PG_BOOLOID, "boolean"},  {PS_PG_INT8OID, "bigint"},
                 {PS_PG_INT2OID, "smallint"}, {PS_PG_INT4OID, "integer"},
                 {PS_PG_FLOAT4OID, "real"},   {PS_PG_FLOAT8OID, "double precision"}};
    size_t i;

    for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (plain[i].type == type) {
            ps_text_printf(out, "%s", plain[i].name);
            return true;
        }
    switch (type) {
    case PS_PG_BITOID:
    case PS_PG_BPCHAROID:
        if (column && typmod < 0) /* bit alone means bit(1), character means character(1) */
            return false;
        if (type == PS_PG_BITOID)
            add_len("bit", typmod, out);
        else
            add_len("character", typmod - PS_PG_VARHDRSZ, out);
        return true;
    case PS_PG_VARBITOID:
        add_len("bit varying", typmod, out);
        return true;
    case PS_PG_VARCHAROID:
        add_len("character varying", typmod - PS_PG_VARHDRSZ, out);
        return true;
    case PS_PG_NUMERICOID:
        add_numeric(typmod, out);
        return true;
    case PS_PG_INTERVALOID:
        add_interval(typmod, out);
        return true;
    case PS_PG_TIMEOID:
    case PS_PG_TIMETZOID:
        add_time("time", typmod, type == PS_PG_TIMEOID ? "without" : "with", out);
        return true;
    case PS_PG_TIMESTAMPOID:
    case PS_PG_TIMESTAMPTZOID:
        add_time("timestamp", typmod, type == PS_PG_TIMESTAMPOID ? "without" : "with", out);
        return true;
    default:
        return false;
    }
}

/* --- types -------------------------------------------------------------------------------- */

static const struct ps_pgc_type *find_type(const struct ps_pgc_db *db, ps_oid oid)
{
    return ps_pgc_list_find(&db->types, oid, 0);
}

/* Not int2vector or point, which can be subscripted, too. */
static const struct ps_pgc_type *element_of(const struct ps_pgc_db *db,
                                            const struct ps_pgc_type *type)
{
    const struct ps_pgc_type *elem;

    if (type->pub.elem == 0 || type->pub.len != -1)
        return NULL;
    elem = find_type(db, type->pub.elem);
    return elem && elem != type && elem->pub.array == type->key.a ? elem : NULL;
}

static bool finds_type(struct ps_pgc_db *db, ps_oid type)
{
    const struct ps_pgc_names *names = ps_pgc_names(db);
    const struct ps_pgc_object *o;

    o = names ? ps_pgc_list_find(&names->classes[PS_PGC_TYPES].list, type, 0) : NULL;
    return o && ps_pgc_is_visible(names, PS_PGC_TYPES, o);
}

void ps_pgc_format_type(struct ps_pgc_db *db, ps_oid oid, int32_t typmod, enum ps_pgc_format how,
                        struct ps_text *out)
{
    const struct ps_pgc_type *type = find_type(db, oid), *elem;
    const char *schema = NULL;
    bool found;

    if (!type) {
        ps_text_printf(out, oid == 0 ? "-" : "???");
        return;
    }
    elem = element_of(db, type);
    if (elem)
        type = elem;
    if (!add_standard(type->key.a, typmod, how != PS_PGC_BARE, out)) {
        found = how == PS_PGC_SCHEMA_SQL ? type->pub.schema == PS_PGC_SCHEMA_CATALOG
                                         : finds_type(db, type->key.a);
        if (!found)
            schema = ps_pgc_schema_name(db, type->pub.schema);
        ps_pgc_qualified(out, schema, type->pub.name);
        if (typmod >= 0)
            ps_text_printf(out, "(%d)", typmod);
    }
    if (elem)
        ps_text_add(out, "[]", 2);
}
