/*
 * schema_expr.c - expressions, from the trees that the catalogs keep (pg_node_tree), as SQL.
 */
#include <string.h>

#include "base/byteorder.h"
#include "pg/schema_internal.h"
#include "pg/type_oid.h"

#define DEPTH_MAX 100u
#define CONST_MAX 8192u /* bytes of a constant */

/* CoercionForm, src/include/nodes/primnodes.h */
enum { COERCE_CALL, COERCE_CAST, COERCE_IMPLICIT, COERCE_SQL };

typedef struct ps_pgc_span span;

static bool write_node(struct ps_pgc_writer *w, span node);

static ps_oid oid_field(span node, const char *field)
{
    return (ps_oid)ps_pgc_node_number(node, field);
}

static bool write_items(struct ps_pgc_writer *w, span items, const char *between)
{
    bool first = true;
    span item;

    while (ps_pgc_node_next(&items, &item)) {
        if (!first)
            ps_pgc_write(w, between);
        first = false;
        if (!write_node(w, item))
            return false;
    }
    return true;
}

/* --- constants ---------------------------------------------------------------------------- */

/* Name of the relation in a constant of type regclass. */
static bool write_regclass(struct ps_pgc_writer *w, ps_oid oid)
{
    const struct ps_pgc_relation *rel = ps_pgc_list_find(&w->db->relations, oid, 0);

    if (!rel)
        return false;
    ps_pgc_write_relation_literal(w, &rel->pub);
    ps_pgc_write(w, "::regclass");
    return true;
}

/* Numbers stand as they are, but for negative ones, which an operator before them would not get
 * whole. */
static bool stands_bare(ps_oid type, const char *text)
{
    return type == PS_PG_BOOLOID || ((type == PS_PG_INT4OID || type == PS_PG_NUMERICOID) &&
                                     strspn(text, "0123456789.") == strlen(text));
}

static bool write_value(struct ps_pgc_writer *w, ps_oid type, int32_t typmod,
                        const struct ps_pg_value *value)
{
    struct ps_text text = {0};
    ps_err err = ps_pg_print(w->printer, type, value, &text);
    bool good;

    ps_text_add(&text, "", 1);
    w->out->failed |= err == PS_ERR_NOMEM || text.failed;
    good = !err && !text.failed;
    if (good && type == PS_PG_BOOLOID) {
        ps_pgc_write(w, text.data[0] == 't' ? "true" : "false");
    } else if (good && stands_bare(type, text.data)) {
        ps_pgc_write(w, text.data);
    } else if (good) {
        ps_pgc_literal(w->out, text.data);
        if (type != PS_PG_UNKNOWNOID) {
            ps_pgc_write(w, "::");
            ps_pgc_write_type_name(w, type, typmod);
        }
    }
    ps_text_deinit(&text);
    return good;
}

static bool write_const(struct ps_pgc_writer *w, span node)
{
    const struct ps_pg_attr attr = {.len = (int16_t)ps_pgc_node_number(node, "constlen"),
                                    .align = 'c'};
    ps_oid type = oid_field(node, "consttype");
    int32_t typmod = (int32_t)ps_pgc_node_number(node, "consttypmod");
    struct ps_pg_value value;
    uint8_t bytes[CONST_MAX + 1];
    uint32_t at = 0;
    size_t len;

    if (ps_pgc_node_true(node, "constisnull")) {
        ps_pgc_write(w, "NULL::");
        ps_pgc_write_type_name(w, type, typmod);
        return true;
    }
    len = ps_pgc_node_bytes(node, "constvalue", bytes, sizeof(bytes));
    if (len > CONST_MAX || (attr.len <= 0 && attr.len != -1 && attr.len != -2) ||
        ps_pg_value_take(&attr, bytes, (uint32_t)len, &at, &value))
        return false;
    if (type == PS_PG_REGCLASSOID && value.len == 4)
        return write_regclass(w, ps_get32_at(value.data));
    return write_value(w, type, typmod, &value);
}

/* --- casts and calls ---------------------------------------------------------------------- */

