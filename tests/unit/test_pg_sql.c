/* CREATE statements: layouts as PostgreSQL has them, and errors that say where. */
#include "pg/catalog_internal.h"
#include "pg/sql_schema.h"
#include "pg_bed.h"

/* --- a table, described ---------------------------------------------------------------------- */

struct described {
    struct bed bed;
    struct ps_pg_catalog catalog;
    struct ps_pgc_db db;
    struct ps_sql_schema *schema;
    const struct ps_pg_desc *desc;
};

#define RELATION PS_SQL_OID_FIRST

static ps_err try_describe(struct described *d, const char *text)
{
    const struct ps_sql_table *table = NULL;
    const struct ps_pgc_columns *columns;
    uint16_t natts = 0;
    ps_err err = ps_sql_parse("x.sql", text, strlen(text), &d->schema);

    if (!err)
        err = ps_sql_choose(d->schema, NULL, "t", &table);
    if (!err)
        err = ps_sql_describe(d->schema, table, &d->db, RELATION, &natts);
    if (err)
        return err;
    columns = ps_pgc_columns(&d->db, RELATION);
    assert_non_null(columns);
    assert_int_equal(columns->desc.count, natts);
    d->desc = &columns->desc;
    return PS_OK;
}

static void begin_described(struct described *d, void **state)
{
    begin(&d->bed, state);
    ok(try_open(&d->bed, "/base/16384/16497"));
    d->catalog = (struct ps_pg_catalog){.cluster = d->bed.cluster};
    d->db = (struct ps_pgc_db){.catalog = &d->catalog};
    d->schema = NULL;
}

static void forget(struct described *d)
{
    ps_pgc_list_deinit(&d->db.columns);
    ps_pgc_list_deinit(&d->db.types);
    ps_pgc_list_deinit(&d->db.labels);
    ps_pgc_list_deinit(&d->db.schemas);
    ps_sql_free(d->schema);
    d->schema = NULL;
}

static void end_described(struct described *d)
{
    forget(d);
    end(&d->bed);
}

static const struct ps_pg_type *type_of(const struct described *d, ps_oid oid)
{
    const struct ps_pgc_type *t = ps_pgc_list_find(&d->db.types, oid, 0);

    assert_non_null(t);
    return &t->pub;
}

/* --- types ---------------------------------------------------------------------------------- */

static void names_of_types_are_those_of_pg_type(void **state)
{
    static const struct {
        const char *sql;
        ps_oid type;
        int32_t typmod;
    } all[] = {
        {"int", 23, -1},
        {"INTEGER", 23, -1},
        {"pg_catalog.int4", 23, -1},
        {"bigserial", 20, -1},
        {"double precision", 701, -1},
        {"float(24)", 700, -1},
        {"float(25)", 701, -1},
        {"float", 701, -1},
        {"char", 1042, 5},
        {"character(3)", 1042, 7},
        {"bpchar", 1042, -1},
        {"\"char\"", 18, -1},
        {"pg_catalog.\"char\"", 18, -1},
        {"national character varying(5)", 1043, 9},
        {"character varying", 1043, -1},
        {"varchar(10)", 1043, 14},
        {"bit", 1560, 1},
        {"bit(11)", 1560, 11},
        {"bit varying(11)", 1562, 11},
        {"numeric", 1700, -1},
        {"numeric(12,3)", 1700, (12 << 16 | 3) + 4},
        {"decimal(5)", 1700, (5 << 16) + 4},
        {"numeric(3,-2)", 1700, (3 << 16 | (-2 & 0x7ff)) + 4},
        {"time", 1083, -1},
        {"time(3) with time zone", 1266, 3},
        {"timetz", 1266, -1},
        {"timestamp without time zone", 1114, -1},
        {"timestamp(6) with time zone", 1184, 6},
        {"timestamptz(0)", 1184, 0},
        {"interval", 1186, -1},
        {"interval(3)", 1186, 0x7fff << 16 | 3},
        {"interval day to second(3)", 1186, (1 << 3 | 7 << 10) << 16 | 3},
        {"interval year to month", 1186, (1 << 2 | 1 << 1) << 16 | 0xffff},
        {"int[]", 1007, -1},
        {"text[3][3]", 1009, -1},
        {"varchar(7)[]", 1015, 11},
        {"int ARRAY[4]", 1007, -1},
        {"_int4", 1007, -1},
        {"oidvector", 30, -1},
        {"int4multirange", 4451, -1},
    };
    struct described d;
    char sql[200];

    begin_described(&d, state);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        (void)snprintf(sql, sizeof(sql), "CREATE TABLE t (a %s NOT NULL, b int);", all[i].sql);
        ok(try_describe(&d, sql));
        if (d.desc->attrs[0].type != all[i].type || d.desc->attrs[0].typmod != all[i].typmod)
            fail_msg("%s: type %u, typmod %d", all[i].sql, d.desc->attrs[0].type,
                     d.desc->attrs[0].typmod);
        assert_true(d.desc->attrs[0].not_null);
        assert_int_equal(d.desc->attrs[1].type, 23);
        forget(&d);
    }
    end_described(&d);
}

