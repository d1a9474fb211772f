/*
 * output_table.c - which of PostgreSQL's output functions is which here.
 */
#include <stdlib.h>

#include "pg/output_internal.h"

/* Sorted by name (strcmp). */
static const struct ps_pg_out_entry entries[] = {
    {"aclitemout", ps_pg_out_aclitem, 0, false, false},
    {"anyarray_out", ps_pg_out_array, 0, false, false},
    {"array_out", ps_pg_out_array, 0, false, false},
    {"bit_out", ps_pg_out_bit, 0, false, false},
    {"boolout", ps_pg_out_bool, 1, true, true},
    {"box_out", ps_pg_out_box, 32, false, false},
    {"bpcharout", ps_pg_out_text, 0, false, false},
    {"byteaout", ps_pg_out_bytea, 0, true, false},
    {"cash_out", ps_pg_out_money, 8, false, false},
    {"charout", ps_pg_out_char, 1, false, false},
    {"cidout", ps_pg_out_oid, 4, true, true},
    {"cidr_out", ps_pg_out_cidr, 0, true, true},
    {"circle_out", ps_pg_out_circle, 24, false, false},
    {"cstring_out", ps_pg_out_text, 0, false, false},
    {"date_out", ps_pg_out_date, 4, true, false},
    {"enum_out", ps_pg_out_enum, 4, false, false},
    {"float4out", ps_pg_out_float4, 4, true, true},
    {"float8out", ps_pg_out_float8, 8, true, true},
    {"inet_out", ps_pg_out_inet, 0, true, true},
    {"int2out", ps_pg_out_int2, 2, true, true},
    {"int2vectorout", ps_pg_out_int2vector, 0, false, false},
    {"int4out", ps_pg_out_int4, 4, true, true},
    {"int8out", ps_pg_out_int8, 8, true, true},
    {"interval_out", ps_pg_out_interval, 16, true, false},
    {"json_out", ps_pg_out_text, 0, false, false},
    {"jsonb_out", ps_pg_out_jsonb, 0, false, false},
    {"jsonpath_out", ps_pg_out_jsonpath, 0, false, false},
    {"line_out", ps_pg_out_line, 24, false, false},
    {"lseg_out", ps_pg_out_lseg, 32, false, false},
    {"macaddr8_out", ps_pg_out_macaddr, 8, true, true},
    {"macaddr_out", ps_pg_out_macaddr, 6, true, true},
    {"multirange_out", ps_pg_out_multirange, 0, false, false},
    {"nameout", ps_pg_out_name, 0, false, false},
    {"numeric_out", ps_pg_out_numeric, 0, true, true},
    {"oidout", ps_pg_out_oid, 4, true, true},
    {"oidvectorout", ps_pg_out_oidvector, 0, false, false},
    {"path_out", ps_pg_out_path, 0, false, false},
    {"pg_dependencies_out", ps_pg_out_dependencies, 0, false, false},
    {"pg_lsn_out", ps_pg_out_lsn, 8, true, true},
    {"pg_mcv_list_out", ps_pg_out_bytea, 0, true, false},
    {"pg_ndistinct_out", ps_pg_out_ndistinct, 0, false, false},
    {"pg_node_tree_out", ps_pg_out_text, 0, false, false},
    {"pg_snapshot_out", ps_pg_out_snapshot, 0, false, false},
    {"point_out", ps_pg_out_point, 16, false, false},
    {"poly_out", ps_pg_out_polygon, 0, false, false},
    {"range_out", ps_pg_out_range, 0, false, false},
    {"record_out", ps_pg_out_record, 0, false, false},
    {"regclassout", ps_pg_out_reg, 4, false, false},
    {"regcollationout", ps_pg_out_reg, 4, false, false},
    {"regconfigout", ps_pg_out_reg, 4, false, false},
    {"regdictionaryout", ps_pg_out_reg, 4, false, false},
    {"regnamespaceout", ps_pg_out_reg, 4, false, false},
    {"regoperatorout", ps_pg_out_reg, 4, false, false},
    {"regoperout", ps_pg_out_reg, 4, false, false},
    {"regprocedureout", ps_pg_out_reg, 4, false, false},
    {"regprocout", ps_pg_out_reg, 4, false, false},
    {"regroleout", ps_pg_out_reg, 4, false, false},
    {"regtypeout", ps_pg_out_reg, 4, false, false},
    {"textout", ps_pg_out_text, 0, false, false},
    {"tidout", ps_pg_out_tid, 6, false, false},
    {"time_out", ps_pg_out_time, 8, true, true},
    {"timestamp_out", ps_pg_out_timestamp, 8, true, false},
    {"timestamptz_out", ps_pg_out_timestamptz, 8, true, false},
    {"timetz_out", ps_pg_out_timetz, 12, true, true},
    {"tsqueryout", ps_pg_out_tsquery, 0, false, false},
    {"tsvectorout", ps_pg_out_tsvector, 0, false, false},
    {"txid_snapshot_out", ps_pg_out_snapshot, 0, false, false},
    {"unknownout", ps_pg_out_text, 0, false, false},
    {"uuid_out", ps_pg_out_uuid, 16, true, true},
    {"varbit_out", ps_pg_out_bit, 0, false, false},
    {"varcharout", ps_pg_out_text, 0, false, false},
    {"xid8out", ps_pg_out_xid8, 8, true, true},
    {"xidout", ps_pg_out_oid, 4, true, true},
    {"xml_out", ps_pg_out_xml, 0, false, false},
};

static int compare_names(const void *name, const void *entry)
{
    return strcmp(name, ((const struct ps_pg_out_entry *)entry)->name);
}

const struct ps_pg_out_entry *ps_pg_out_entry(const char *name)
{
    return bsearch(name, entries, sizeof(entries) / sizeof(entries[0]), sizeof(entries[0]),
                   compare_names);
}
