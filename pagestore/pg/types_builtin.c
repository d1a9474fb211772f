/*
 * types_builtin.c - types that every database has, with the OIDs that they have in every version
 * from 12 to 17 (src/include/catalog/pg_type.dat). What is not stored (most pseudo-types), and the
 * row types of catalogs, are left out.
 */
#include "pg/catalog_builtin.h"

#include <stdlib.h>

/* clang-format off */
#define COMMON(oid_, name_, kind_, len_, align_) \
    .oid = oid_, .name = name_, .schema = PS_PGC_SCHEMA_CATALOG, .kind = kind_, .len = len_, \
    .align = align_, .typmod = -1
#define BASE(oid_, name_, len_, align_, delim_, elem_, array_, output_) \
    {COMMON(oid_, name_, 'b', len_, align_), .delim = delim_, .elem = elem_, .array = array_, .output = output_}
#define PSEUDO(oid_, name_, len_, align_, elem_, array_, output_) \
    {COMMON(oid_, name_, 'p', len_, align_), .delim = ',', .elem = elem_, .array = array_, .output = output_}
#define DELIMITED_ARRAY(oid_, name_, align_, delim_, elem_) \
    {COMMON(oid_, name_, 'b', -1, align_), .delim = delim_, .elem = elem_, .output = "array_out"}
#define ARRAY(oid_, name_, align_, elem_) DELIMITED_ARRAY(oid_, name_, align_, ',', elem_)
#define RANGE(oid_, name_, align_, kind_, base_, array_) \
    {COMMON(oid_, name_, kind_, -1, align_), .delim = ',', .base = base_, .array = array_}