static void created_types_have_the_layout_of_what_they_rest_on(void **state)
{
    static const char sql[] =
        "CREATE TYPE s.mood AS ENUM ('sad' /* oid 16486 */, 'o''k'/*oid*/, E'h\\'y');\n"
        "ALTER TYPE s.mood ADD VALUE IF NOT EXISTS 'new' /* oid 4294967295 */ BEFORE 'sad';\n"
        "CREATE DOMAIN d8 int8 CHECK (VALUE > 0);\n"
        "CREATE DOMAIN dd AS d8 NOT NULL;\n"
        "CREATE TYPE pair AS (a int, b s.mood[]);\n"
        "CREATE TYPE r8 AS RANGE (subtype = d8, subtype_diff = f);\n"
        "CREATE TABLE t (m mood, d dd, ds dd[], p pair, ps pair[], r r8, mr r8_multirange, w t[]);";
    static const struct {
        int16_t len;
        char align;
    } layouts[] = {{4, 'i'},  {8, 'd'},  {-1, 'd'}, {-1, 'd'},
                   {-1, 'd'}, {-1, 'd'}, {-1, 'd'}, {-1, 'd'}};
    const struct ps_pgc_label *label;
    const struct ps_pg_type *type;
    struct described d;

    begin_described(&d, state);
    ok(try_describe(&d, sql));
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(d.desc->attrs[i].len, layouts[i].len);
        assert_int_equal(d.desc->attrs[i].align, layouts[i].align);
    }
    label = ps_pgc_list_find(&d.db.labels, 16486, 0);
    assert_string_equal(label->text, "sad");
    assert_int_equal(label->type, d.desc->attrs[0].type);
    label = ps_pgc_list_find(&d.db.labels, 4294967295u, 0);
    assert_string_equal(label->text, "new");
    assert_int_equal(d.db.labels.count, 4);
    expect_note(&d.bed, "enum 'mood': not all OIDs of its labels are told");
    type = type_of(&d, type_of(&d, d.desc->attrs[4].type)->elem);
    assert_int_equal(type->kind, 'c');
    assert_int_equal(ps_pgc_columns(&d.db, type->row)->desc.count, 2);
    assert_int_equal(type_of(&d, d.desc->attrs[5].type)->base,
                     type_of(&d, type_of(&d, d.desc->attrs[1].type)->base)->oid);
    assert_int_equal(type_of(&d, d.desc->attrs[7].type)->kind, 'b');
    end_described(&d);
}

/* --- columns -------------------------------------------------------------------------------- */

static void has_columns(const struct described *d, const char *expected)
{
    struct ps_text names = {0};

    for (uint32_t i = 0; i < d->desc->count; i++) {
        const struct ps_pg_attr *a = &d->desc->attrs[i];

        assert_int_equal(a->num, i + 1);
        ps_text_printf(&names, "%s%s%s%s", i > 0 ? " " : "", a->dropped ? "-" : "", a->name,
                       a->generated ? "=" : "");
    }
    ps_text_add(&names, "", 1);
    assert_string_equal(names.data, expected);
    ps_text_deinit(&names);
}

