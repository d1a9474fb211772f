/*
 * catalog_quote.c - names and texts as SQL quotes them.
 */
#include <string.h>

#include "pg/catalog_internal.h"

/* Key words that are not UNRESERVED_KEYWORD in src/include/parser/kwlist.h at version 15, and one
 * of 16, in order: quote_identifier() quotes them. */
static const char *const keywords[] = {
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "authorization",
    "between",
    "bigint",
    "binary",
    "bit",
    "boolean",
    "both",
    "case",
    "cast",
    "char",
    "character",
    "check",
    "coalesce",
    "collate",
    "collation",
    "column",
    "concurrently",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "dec",
    "decimal",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "extract",
    "false",
    "fetch",
    "float",
    "for",
    "foreign",
    "freeze",
    "from",
    "full",
    "grant",
    "greatest",
    "group",
    "grouping",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "inout",
    "int",
    "integer",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "least",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "national",
    "natural",
    "nchar",
    "none",
    "normalize",
    "not",
    "notnull",
    "null",
    "nullif",
    "numeric",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "out",
    "outer",
    "overlaps",
    "overlay",
    "placing",
    "position",
    "precision",
    "primary",
    "real",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "setof",
    "similar",
    "smallint",
    "some",
    "substring",
    "symmetric",
    "system_user",
    "table",
    "tablesample",
    "then",
    "time",
    "timestamp",
    "to",
    "trailing",
    "treat",
    "trim",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "varchar",
    "variadic",
    "verbose",
    "when",
    "where",
    "window",
    "with",
    "xmlattributes",
    "xmlconcat",
    "xmlelement",
    "xmlexists",
    "xmlforest",
    "xmlnamespaces",
    "xmlparse",
    "xmlpi",
    "xmlroot",
    "xmlserialize",
    "xmltable",
};
#define KEYWORD_COUNT (sizeof(keywords) / sizeof(keywords[0]))

static bool is_keyword(const char *name)
{
    size_t low = 0, high = KEYWORD_COUNT, middle;
    int order;

    while (low < high) {
        middle = low + (high - low) / 2;
        order = strcmp(keywords[middle], name);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool is_plain(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyz_";
    static const char more[] = "abcdefghijklmnopqrstuvwxyz_0123456789";

    return *name != '\0' && strchr(first, *name) && name[strspn(name, more)] == '\0' &&
           !is_keyword(name);
}

static void add_doubled(struct ps_text *out, const char *text, char quote)
{
    ps_text_add(out, &quote, 1);
    for (; *text != '\0'; text++) {
        if (*text == quote)
            ps_text_add(out, &quote, 1);
        ps_text_add(out, text, 1);
    }
    ps_text_add(out, &quote, 1);
}

void ps_pgc_quote(struct ps_text *out, const char *name)
{
    if (is_plain(name))
        ps_text_add(out, name, strlen(name));
    else
        add_doubled(out, name, '"');
}

void ps_pgc_qualified(struct ps_text *out, const char *schema, const char *name)
{
    if (schema) {
        ps_pgc_quote(out, schema);
        ps_text_add(out, ".", 1);
    }
    ps_pgc_quote(out, name);
}

void ps_pgc_literal(struct ps_text *out, const char *text)
{
    const char *at;

    if (!strchr(text, '\\')) {
        add_doubled(out, text, '\'');
        return;
    }
    ps_text_add(out, "E'", 2);
    for (at = text; *at != '\0'; at++) {
        if (*at == '\'' || *at == '\\')
            ps_text_add(out, at, 1);
        ps_text_add(out, at, 1);
    }
    ps_text_add(out, "'", 1);
}