static bool write_cast(struct ps_pgc_writer *w, span arg, ps_oid type, int32_t typmod, long form)
{
    if (form == COERCE_IMPLICIT)
        return write_node(w, arg);
    ps_pgc_write(w, "(");
    if (!write_node(w, arg))
        return false;
    ps_pgc_write(w, ")::");
    ps_pgc_write_type_name(w, type, typmod);
    return true;
}

/* A cast to a type with a typmod is a function's call with it as its second argument. */
static int32_t cast_typmod(span args)
{
    span arg, second;
    uint8_t bytes[8];

    if (!ps_pgc_node_next(&args, &arg) || !ps_pgc_node_next(&args, &second) ||
        !ps_pgc_node_is(second, "CONST") || oid_field(second, "consttype") != PS_PG_INT4OID ||
        ps_pgc_node_bytes(second, "constvalue", bytes, sizeof(bytes)) < 4)
        return -1;
    return (int32_t)ps_get32_at(bytes);
}

static const struct ps_pgc_object *object(const struct ps_pgc_writer *w, enum ps_pgc_class which,
                                          ps_oid oid)
{
    return w->names ? ps_pgc_list_find(&w->names->classes[which].list, oid, 0) : NULL;
}

/* Some functions that defaults call, for clusters whose pg_proc is lost. */
static const char *builtin_function(ps_oid oid)
{
    switch (oid) {
    case 1299:
        return "now";
    case 1574:
        return "nextval";
    case 3432:
        return "gen_random_uuid";
    default:
        return NULL;
    }
}

static bool write_call(struct ps_pgc_writer *w, span node)
{
    const struct ps_pgc_object *f = object(w, PS_PGC_PROCS, oid_field(node, "funcid"));
    const char *builtin = builtin_function(oid_field(node, "funcid"));

    if ((!f && !builtin) || ps_pgc_node_true(node, "funcvariadic"))
        return false;
    if (f) {
        ps_pgc_need(w, "function", f->key.a, f->schema, f->name);
        ps_pgc_write_qualified(w, f->schema, f->name);
    } else {
        ps_pgc_write(w, builtin);
    }
    ps_pgc_write(w, "(");
    if (!write_items(w, ps_pgc_node_list(node, "args"), ", "))
        return false;
    ps_pgc_write(w, ")");
    return true;
}

static bool write_function(struct ps_pgc_writer *w, span node)
{
    long form = ps_pgc_node_number(node, "funcformat");
    span args = ps_pgc_node_list(node, "args"), arg;

    if (form != COERCE_CAST && form != COERCE_IMPLICIT)
        return write_call(w, node);
    return ps_pgc_node_next(&args, &arg) &&
           write_cast(w, arg, oid_field(node, "funcresulttype"),
                      cast_typmod(ps_pgc_node_list(node, "args")), form);
}

static bool write_relabel(struct ps_pgc_writer *w, span node)
{
    return write_cast(w, ps_pgc_node_field(node, "arg"), oid_field(node, "resulttype"),
                      (int32_t)ps_pgc_node_number(node, "resulttypmod"),
                      ps_pgc_node_number(node, "relabelformat"));
}

static bool write_coerce(struct ps_pgc_writer *w, span node)
{
    bool has_typmod = ps_pgc_node_field(node, "resulttypmod").len > 0;

    return write_cast(w, ps_pgc_node_field(node, "arg"), oid_field(node, "resulttype"),
                      has_typmod ? (int32_t)ps_pgc_node_number(node, "resulttypmod") : -1,
                      ps_pgc_node_number(node, "coerceformat"));
}

/* --- operators ---------------------------------------------------------------------------- */

static bool write_operator(struct ps_pgc_writer *w, ps_oid oid)
{
    const struct ps_pgc_object *op = object(w, PS_PGC_OPERATORS, oid);
    const char *schema;

    if (!op)
        return false;
    ps_pgc_need(w, "operator", oid, op->schema, op->name);
    schema = ps_pgc_written_schema(w, op->schema);
    if (schema) {
        ps_pgc_write(w, "OPERATOR(");
        ps_pgc_quote(w->out, schema);
        ps_pgc_write(w, ".");
    }
    ps_pgc_write(w, op->name);
    if (schema)
        ps_pgc_write(w, ")");
    return true;
}

