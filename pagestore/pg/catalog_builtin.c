#include "pg/catalog_builtin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- layouts ------------------------------------------------------------------------------ */

/* Columns as NAME:KIND, kind o: oid, i: int4, s: int2, c: bool or "char", f: float4, n: name,
 * v: varlena, w: one whose elements may need 8 bytes' alignment, a: aclitem[], which do so from
 * version 16 on. */
static const char attribute_12[] =
    "attrelid:o attname:n atttypid:o attstattarget:i attlen:s attnum:s attndims:i attcacheoff:i "
    "atttypmod:i attbyval:c attstorage:c attalign:c attnotnull:c atthasdef:c atthasmissing:c "
    "attidentity:c attgenerated:c attisdropped:c attislocal:c attinhcount:i attcollation:o "
    "attacl:a attoptions:v attfdwoptions:v attmissingval:w";
static const char attribute_14[] =
    "attrelid:o attname:n atttypid:o attstattarget:i attlen:s attnum:s attndims:i attcacheoff:i "
    "atttypmod:i attbyval:c attalign:c attstorage:c attcompression:c attnotnull:c atthasdef:c "
    "atthasmissing:c attidentity:c attgenerated:c attisdropped:c attislocal:c attinhcount:i "
    "attcollation:o attacl:a attoptions:v attfdwoptions:v attmissingval:w";
static const char attribute_16[] =
    "attrelid:o attname:n atttypid:o attlen:s attnum:s attcacheoff:i atttypmod:i attndims:s "
    "attbyval:c attalign:c attstorage:c attcompression:c attnotnull:c atthasdef:c "
    "atthasmissing:c attidentity:c attgenerated:c attisdropped:c attislocal:c attinhcount:s "
    "attstattarget:s attcollation:o attacl:a attoptions:v attfdwoptions:v attmissingval:w";
static const char attribute_17[] =
    "attrelid:o attname:n atttypid:o attlen:s attnum:s attcacheoff:i atttypmod:i attndims:s "
    "attbyval:c attalign:c attstorage:c attcompression:c attnotnull:c atthasdef:c "
    "atthasmissing:c attidentity:c attgenerated:c attisdropped:c attislocal:c attinhcount:s "
    "attcollation:o attstattarget:s attacl:a attoptions:v attfdwoptions:v attmissingval:w";
static const char attribute_18[] =
    "attrelid:o attname:n atttypid:o attlen:s attnum:s atttypmod:i attndims:s "
    "attbyval:c attalign:c attstorage:c attcompression:c attnotnull:c atthasdef:c "
    "atthasmissing:c attidentity:c attgenerated:c attisdropped:c attislocal:c attinhcount:s "
    "attcollation:o attstattarget:s attacl:a attoptions:v attfdwoptions:v attmissingval:w";
static const char class_12[] =
    "oid:o relname:n relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o "
    "reltablespace:o relpages:i reltuples:f relallvisible:i reltoastrelid:o relhasindex:c "
    "relisshared:c relpersistence:c relkind:c relnatts:s relchecks:s relhasrules:c "
    "relhastriggers:c relhassubclass:c relrowsecurity:c relforcerowsecurity:c relispopulated:c "
    "relreplident:c relispartition:c relrewrite:o relfrozenxid:i relminmxid:i relacl:a "
    "reloptions:v relpartbound:v";
static const char class_18[] =
    "oid:o relname:n relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o "
    "reltablespace:o relpages:i reltuples:f relallvisible:i relallfrozen:i reltoastrelid:o "
    "relhasindex:c relisshared:c relpersistence:c relkind:c relnatts:s relchecks:s relhasrules:c "
    "relhastriggers:c relhassubclass:c relrowsecurity:c relforcerowsecurity:c relispopulated:c "
    "relreplident:c relispartition:c relrewrite:o relfrozenxid:i relminmxid:i relacl:a "
    "reloptions:v relpartbound:v";
static const char type_12[] =
    "oid:o typname:n typnamespace:o typowner:o typlen:s typbyval:c typtype:c typcategory:c "
    "typispreferred:c typisdefined:c typdelim:c typrelid:o typelem:o typarray:o typinput:o "
    "typoutput:o typreceive:o typsend:o typmodin:o typmodout:o typanalyze:o typalign:c "
    "typstorage:c typnotnull:c typbasetype:o typtypmod:i typndims:i typcollation:o "
    "typdefaultbin:v typdefault:v typacl:a";