static void columns_are_what_the_statements_leave(void **state)
{
    static const struct {
        const char *sql, *columns;
    } all[] = {
        {"CREATE TABLE t (a int DEFAULT (1 + 2)::int, b text COLLATE \"C\" DEFAULT 'a,b)',\n"
         " CONSTRAINT c CHECK (a > 0 AND b IN ('x', ',')), PRIMARY KEY (a), UNIQUE (a, b),\n"
         " \"B \"\"C\" numeric(3, 1)[] DEFAULT ARRAY[1, 2], EXCLUDE USING gist (a WITH =), exclude "
         "int)\n"
         " PARTITION BY RANGE (a) WITH (fillfactor = 70);",
         "a b B \"C exclude"},
        {"CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a * (2 + 1)) STORED NOT NULL,\n"
         " i int GENERATED BY DEFAULT AS IDENTITY (START 5), v int GENERATED ALWAYS AS (a) "
         "VIRTUAL);",
         "a g= i v="},
        {"CREATE TABLE t (a int, b text, c int);\nALTER TABLE ONLY t DROP COLUMN b CASCADE,\n"
         " ADD COLUMN d int DEFAULT f(1, 2) NOT NULL, ADD CONSTRAINT x UNIQUE (a),\n"
         " ALTER COLUMN a SET DEFAULT 5, OWNER TO x;\nALTER TABLE t RENAME c TO e;",
         "a -b e d"},
        {"CREATE TABLE t (/* dropped column: length 4, alignment i */ a int,\n"
         "/* dropped column: length -1, alignment d */\n b int /* dropped column: length 8, "
         "alignment d */);",
         "- a - b -"},
        {"CREATE TABLE p (x int, y int);\nALTER TABLE p DROP y;\nALTER TABLE p ADD z int;\n"
         "CREATE TABLE t (b int, x int) INHERITS (p);",
         "x z b"},
        {"CREATE TABLE p (x int, y int);\nCREATE TABLE t (a int, LIKE p INCLUDING ALL, b int);",
         "a x y b"},
        {"CREATE TABLE p (x int) PARTITION BY LIST (x);\n"
         "CREATE TABLE t PARTITION OF p FOR VALUES IN (1, 2);",
         "x"},
        {"CREATE TYPE c AS (x int);\nCREATE TABLE t OF c;", "x"},
        {"CREATE TABLE t ();", ""},
        /* What pg_dump writes around a table. */
        {"-- PostgreSQL database dump\n\\restrict abc'def\nSET search_path = '';\n"
         "SELECT pg_catalog.set_config('search_path', '', false);\n"
         "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $_$ BEGIN; CREATE TABLE no (; $_$;\n"
         "CREATE TABLE IF NOT EXISTS public.t (a int);\nALTER TABLE public.t OWNER TO me;\n"
         "ALTER TABLE public.seq OWNER TO me;\n"
         "COPY public.t (a) FROM stdin;\n1'\n'2\n\\.\n/* a /* nested */ one */\n"
         "CREATE TABLE u AS SELECT 1;\nCREATE VIEW w AS SELECT ';'::text;",
         "a"},
        {"DO $pagefs$ BEGIN\n CREATE TYPE e AS ENUM ('x');\n"
         "EXCEPTION WHEN duplicate_object THEN NULL;\nEND $pagefs$;\nCREATE TABLE t (a e);",
         "a"},
    };
    struct described d;

    begin_described(&d, state);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ok(try_describe(&d, all[i].sql));
        has_columns(&d, all[i].columns);
        forget(&d);
    }
    end_described(&d);
}

/* --- errors ---------------------------------------------------------------------------------- */