static bool write_op(struct ps_pgc_writer *w, span node)
{
    span args = ps_pgc_node_list(node, "args"), left, right;

    if (!ps_pgc_node_next(&args, &left))
        return false;
    ps_pgc_write(w, "(");
    if (ps_pgc_node_next(&args, &right)) {
        if (!write_node(w, left))
            return false;
        ps_pgc_write(w, " ");
        left = right;
    }
    if (!write_operator(w, oid_field(node, "opno")))
        return false;
    ps_pgc_write(w, " ");
    if (!write_node(w, left))
        return false;
    ps_pgc_write(w, ")");
    return true;
}

static bool write_array_op(struct ps_pgc_writer *w, span node)
{
    span args = ps_pgc_node_list(node, "args"), left, right;

    if (!ps_pgc_node_next(&args, &left) || !ps_pgc_node_next(&args, &right))
        return false;
    ps_pgc_write(w, "(");
    if (!write_node(w, left))
        return false;
    ps_pgc_write(w, " ");
    if (!write_operator(w, oid_field(node, "opno")))
        return false;
    ps_pgc_write(w, ps_pgc_node_true(node, "useOr") ? " ANY (" : " ALL (");
    if (!write_node(w, right))
        return false;
    ps_pgc_write(w, "))");
    return true;
}

static bool write_bool(struct ps_pgc_writer *w, span node)
{
    span args = ps_pgc_node_list(node, "args");
    bool good;

    ps_pgc_write(w, ps_pgc_node_word_is(node, "boolop", "not") ? "(NOT " : "(");
    good = write_items(w, args, ps_pgc_node_word_is(node, "boolop", "or") ? " OR " : " AND ");
    ps_pgc_write(w, ")");
    return good;
}

/* (ARG TEXT) */
static bool write_test(struct ps_pgc_writer *w, span node, const char *text)
{
    bool good;

    ps_pgc_write(w, "(");
    good = write_node(w, ps_pgc_node_field(node, "arg"));
    ps_pgc_write(w, text);
    ps_pgc_write(w, ")");
    return good;
}

static bool write_null_test(struct ps_pgc_writer *w, span node)
{
    return write_test(w, node,
                      ps_pgc_node_number(node, "nulltesttype") == 0 ? " IS NULL" : " IS NOT NULL");
}

static bool write_boolean_test(struct ps_pgc_writer *w, span node)
{
    static const char *const tests[] = {" IS TRUE",      " IS NOT TRUE", " IS FALSE",
                                        " IS NOT FALSE", " IS UNKNOWN",  " IS NOT UNKNOWN"};
    long test = ps_pgc_node_number(node, "booltesttype");

    return test >= 0 && test < 6 && write_test(w, node, tests[test]);
}

/* --- the rest ----------------------------------------------------------------------------- */

static bool write_var(struct ps_pgc_writer *w, span node)
{
    long num = ps_pgc_node_number(node, "varattno");

    if (!w->desc || num < 1 || num > (long)w->desc->count || w->desc->attrs[num - 1].dropped)
        return false;
    ps_pgc_quote(w->out, w->desc->attrs[num - 1].name);
    return true;
}

static bool write_domain_value(struct ps_pgc_writer *w, span node)
{
    (void)node;
    ps_pgc_write(w, "VALUE");
    return true;
}

static bool write_sql_function(struct ps_pgc_writer *w, span node)
{
    static const char *const names[] = {
        "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIME",   "CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP",
        "LOCALTIME",    "LOCALTIME",    "LOCALTIMESTAMP", "LOCALTIMESTAMP",    "CURRENT_ROLE",
        "CURRENT_USER", "USER",         "SESSION_USER",   "CURRENT_CATALOG",   "CURRENT_SCHEMA"};
    long op = ps_pgc_node_number(node, "op"), typmod = ps_pgc_node_number(node, "typmod");

    if (op < 0 || op >= (long)(sizeof(names) / sizeof(names[0])))
        return false;
    ps_pgc_write(w, names[op]);
    if (typmod >= 0)
        ps_text_printf(w->out, "(%ld)", typmod);
    return true;
}

/* NAME(ARGS) */
static bool write_like_call(struct ps_pgc_writer *w, span node, const char *name)
{
    bool good;

    ps_pgc_write(w, name);
    ps_pgc_write(w, "(");
    good = write_items(w, ps_pgc_node_list(node, "args"), ", ");
    ps_pgc_write(w, ")");
    return good;
}

