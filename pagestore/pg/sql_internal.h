/*
 * sql_internal.h - what the parts of sql_schema.h share.
 *
 * Flow       sql_lex.c (tokens) -> sql_schema.c (statements) -> sql_table.c (columns) -> sql_type.c
 *            (types as they are written); then sql_describe.c (types as they are)
 * Units      lines and columns count from 1, columns in bytes.
 * Ownership  everything belongs to the schema, until it is freed.
 * Locking    one thread parses and describes; constant afterwards.
 * Errors     the first error ends the parsing.
 */
#ifndef PS_PG_SQL_INTERNAL_H
#define PS_PG_SQL_INTERNAL_H

#include "pg/sql_schema.h"

struct ps_sql_place {
    uint32_t line, column;
};

/* --- tokens --------------------------------------------------------------------------------- */

enum ps_sql_kind {
    PS_SQL_END,
    PS_SQL_WORD,    /* text: in lower case */
    PS_SQL_QUOTED,  /* text: a name, its quotes taken off */
    PS_SQL_STRING,  /* text: its value; oid: what the comment behind it tells */
    PS_SQL_NUMBER,  /* text: its digits */
    PS_SQL_OTHER,   /* other: a character */
    PS_SQL_DROPPED, /* the comment about a dropped column: len, align */
};

struct ps_sql_token {
    enum ps_sql_kind kind;
    struct ps_sql_place at;
    const char *text;
    char other;
    ps_oid oid;
    int16_t len;
    char align;
};

struct ps_sql_parser {
    struct ps_sql_schema *schema;
    const char *file;
    const char *text, *end;
    const char *next; /* behind the token */
    const char *line_start;
    uint32_t line;
    struct ps_sql_token token;
    ps_err err; /* of the lexer: the token is END then */
};

/* The next token becomes p->token. */
void ps_sql_advance(struct ps_sql_parser *p);
/* The token is the backslash of a command of psql's: goes to the next line. */
void ps_sql_skip_line(struct ps_sql_parser *p);
/* The token is the semicolon of COPY ... FROM stdin: goes behind its data. */
void ps_sql_skip_data(struct ps_sql_parser *p);
/* Sets p->err, if it is not set, and returns it. */
ps_err ps_sql_fail(struct ps_sql_parser *p, struct ps_sql_place at, const char *fmt, ...)
    PS_PRINTF(3, 4);
/* "expected WHAT, found ...", at the token. */
ps_err ps_sql_expected(struct ps_sql_parser *p, const char *what);

bool ps_sql_is_word(const struct ps_sql_parser *p, const char *word);
bool ps_sql_is_other(const struct ps_sql_parser *p, char other);
/* The same, and goes on behind it if so. */
bool ps_sql_take_word(struct ps_sql_parser *p, const char *word);
bool ps_sql_take_other(struct ps_sql_parser *p, char other);
/* Goes on behind IF [NOT] EXISTS, if that is there. */
void ps_sql_take_if_exists(struct ps_sql_parser *p);
/* Goes on to the next of `ends` or semicolon outside of parentheses, or the end. */
void ps_sql_skip_to(struct ps_sql_parser *p, const char *ends);

/* --- what is parsed --------------------------------------------------------------------------- */

struct ps_sql_name {
    const char *schema; /* NULL: not said */
    const char *name;
    struct ps_sql_place at;
};

#define PS_SQL_ARGS_MAX 2u
struct ps_sql_type_ref {
    struct ps_sql_name name; /* as pg_type has it: int4 for integer */
    uint32_t arg_count;
    int32_t args[PS_SQL_ARGS_MAX]; /* in parentheses */
    int32_t fields;                /* of an interval, as bits; 0: not said */
    bool is_array;                 /* of as many dimensions as may be */
};

struct ps_sql_column {
    struct ps_sql_column *next;
    const char *name;
    struct ps_sql_place at;
    struct ps_sql_type_ref
        type; /* name.name NULL: only len and align are known, of a dropped one */
    int16_t len;
    char align;
    bool not_null, dropped;
    char generated, identity;
};
struct ps_sql_columns {
    struct ps_sql_column *first, *last;
    uint32_t count;
};

struct ps_sql_table {
    struct ps_sql_table *next;
    struct ps_sql_name name;
    struct ps_sql_columns columns;
    char persistence;
};

struct ps_sql_label {
    struct ps_sql_label *next;
    const char *text;
    ps_oid oid; /* 0: not told */
};

struct ps_sql_type {
    struct ps_sql_type *next;
    struct ps_sql_name name;
    char kind; /* as pg_type's typtype: e d c r m */
    struct ps_sql_label *labels, *last_label;
    struct ps_sql_type_ref base;          /* of a domain; a range's subtype; a multirange's range */
    const struct ps_sql_columns *columns; /* of a composite; a table's row type has the table's */
    bool not_null;
    ps_oid oid; /* sql_describe.c: 0 until it is used; of its array oid + 1 */
};

/* Memory that lives as long as the schema. */
struct ps_sql_block;
struct ps_sql_schema {
    char *file;
    struct ps_sql_block *blocks;
    struct ps_sql_table *tables, *last_table;
    struct ps_sql_type *types, *last_type;
};

/* Zeroed; NULL: none is left. */
void *ps_sql_alloc(struct ps_sql_schema *s, size_t len);
/* The same for the parser, which has failed then. */
void *ps_sql_take(struct ps_sql_parser *p, size_t len);

/* --- parsing ---------------------------------------------------------------------------------- */

/* A name that may be qualified. */
ps_err ps_sql_parse_name(struct ps_sql_parser *p, const char *what, struct ps_sql_name *ret);
/* One that may not. */
ps_err ps_sql_parse_ident(struct ps_sql_parser *p, const char *what, const char **ret);
/* Are they, as far as they say it, the same? */
bool ps_sql_same_name(const struct ps_sql_name *a, const struct ps_sql_name *b);
struct ps_sql_table *ps_sql_find_table(const struct ps_sql_schema *s,
                                       const struct ps_sql_name *name);

/* sql_type.c: a type as it is written. */
ps_err ps_sql_parse_type(struct ps_sql_parser *p, struct ps_sql_type_ref *ret);

/* sql_table.c */
/* Behind CREATE TABLE. */
ps_err ps_sql_create_table(struct ps_sql_parser *p, char persistence);
/* Behind ALTER TABLE. */
ps_err ps_sql_alter_table(struct ps_sql_parser *p);
/* (NAME TYPE, ...) of a composite type. */
ps_err ps_sql_parse_fields(struct ps_sql_parser *p, struct ps_sql_columns *ret);
/* The type of the table's rows, or any other; it is put into the schema. */
struct ps_sql_type *ps_sql_add_type(struct ps_sql_parser *p, const struct ps_sql_name *name,
                                    char kind);

/* sql_created.c: behind CREATE TYPE, CREATE DOMAIN, ALTER TYPE. */
ps_err ps_sql_create_type(struct ps_sql_parser *p);
ps_err ps_sql_create_domain(struct ps_sql_parser *p);
ps_err ps_sql_alter_type(struct ps_sql_parser *p);

#endif