static const char type_14[] =
    "oid:o typname:n typnamespace:o typowner:o typlen:s typbyval:c typtype:c typcategory:c "
    "typispreferred:c typisdefined:c typdelim:c typrelid:o typsubscript:o typelem:o typarray:o "
    "typinput:o typoutput:o typreceive:o typsend:o typmodin:o typmodout:o typanalyze:o "
    "typalign:c typstorage:c typnotnull:c typbasetype:o typtypmod:i typndims:i typcollation:o "
    "typdefaultbin:v typdefault:v typacl:a";
static const char database_any[] = "oid:o datname:n datdba:o encoding:i";
static const char database_12[] = "oid:o datname:n datdba:o encoding:i datcollate:n";
static const char database_15[] =
    "oid:o datname:n datdba:o encoding:i datlocprovider:c datistemplate:c datallowconn:c "
    "datconnlimit:i datfrozenxid:i datminmxid:i dattablespace:o datcollate:v";
static const char database_17[] =
    "oid:o datname:n datdba:o encoding:i datlocprovider:c datistemplate:c datallowconn:c "
    "dathasloginevt:c datconnlimit:i datfrozenxid:i datminmxid:i dattablespace:o datcollate:v";
static const char namespace_12[] = "oid:o nspname:n nspowner:o";

static const struct layout {
    ps_oid catalog;
    uint32_t since; /* version */
    const char *columns;
} layouts[] = {
    /* of one catalog newest first */
    {PS_PGC_ATTRIBUTE, 18, attribute_18},
    {PS_PGC_ATTRIBUTE, 17, attribute_17},
    {PS_PGC_ATTRIBUTE, 16, attribute_16},
    {PS_PGC_ATTRIBUTE, 14, attribute_14},
    {PS_PGC_ATTRIBUTE, 0, attribute_12},
    {PS_PGC_CLASS, 18, class_18},
    {PS_PGC_CLASS, 0, class_12},
    {PS_PGC_TYPE, 14, type_14},
    {PS_PGC_TYPE, 0, type_12},
    {PS_PGC_DATABASE, 17, database_17},
    {PS_PGC_DATABASE, 15, database_15},
    {PS_PGC_DATABASE, 12, database_12},
    {PS_PGC_DATABASE, 0, database_any},
    {PS_PGC_NAMESPACE, 0, namespace_12},
};
const uint32_t ps_pgc_attribute_versions[] = {18, 17, 16, 14, 12, 0};

static void set_kind(struct ps_pg_attr *attr, char kind, uint32_t version)
{
    static const struct {
        char kind, align;
        int16_t len;
    } kinds[] = {{'o', 'i', 4},  {'i', 'i', 4},  {'s', 's', 2},  {'c', 'c', 1}, {'f', 'i', 4},
                 {'n', 'c', 64}, {'v', 'i', -1}, {'w', 'd', -1}, {'a', 'i', -1}};
    size_t i = 0;

    while (kinds[i].kind != kind)
        i++;
    attr->len = kinds[i].len;
    attr->align = kind == 'a' && version >= 16 ? 'd' : kinds[i].align;
    attr->byval = attr->len > 0 && attr->len <= 4;
    attr->storage = attr->len < 0 ? 'x' : 'p';
    attr->typmod = -1;
}

static uint32_t count_columns(const char *columns)
{
    uint32_t count = 0;

    for (; (columns = strchr(columns, ':')) != NULL; columns++)
        count++;
    return count;
}

static ps_err parse_layout(const char *columns, uint32_t version, struct ps_pg_desc *ret)
{
    struct ps_pg_attr *attr;
    size_t len;

    *ret = (struct ps_pg_desc){0};
    ret->attrs = calloc(count_columns(columns), sizeof(*ret->attrs));
    if (!ret->attrs)
        return ps_fail(PS_ERR_NOMEM, "no memory for a catalog's layout");
    for (; *columns; columns += len + 2, columns += *columns == ' ') {
        len = strcspn(columns, ":");
        attr = &ret->attrs[ret->count++];
        attr->num = (int16_t)ret->count;
        set_kind(attr, columns[len + 1], version);
        attr->name = strndup(columns, len);
        if (!attr->name) {
            ps_pg_desc_deinit(ret);
            return ps_fail(PS_ERR_NOMEM, "no memory for a catalog's layout");
        }
    }
    return PS_OK;
}