static bool write_coalesce(struct ps_pgc_writer *w, span node)
{
    return write_like_call(w, node, "COALESCE");
}

static bool write_min_max(struct ps_pgc_writer *w, span node)
{
    return write_like_call(w, node, ps_pgc_node_number(node, "op") == 0 ? "GREATEST" : "LEAST");
}

static bool write_array(struct ps_pgc_writer *w, span node)
{
    ps_pgc_write(w, "ARRAY[");
    if (!write_items(w, ps_pgc_node_list(node, "elements"), ", "))
        return false;
    ps_pgc_write(w, "]::");
    ps_pgc_write_type_name(w, oid_field(node, "array_typeid"), -1);
    return true;
}

static bool write_when(struct ps_pgc_writer *w, span node)
{
    ps_pgc_write(w, " WHEN ");
    if (!write_node(w, ps_pgc_node_field(node, "expr")))
        return false;
    ps_pgc_write(w, " THEN ");
    return write_node(w, ps_pgc_node_field(node, "result"));
}

static bool write_case(struct ps_pgc_writer *w, span node)
{
    if (ps_pgc_node_field(node, "arg").len > 0)
        return false;
    ps_pgc_write(w, "CASE");
    if (!write_items(w, ps_pgc_node_list(node, "args"), ""))
        return false;
    ps_pgc_write(w, " ELSE ");
    if (!write_node(w, ps_pgc_node_field(node, "defresult")))
        return false;
    ps_pgc_write(w, " END");
    return true;
}

static bool write_node(struct ps_pgc_writer *w, span node)
{
    static const struct {
        const char *name;
        bool (*write)(struct ps_pgc_writer *w, span node);
    } kinds[] = {
        {"CONST", write_const},
        {"VAR", write_var},
        {"FUNCEXPR", write_function},
        {"OPEXPR", write_op},
        {"SCALARARRAYOPEXPR", write_array_op},
        {"BOOLEXPR", write_bool},
        {"NULLTEST", write_null_test},
        {"BOOLEANTEST", write_boolean_test},
        {"RELABELTYPE", write_relabel},
        {"COERCEVIAIO", write_coerce},
        {"ARRAYCOERCEEXPR", write_coerce},
        {"COERCETODOMAINVALUE", write_domain_value},
        {"SQLVALUEFUNCTION", write_sql_function},
        {"COALESCE", write_coalesce},
        {"COALESCEEXPR", write_coalesce},
        {"MINMAX", write_min_max},
        {"MINMAXEXPR", write_min_max},
        {"ARRAY", write_array},
        {"ARRAYEXPR", write_array},
        {"CASE", write_case},
        {"CASEEXPR", write_case},
        {"WHEN", write_when},
        {"CASEWHEN", write_when},
    };
    bool good = false;
    size_t i;

    if (++w->depth < DEPTH_MAX)
        for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
            if (ps_pgc_node_is(node, kinds[i].name))
                good = kinds[i].write(w, node);
    w->depth--;
    return good;
}

bool ps_pgc_write_expr(struct ps_pgc_writer *w, const char *expression)
{
    const struct ps_pgc_mark before = ps_pgc_mark(w);
    bool good = expression && write_node(w, (span){expression, strlen(expression)});

    if (!good)
        ps_pgc_take_back(w, before);
    return good;
}

static ps_oid find_sequence(span node, uint32_t depth)
{
    span args = ps_pgc_node_list(node, "args"), arg;
    uint8_t bytes[8];
    ps_oid found = 0;

    if (depth > 4 || !ps_pgc_node_next(&args, &arg))
        return 0;
    if (ps_pgc_node_is(arg, "CONST") && oid_field(arg, "consttype") == PS_PG_REGCLASSOID) {
        if (ps_pgc_node_bytes(arg, "constvalue", bytes, sizeof(bytes)) >= 4)
            found = ps_get32_at(bytes);
        return found;
    }
    return find_sequence(arg, depth + 1);
}

ps_oid ps_pgc_expr_sequence(const char *expression)
{
    return expression ? find_sequence((span){expression, strlen(expression)}, 0) : 0;
}