/* Sorted by OID. */
static const struct ps_pg_type types[] = {
    BASE(16, "bool", 1, 'c', ',', 0, 1000, "boolout"),
    BASE(17, "bytea", -1, 'i', ',', 0, 1001, "byteaout"),
    BASE(18, "char", 1, 'c', ',', 0, 1002, "charout"),
    BASE(19, "name", 64, 'c', ',', 18, 1003, "nameout"),
    BASE(20, "int8", 8, 'd', ',', 0, 1016, "int8out"),
    BASE(21, "int2", 2, 's', ',', 0, 1005, "int2out"),
    BASE(22, "int2vector", -1, 'i', ',', 21, 1006, "int2vectorout"),
    BASE(23, "int4", 4, 'i', ',', 0, 1007, "int4out"),
    BASE(24, "regproc", 4, 'i', ',', 0, 1008, "regprocout"),
    BASE(25, "text", -1, 'i', ',', 0, 1009, "textout"),
    BASE(26, "oid", 4, 'i', ',', 0, 1028, "oidout"),
    BASE(27, "tid", 6, 's', ',', 0, 1010, "tidout"),
    BASE(28, "xid", 4, 'i', ',', 0, 1011, "xidout"),
    BASE(29, "cid", 4, 'i', ',', 0, 1012, "cidout"),
    BASE(30, "oidvector", -1, 'i', ',', 26, 1013, "oidvectorout"),
    BASE(114, "json", -1, 'i', ',', 0, 199, "json_out"),
    BASE(142, "xml", -1, 'i', ',', 0, 143, "xml_out"),
    ARRAY(143, "_xml", 'i', 142),
    BASE(194, "pg_node_tree", -1, 'i', ',', 0, 0, "pg_node_tree_out"),
    ARRAY(199, "_json", 'i', 114),
    ARRAY(271, "_xid8", 'd', 5069),
    BASE(600, "point", 16, 'd', ',', 701, 1017, "point_out"),
    BASE(601, "lseg", 32, 'd', ',', 600, 1018, "lseg_out"),
    BASE(602, "path", -1, 'd', ',', 0, 1019, "path_out"),
    BASE(603, "box", 32, 'd', ';', 600, 1020, "box_out"),
    BASE(604, "polygon", -1, 'd', ',', 0, 1027, "poly_out"),
    BASE(628, "line", 24, 'd', ',', 701, 629, "line_out"),
    ARRAY(629, "_line", 'd', 628),
    BASE(650, "cidr", -1, 'i', ',', 0, 651, "cidr_out"),
    ARRAY(651, "_cidr", 'i', 650),
    BASE(700, "float4", 4, 'i', ',', 0, 1021, "float4out"),
    BASE(701, "float8", 8, 'd', ',', 0, 1022, "float8out"),
    PSEUDO(705, "unknown", -2, 'c', 0, 0, "unknownout"),
    BASE(718, "circle", 24, 'd', ',', 0, 719, "circle_out"),
    ARRAY(719, "_circle", 'd', 718),
    BASE(774, "macaddr8", 8, 'i', ',', 0, 775, "macaddr8_out"),
    ARRAY(775, "_macaddr8", 'i', 774),
    BASE(790, "money", 8, 'd', ',', 0, 791, "cash_out"),
    ARRAY(791, "_money", 'd', 790),
    BASE(829, "macaddr", 6, 'i', ',', 0, 1040, "macaddr_out"),
    BASE(869, "inet", -1, 'i', ',', 0, 1041, "inet_out"),
    ARRAY(1000, "_bool", 'i', 16),
    ARRAY(1001, "_bytea", 'i', 17),
    ARRAY(1002, "_char", 'i', 18),
    ARRAY(1003, "_name", 'i', 19),
    ARRAY(1005, "_int2", 'i', 21),
    ARRAY(1006, "_int2vector", 'i', 22),
    ARRAY(1007, "_int4", 'i', 23),
    ARRAY(1008, "_regproc", 'i', 24),
    ARRAY(1009, "_text", 'i', 25),
    ARRAY(1010, "_tid", 'i', 27),
    ARRAY(1011, "_xid", 'i', 28),
    ARRAY(1012, "_cid", 'i', 29),
    ARRAY(1013, "_oidvector", 'i', 30),
    ARRAY(1014, "_bpchar", 'i', 1042),
    ARRAY(1015, "_varchar", 'i', 1043),
    ARRAY(1016, "_int8", 'd', 20),
    ARRAY(1017, "_point", 'd', 600),
    ARRAY(1018, "_lseg", 'd', 601),
    ARRAY(1019, "_path", 'd', 602),
    DELIMITED_ARRAY(1020, "_box", 'd', ';', 603),
    ARRAY(1021, "_float4", 'i', 700),
    ARRAY(1022, "_float8", 'd', 701),
    ARRAY(1027, "_polygon", 'd', 604),
    ARRAY(1028, "_oid", 'i', 26),
    BASE(1033, "aclitem", 12, 'i', ',', 0, 1034, "aclitemout"),
    ARRAY(1034, "_aclitem", 'i', 1033),
    ARRAY(1040, "_macaddr", 'i', 829),
    ARRAY(1041, "_inet", 'i', 869),
    BASE(1042, "bpchar", -1, 'i', ',', 0, 1014, "bpcharout"),
    BASE(1043, "varchar", -1, 'i', ',', 0, 1015, "varcharout"),
    BASE(1082, "date", 4, 'i', ',', 0, 1182, "date_out"),
    BASE(1083, "time", 8, 'd', ',', 0, 1183, "time_out"),
    BASE(1114, "timestamp", 8, 'd', ',', 0, 1115, "timestamp_out"),
    ARRAY(1115, "_timestamp", 'd', 1114),
    ARRAY(1182, "_date", 'i', 1082),
    ARRAY(1183, "_time", 'd', 1083),
    BASE(1184, "timestamptz", 8, 'd', ',', 0, 1185, "timestamptz_out"),
    ARRAY(1185, "_timestamptz", 'd', 1184),
    BASE(1186, "interval", 16, 'd', ',', 0, 1187, "interval_out"),
    ARRAY(1187, "_interval", 'd', 1186),
    ARRAY(1231, "_numeric", 'i', 1700),
    ARRAY(1263, "_cstring", 'i', 2275),
    BASE(1266, "timetz", 12, 'd', ',', 0, 1270, "timetz_out"),
    ARRAY(1270, "_timetz", 'd', 1266),
    BASE(1560, "bit", -1, 'i', ',', 0, 1561, "bit_out"),
    ARRAY(1561, "_bit", 'i', 1560),
    BASE(1562, "varbit", -1, 'i', ',', 0, 1563, "varbit_out"),
    ARRAY(1563, "_varbit", 'i', 1562),
    BASE(1700, "numeric", -1, 'i', ',', 0, 1231, "numeric_out"),
    BASE(1790, "refcursor", -1, 'i', ',', 0, 2201, "textout"),
    ARRAY(2201, "_refcursor", 'i', 1790),
    BASE(2202, "regprocedure", 4, 'i', ',', 0, 2207, "regprocedureout"),
    BASE(2203, "regoper", 4, 'i', ',', 0, 2208, "regoperout"),
    BASE(2204, "regoperator", 4, 'i', ',', 0, 2209, "regoperatorout"),
    BASE(2205, "regclass", 4, 'i', ',', 0, 2210, "regclassout"),
    BASE(2206, "regtype", 4, 'i', ',', 0, 2211, "regtypeout"),
    ARRAY(2207, "_regprocedure", 'i', 2202),
    ARRAY(2208, "_regoper", 'i', 2203),
    ARRAY(2209, "_regoperator", 'i', 2204),
    ARRAY(2210, "_regclass", 'i', 2205),
    ARRAY(2211, "_regtype", 'i', 2206),
    PSEUDO(2249, "record", -1, 'd', 0, 2287, "record_out"),
    PSEUDO(2275, "cstring", -2, 'c', 0, 1263, "cstring_out"),
    PSEUDO(2277, "anyarray", -1, 'd', 0, 0, "anyarray_out"),
    PSEUDO(2278, "void", 4, 'i', 0, 0, ""),
    PSEUDO(2287, "_record", -1, 'd', 2249, 0, "array_out"),
    ARRAY(2949, "_txid_snapshot", 'd', 2970),
    BASE(2950, "uuid", 16, 'c', ',', 0, 2951, "uuid_out"),
    ARRAY(2951, "_uuid", 'i', 2950),
    BASE(2970, "txid_snapshot", -1, 'd', ',', 0, 2949, "txid_snapshot_out"),
    BASE(3220, "pg_lsn", 8, 'd', ',', 0, 3221, "pg_lsn_out"),
    ARRAY(3221, "_pg_lsn", 'd', 3220),
    BASE(3361, "pg_ndistinct", -1, 'i', ',', 0, 0, "pg_ndistinct_out"),
    BASE(3402, "pg_dependencies", -1, 'i', ',', 0, 0, "pg_dependencies_out"),
    BASE(3614, "tsvector", -1, 'i', ',', 0, 3643, "tsvectorout"),
    BASE(3615, "tsquery", -1, 'i', ',', 0, 3645, "tsqueryout"),
    BASE(3642, "gtsvector", -1, 'i', ',', 0, 3644, "gtsvectorout"),
    ARRAY(3643, "_tsvector", 'i', 3614),
    ARRAY(3644, "_gtsvector", 'i', 3642),
    ARRAY(3645, "_tsquery", 'i', 3615),
    BASE(3734, "regconfig", 4, 'i', ',', 0, 3735, "regconfigout"),
    ARRAY(3735, "_regconfig", 'i', 3734),
    BASE(3769, "regdictionary", 4, 'i', ',', 0, 3770, "regdictionaryout"),
    ARRAY(3770, "_regdictionary", 'i', 3769),
    BASE(3802, "jsonb", -1, 'i', ',', 0, 3807, "jsonb_out"),
    ARRAY(3807, "_jsonb", 'i', 3802),
    RANGE(3904, "int4range", 'i', 'r', 23, 3905),
    ARRAY(3905, "_int4range", 'i', 3904),
    RANGE(3906, "numrange", 'i', 'r', 1700, 3907),
    ARRAY(3907, "_numrange", 'i', 3906),
    RANGE(3908, "tsrange", 'd', 'r', 1114, 3909),
    ARRAY(3909, "_tsrange", 'd', 3908),
    RANGE(3910, "tstzrange", 'd', 'r', 1184, 3911),
    ARRAY(3911, "_tstzrange", 'd', 3910),
    RANGE(3912, "daterange", 'i', 'r', 1082, 3913),
    ARRAY(3913, "_daterange", 'i', 3912),
    RANGE(3926, "int8range", 'd', 'r', 20, 3927),
    ARRAY(3927, "_int8range", 'd', 3926),
    BASE(4072, "jsonpath", -1, 'i', ',', 0, 4073, "jsonpath_out"),
    ARRAY(4073, "_jsonpath", 'i', 4072),
    BASE(4089, "regnamespace", 4, 'i', ',', 0, 4090, "regnamespaceout"),
    ARRAY(4090, "_regnamespace", 'i', 4089),
    BASE(4096, "regrole", 4, 'i', ',', 0, 4097, "regroleout"),
    ARRAY(4097, "_regrole", 'i', 4096),
    BASE(4191, "regcollation", 4, 'i', ',', 0, 4192, "regcollationout"),
    ARRAY(4192, "_regcollation", 'i', 4191),
    RANGE(4451, "int4multirange", 'i', 'm', 3904, 6150),
    RANGE(4532, "nummultirange", 'i', 'm', 3906, 6151),
    RANGE(4533, "tsmultirange", 'd', 'm', 3908, 6152),
    RANGE(4534, "tstzmultirange", 'd', 'm', 3910, 6153),
    RANGE(4535, "datemultirange", 'i', 'm', 3912, 6155),
    RANGE(4536, "int8multirange", 'd', 'm', 3926, 6157),
    BASE(4600, "pg_brin_bloom_summary", -1, 'i', ',', 0, 0, "brin_bloom_summary_out"),
    BASE(4601, "pg_brin_minmax_multi_summary", -1, 'i', ',', 0, 0, "brin_minmax_multi_summary_out"),
    BASE(5017, "pg_mcv_list", -1, 'i', ',', 0, 0, "pg_mcv_list_out"),
    BASE(5038, "pg_snapshot", -1, 'd', ',', 0, 5039, "pg_snapshot_out"),
    ARRAY(5039, "_pg_snapshot", 'd', 5038),
    BASE(5069, "xid8", 8, 'd', ',', 0, 271, "xid8out"),
    ARRAY(6150, "_int4multirange", 'i', 4451),
    ARRAY(6151, "_nummultirange", 'i', 4532),
    ARRAY(6152, "_tsmultirange", 'd', 4533),
    ARRAY(6153, "_tstzmultirange", 'd', 4534),
    ARRAY(6155, "_datemultirange", 'i', 4535),
    ARRAY(6157, "_int8multirange", 'd', 4536),
};
/* clang-format on */
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

const struct ps_pg_type *ps_pg_builtin_types(uint32_t *ret_count)
{
    *ret_count = TYPE_COUNT;
    return types;
}

static int compare_oids(const void *oid, const void *type)
{
    ps_oid a = *(const ps_oid *)oid;
    ps_oid b = ((const struct ps_pg_type *)type)->oid;

    return (a > b) - (a < b);
}

const struct ps_pg_type *ps_pg_builtin_type(ps_oid oid)
{
    return bsearch(&oid, types, TYPE_COUNT, sizeof(types[0]), compare_oids);
}