ps_err ps_pgc_layout(ps_oid catalog, uint32_t version, struct ps_pg_desc *ret)
{
    size_t i;

    for (i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++)
        if (layouts[i].catalog == catalog && version >= layouts[i].since)
            return parse_layout(layouts[i].columns, version, ret);
    return ps_fail(PS_ERR_NOENT, "the layout of catalog %u is not built in", catalog);
}

/* --- types -------------------------------------------------------------------------------- */

static const struct builtin_type {
    ps_oid oid;
    const char *name;
    int16_t len;
    bool byval;
    char align, kind, category;
    ps_oid elem, array, base;
    char delim;
} types[] = {
    {16, "bool", 1, true, 'c', 'b', 'B', 0, 1000, 0, ','},
    {17, "bytea", -1, false, 'i', 'b', 'U', 0, 1001, 0, ','},
    {18, "char", 1, true, 'c', 'b', 'Z', 0, 1002, 0, ','},
    {19, "name", 64, false, 'c', 'b', 'S', 18, 1003, 0, ','},
    {20, "int8", 8, true, 'd', 'b', 'N', 0, 1016, 0, ','},
    {21, "int2", 2, true, 's', 'b', 'N', 0, 1005, 0, ','},
    {22, "int2vector", -1, false, 'i', 'b', 'A', 21, 1006, 0, ','},
    {23, "int4", 4, true, 'i', 'b', 'N', 0, 1007, 0, ','},
    {24, "regproc", 4, true, 'i', 'b', 'N', 0, 1008, 0, ','},
    {25, "text", -1, false, 'i', 'b', 'S', 0, 1009, 0, ','},
    {26, "oid", 4, true, 'i', 'b', 'N', 0, 1028, 0, ','},
    {27, "tid", 6, false, 's', 'b', 'U', 0, 1010, 0, ','},
    {28, "xid", 4, true, 'i', 'b', 'U', 0, 1011, 0, ','},
    {29, "cid", 4, true, 'i', 'b', 'U', 0, 1012, 0, ','},
    {30, "oidvector", -1, false, 'i', 'b', 'A', 26, 1013, 0, ','},
    {114, "json", -1, false, 'i', 'b', 'U', 0, 199, 0, ','},
    {142, "xml", -1, false, 'i', 'b', 'U', 0, 143, 0, ','},
    {194, "pg_node_tree", -1, false, 'i', 'b', 'Z', 0, 0, 0, ','},
    {600, "point", 16, false, 'd', 'b', 'G', 701, 1017, 0, ','},
    {601, "lseg", 32, false, 'd', 'b', 'G', 600, 1018, 0, ','},
    {602, "path", -1, false, 'd', 'b', 'G', 0, 1019, 0, ','},
    {603, "box", 32, false, 'd', 'b', 'G', 600, 1020, 0, ';'},
    {604, "polygon", -1, false, 'd', 'b', 'G', 0, 1027, 0, ','},
    {628, "line", 24, false, 'd', 'b', 'G', 701, 629, 0, ','},
    {650, "cidr", -1, false, 'i', 'b', 'I', 0, 651, 0, ','},
    {700, "float4", 4, true, 'i', 'b', 'N', 0, 1021, 0, ','},
    {701, "float8", 8, true, 'd', 'b', 'N', 0, 1022, 0, ','},
    {705, "unknown", -2, false, 'c', 'p', 'X', 0, 0, 0, ','},
    {718, "circle", 24, false, 'd', 'b', 'G', 0, 719, 0, ','},
    {774, "macaddr8", 8, false, 'i', 'b', 'U', 0, 775, 0, ','},
    {790, "money", 8, true, 'd', 'b', 'N', 0, 791, 0, ','},
    {829, "macaddr", 6, false, 'i', 'b', 'U', 0, 1040, 0, ','},
    {869, "inet", -1, false, 'i', 'b', 'I', 0, 1041, 0, ','},
    {1033, "aclitem", 12, false, 'i', 'b', 'U', 0, 1034, 0, ','},
    {1042, "bpchar", -1, false, 'i', 'b', 'S', 0, 1014, 0, ','},
    {1043, "varchar", -1, false, 'i', 'b', 'S', 0, 1015, 0, ','},
    {1082, "date", 4, true, 'i', 'b', 'D', 0, 1182, 0, ','},
    {1083, "time", 8, true, 'd', 'b', 'D', 0, 1183, 0, ','},
    {1114, "timestamp", 8, true, 'd', 'b', 'D', 0, 1115, 0, ','},
    {1184, "timestamptz", 8, true, 'd', 'b', 'D', 0, 1185, 0, ','},
    {1186, "interval", 16, false, 'd', 'b', 'T', 0, 1187, 0, ','},
    {1266, "timetz", 12, false, 'd', 'b', 'D', 0, 1270, 0, ','},
    {1560, "bit", -1, false, 'i', 'b', 'V', 0, 1561, 0, ','},
    {1562, "varbit", -1, false, 'i', 'b', 'V', 0, 1563, 0, ','},
    {1700, "numeric", -1, false, 'i', 'b', 'N', 0, 1231, 0, ','},
    {1790, "refcursor", -1, false, 'i', 'b', 'U', 0, 2201, 0, ','},
    {2202, "regprocedure", 4, true, 'i', 'b', 'N', 0, 2207, 0, ','},
    {2203, "regoper", 4, true, 'i', 'b', 'N', 0, 2208, 0, ','},
    {2204, "regoperator", 4, true, 'i', 'b', 'N', 0, 2209, 0, ','},
    {2205, "regclass", 4, true, 'i', 'b', 'N', 0, 2210, 0, ','},
    {2206, "regtype", 4, true, 'i', 'b', 'N', 0, 2211, 0, ','},
    {2249, "record", -1, false, 'd', 'p', 'P', 0, 2287, 0, ','},
    {2275, "cstring", -2, false, 'c', 'p', 'P', 0, 1263, 0, ','},
    {2277, "anyarray", -1, false, 'd', 'p', 'P', 0, 0, 0, ','},
    {2278, "void", 4, true, 'i', 'p', 'P', 0, 0, 0, ','},
    {2950, "uuid", 16, false, 'c', 'b', 'U', 0, 2951, 0, ','},
    {2970, "txid_snapshot", -1, false, 'd', 'b', 'U', 0, 2949, 0, ','},
    {3220, "pg_lsn", 8, true, 'd', 'b', 'U', 0, 3221, 0, ','},
    {3361, "pg_ndistinct", -1, false, 'i', 'b', 'Z', 0, 0, 0, ','},
    {3402, "pg_dependencies", -1, false, 'i', 'b', 'Z', 0, 0, 0, ','},
    {3614, "tsvector", -1, false, 'i', 'b', 'U', 0, 3643, 0, ','},
    {3615, "tsquery", -1, false, 'i', 'b', 'U', 0, 3645, 0, ','},
    {3642, "gtsvector", -1, false, 'i', 'b', 'U', 0, 3644, 0, ','},
    {3734, "regconfig", 4, true, 'i', 'b', 'N', 0, 3735, 0, ','},
    {3769, "regdictionary", 4, true, 'i', 'b', 'N', 0, 3770, 0, ','},
    {3802, "jsonb", -1, false, 'i', 'b', 'U', 0, 3807, 0, ','},
    {3904, "int4range", -1, false, 'i', 'r', 'R', 0, 3905, 23, ','},
    {3906, "numrange", -1, false, 'i', 'r', 'R', 0, 3907, 1700, ','},
    {3908, "tsrange", -1, false, 'd', 'r', 'R', 0, 3909, 1114, ','},
    {3910, "tstzrange", -1, false, 'd', 'r', 'R', 0, 3911, 1184, ','},
    {3912, "daterange", -1, false, 'i', 'r', 'R', 0, 3913, 1082, ','},
    {3926, "int8range", -1, false, 'd', 'r', 'R', 0, 3927, 20, ','},
    {4072, "jsonpath", -1, false, 'i', 'b', 'U', 0, 4073, 0, ','},
    {4089, "regnamespace", 4, true, 'i', 'b', 'N', 0, 4090, 0, ','},
    {4096, "regrole", 4, true, 'i', 'b', 'N', 0, 4097, 0, ','},
    {4191, "regcollation", 4, true, 'i', 'b', 'N', 0, 4192, 0, ','},
    {4451, "int4multirange", -1, false, 'i', 'm', 'R', 0, 6150, 3904, ','},
    {4532, "nummultirange", -1, false, 'i', 'm', 'R', 0, 6151, 3906, ','},
    {4533, "tsmultirange", -1, false, 'd', 'm', 'R', 0, 6152, 3908, ','},
    {4534, "tstzmultirange", -1, false, 'd', 'm', 'R', 0, 6153, 3910, ','},
    {4535, "datemultirange", -1, false, 'i', 'm', 'R', 0, 6155, 3912, ','},
    {4536, "int8multirange", -1, false, 'd', 'm', 'R', 0, 6157, 3926, ','},
    {4600, "pg_brin_bloom_summary", -1, false, 'i', 'b', 'Z', 0, 0, 0, ','},
    {4601, "pg_brin_minmax_multi_summary", -1, false, 'i', 'b', 'Z', 0, 0, 0, ','},
    {5017, "pg_mcv_list", -1, false, 'i', 'b', 'Z', 0, 0, 0, ','},
    {5038, "pg_snapshot", -1, false, 'd', 'b', 'U', 0, 5039, 0, ','},
    {5069, "xid8", 8, true, 'd', 'b', 'U', 0, 271, 0, ','},
};
#define TYPE_COUNT ((uint32_t)(sizeof(types) / sizeof(types[0])))

