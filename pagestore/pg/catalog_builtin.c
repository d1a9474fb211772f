/*
 * catalog_builtin.c - layouts of the first catalogs by version, names of built-in access methods
 * and schemas.
 */
#include "pg/catalog_builtin.h"

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