static void errors_say_where(void **state)
{
    static const struct {
        const char *sql, *error;
    } all[] = {
        {"CREATE TABLE t (a int,\n  b nothing);",
         "x.sql: line 2, column 5: type 'nothing' is not known here"},
        {"CREATE TABLE t (a int b", "x.sql: line 1, column 24: expected ',' or ')', found the end"},
        {"CREATE TABLE t (a);", "line 1, column 18: expected a type, found ')'"},
        {"CREATE TABLE t (a varchar(x));", "line 1, column 27: expected a number, found 'x'"},
        {"CREATE TABLE t (a numeric(1,2,3));", "column 31: expected ')', found '3'"},
        {"CREATE TABLE t (a double int);", "expected PRECISION, found 'int'"},
        {"CREATE TABLE t (a int, a int);", "column 24: column 'a' is there twice"},
        {"CREATE TABLE t;", "expected '(', found ';'"},
        {"CREATE TABLE t (a int);\nCREATE TABLE t (b int);",
         "line 2, column 14: table 't' is created twice"},
        {"CREATE TABLE t (a int);\nALTER TABLE t DROP b;",
         "line 2, column 20: table 't' has no column 'b'"},
        {"CREATE TABLE t (a int);\nALTER TABLE t ALTER a TYPE text;",
         "line 2, column 23: write column 'a' with its new type where it is created"},
        {"CREATE TABLE t (b int) INHERITS (p);", "column 34: table 'p' is not created before"},
        {"CREATE TABLE t (a int, \"........pg.dropped.2........\" INTEGER);",
         "column 24: the type of this dropped column is not told here"},
        {"CREATE DOMAIN d AS d;\nCREATE TABLE t (a d);", "type 'd' rests on itself"},
        {"CREATE DOMAIN a.d AS int;\nCREATE DOMAIN b.d AS text;\nCREATE TABLE t (a d);",
         "line 3, column 19: type 'd' is created more than once"},
        {"CREATE TYPE e AS ENUM (a);", "column 24: expected a label, found 'a'"},
        {"CREATE TYPE c AS (a int);\nALTER TYPE c ADD ATTRIBUTE b int;\nCREATE TABLE t (c c);",
         "line 2, column 12: write type 'c' as it is now"},
        {"CREATE TYPE r AS RANGE (canonical = f);", "range 'r' has no SUBTYPE"},
        {"CREATE TABLE t (a text DEFAULT 'x);", "line 1, column 32: this string does not end"},
        {"CREATE TABLE t (\"a int);", "column 17: this name does not end"},
        {"CREATE TABLE t (\"\" int);", "column 17: a name has a character at least"},
        {"/* /* */ CREATE TABLE t (a int);", "line 1, column 1: this comment does not end"},
        {"CREATE FUNCTION f() AS $x$ begin $y$;", "column 24: this string does not end"},
        {"", "x.sql: has no CREATE TABLE with columns"},
    };
    struct described d;

    begin_described(&d, state);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        expect(try_describe(&d, all[i].sql), PS_ERR_INVAL, all[i].error);
        forget(&d);
    }
    end_described(&d);
}

/* What a table does not use need not be known. */
static void types_of_other_tables_need_not_be_known(void **state)
{
    struct described d;

    begin_described(&d, state);
    ok(try_describe(&d, "CREATE TABLE u (a public.geometry(Point,4326), h hstore);\n"
                        "CREATE TABLE t (a int);"));
    has_columns(&d, "a");
    end_described(&d);
}

static void a_zero_byte_is_no_sql(void **state)
{
    struct ps_sql_schema *schema = NULL;

    (void)state;
    expect(ps_sql_parse("x", "SELECT \0;", 9, &schema), PS_ERR_INVAL,
           "x: line 1, column 8: a zero byte: this is no SQL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_types_are_those_of_pg_type),
        cmocka_unit_test(created_types_have_the_layout_of_what_they_rest_on),
        cmocka_unit_test(columns_are_what_the_statements_leave),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(types_of_other_tables_need_not_be_known),
        cmocka_unit_test(a_zero_byte_is_no_sql),
    };

    return cmocka_run_group_tests(tests, corpus_setup, corpus_teardown);
}