uint32_t ps_pgc_builtin_type_count(void)
{
    return 2 * TYPE_COUNT; /* each may have an array */
}

static void set_type(const struct builtin_type *t, struct ps_pg_type *ret)
{
    *ret = (struct ps_pg_type){.oid = t->oid,
                               .schema = PS_PGC_SCHEMA_CATALOG,
                               .len = t->len,
                               .byval = t->byval,
                               .align = t->align,
                               .kind = t->kind,
                               .category = t->category,
                               .delim = t->delim,
                               .elem = t->elem,
                               .array = t->array,
                               .base = t->base,
                               .typmod = -1};
    snprintf(ret->name, sizeof(ret->name), "%s", t->name);
}

/* oid 0: the type has no array */
static void set_array(const struct builtin_type *t, struct ps_pg_type *ret)
{
    *ret = (struct ps_pg_type){.oid = t->array,
                               .schema = PS_PGC_SCHEMA_CATALOG,
                               .len = -1,
                               .align = t->align == 'd' ? 'd' : 'i',
                               .kind = 'b',
                               .category = 'A',
                               .delim = t->delim,
                               .elem = t->oid,
                               .typmod = -1};
    snprintf(ret->name, sizeof(ret->name), "_%s", t->name);
}

void ps_pgc_builtin_type(uint32_t index, struct ps_pg_type *ret)
{
    if (index < TYPE_COUNT)
        set_type(&types[index], ret);
    else
        set_array(&types[index - TYPE_COUNT], ret);
}

/* --- access methods and schemas ----------------------------------------------------------- */

struct named {
    ps_oid oid;
    const char *name;
};

static const char *find_named(const struct named *all, size_t count, ps_oid oid)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (all[i].oid == oid)
            return all[i].name;
    return NULL;
}

const char *ps_pgc_builtin_am(ps_oid oid)
{
    static const struct named ams[] = {{2, "heap"},     {403, "btree"}, {405, "hash"},
                                       {783, "gist"},   {2742, "gin"},  {3580, "brin"},
                                       {4000, "spgist"}};

    return find_named(ams, sizeof(ams) / sizeof(ams[0]), oid);
}

const char *ps_pgc_builtin_schema(ps_oid oid)
{
    static const struct named schemas[] = {{PS_PGC_SCHEMA_CATALOG, "pg_catalog"},
                                           {PS_PGC_SCHEMA_TOAST, "pg_toast"},
                                           {PS_PGC_SCHEMA_PUBLIC, "public"}};

    return find_named(schemas, sizeof(schemas) / sizeof(schemas[0]), oid);
}
