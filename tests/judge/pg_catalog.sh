#!/bin/bash
# Usage: pg_catalog.sh PRINT_PG_CATALOG
# PostgreSQL makes relations of every kind; the library reads their names, columns and rows from
# the stopped server's files. They are what PostgreSQL says; and tables made by the library's
# statements, with the rows that it reads, have the same rows.
set -eu -o pipefail

here=$(realpath "$(dirname "$0")")
program=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/pg_catalog.XXXXXX")
. "$here/../support/pg_server.sh"

cleanup() {
    pg_stop immediate || true
    cd / && rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 2' INT TERM HUP

# Names as pagefs encodes them.
encoded() {
    echo "replace(replace(replace(replace($1, '%', '%25'), '/', '%2F'), '.', '%2E'), '~', '%7E')"
}

ask_relations() {
    pg_sql -d judge -At -F $'\t' -c "
        SELECT c.oid, CASE WHEN octet_length(dir) > 255
                           THEN regexp_replace(left(dir, 254 - length(c.oid::pg_catalog.text)),
                                               '%.?$', '') || '~' || c.oid
                           ELSE dir END, relkind, relpersistence,
               coalesce(amname, ''), coalesce(pg_relation_filenode(c.oid), 0), reltoastrelid,
               coalesce(indrelid, 0), 'f'
        FROM pg_catalog.pg_class c JOIN pg_namespace n ON n.oid = relnamespace
             CROSS JOIN LATERAL (SELECT $(encoded nspname) || '.' || $(encoded relname) AS dir) d
             LEFT JOIN pg_am a ON a.oid = relam LEFT JOIN pg_index i ON i.indexrelid = c.oid
        WHERE relkind IN ('r', 'i', 'S', 't', 'm', 'p', 'I') AND NOT relisshared"
}

ask_columns() {
    pg_sql -d judge -At -F $'\t' -c "
        SELECT attrelid, attnum, attname, atttypid, atttypmod, attnotnull, attisdropped,
               attgenerated, atthasmissing
        FROM pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid
        WHERE attnum > 0 AND relkind IN ('r', 'i', 'S', 't', 'm', 'p', 'I') AND NOT relisshared"
}

same() { # WHAT EXPECTED FOUND
    if ! diff <(sort "$2") <(sort "$3") >difference; then
        echo "$1:" && head -n 20 difference && exit 1
    fi
}

# COPY of each table, in a folder; a partitioned or materialized one by way of SELECT.
copy_tables() { # DATABASE FOLDER
    local oid name
    mkdir "$2"
    while IFS=$'\t' read -r oid name; do
        pg_sql -d "$1" -c "SET search_path = pg_catalog, public" \
            -c "\\copy (SELECT * FROM $name) TO '$2/$oid' (FORMAT csv, HEADER)"
    done <names
}

cd "$work"
mkdir out space
[ "$(id -u)" != 0 ] || chown "$pg_user" space
pg_make --locale=C.UTF-8 && pg_start || exit 2
pg_sql -c 'CREATE DATABASE judge' -c 'CREATE DATABASE global' -c 'CREATE DATABASE "a/b"' \
    -c 'CREATE DATABASE "a%2Fb"' -c "CREATE TABLESPACE judge_space LOCATION '$work/space'"
pg_sql -d judge -f "$here/pg_catalog.sql" >psql.log 2>&1 || { cat psql.log && exit 2; }
! pg_sql -d judge -c 'CREATE UNIQUE INDEX CONCURRENTLY late_never ON late (a)' >psql.log 2>&1 || exit 2
ask_relations >relations
ask_columns >columns
pg_sql -d judge -At -F $'\t' -c "
    SELECT c.oid, quote_ident(nspname) || '.' || quote_ident(relname)
    FROM pg_catalog.pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'm') AND c.oid >= 16384 ORDER BY c.oid" >names
pg_stop

for database in %67lobal a%2Fb a%252Fb postgres judge; do
    rm -rf out/*
    "$program" "$pgdata" "$database" out 2>notes || { cat notes && exit 1; }
    [ ! -s notes ] || { cat notes && exit 1; }
done
same "relations of PostgreSQL < and those of the files >" relations out/relations
same "columns of PostgreSQL < and those of the files >" columns out/columns
same "tables of PostgreSQL < and those of the files >" <(cut -f 1 names) out/tables

# The same tables once more, by statements and rows.
pg_start || exit 2
pg_sql -c 'CREATE DATABASE again'
pg_sql -d again -c 'CREATE SCHEMA s' \
    -c "CREATE FUNCTION s.double(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT \$1 * 2'" \
    -c 'CREATE OPERATOR s.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)'
while IFS=$'\t' read -r oid name; do
    pg_sql -d again -f "out/$oid.sql" >psql.log 2>&1 || { cat psql.log "out/$oid.sql" && exit 1; }
    case $name in *.regs) continue ;; esac # names in values need not exist there
    pg_sql -d again -c "SET search_path = pg_catalog, public" \
        -c "\\copy $name FROM 'out/$oid.csv' (FORMAT csv, HEADER)" >psql.log 2>&1 ||
        { cat psql.log "out/$oid.sql" && exit 1; }
done <names
copy_tables judge expected
copy_tables again found
while IFS=$'\t' read -r oid name; do
    case $name in
    *.regs) same "$name of PostgreSQL < and of the files >" "expected/$oid" "out/$oid.csv" ;;
    *) same "$name of PostgreSQL < and made again >" "expected/$oid" "found/$oid" ;;
    esac
done <names
# What is left out, its statements say: foreign keys, indexes of expressions and of some rows, what is
# not valid.
ask_definitions() { # DATABASE
    pg_sql -d "$1" -At -c "
        SELECT c.oid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               attgenerated, attcollation::regcollation, pg_get_expr(adbin, adrelid)
        FROM pg_catalog.pg_class c JOIN pg_attribute ON attrelid = c.oid
             LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE c.oid >= 16384 AND relkind IN ('r', 'p', 'm') AND attnum > 0 AND NOT attisdropped" \
        -c "SELECT conrelid::regclass, contypid::regtype, conname, pg_get_constraintdef(oid)
            FROM pg_constraint WHERE contype IN ('p', 'u', 'c') AND convalidated AND oid >= 16384" \
        -c "SELECT rngtypid::regtype, rngsubtype, rngcollation, opcname, rngsubdiff
            FROM pg_range JOIN pg_opclass o ON o.oid = rngsubopc WHERE rngtypid >= 16384" \
        -c "SELECT sequencename, data_type, start_value, min_value, max_value, increment_by, cycle, cache_size,
                   last_value FROM pg_sequences WHERE sequencename <> 'sq'" \
        -c "SELECT indexrelid::regclass, pg_get_indexdef(indexrelid) FROM pg_index
            WHERE indexrelid >= 16384 AND indrelid >= 16384 AND indexprs IS NULL AND indpred IS NULL AND indisvalid
                  AND NOT indrelid::regclass::pg_catalog.text LIKE 'pg_toast%'"
}
ask_definitions judge >expected/definitions
ask_definitions again >found/definitions
same "definitions of PostgreSQL < and made again >" expected/definitions found/definitions
pg_sql -d again -At -c "SELECT nextval('defaults_id_seq')" >value
[ "$(cat value)" = 4 ] || { echo "the sequence goes on with $(cat value)" && exit 1; }

sql_of() { # TABLE
    echo "out/$(awk -F '\t' -v name="public.$1" '$2 == name { print $1 }' names).sql"
}
# says TABLE LINE: its statements have it.
says() {
    grep -qxF -e "$2" "$(sql_of "$1")" ||
        { echo "of $1 there is no: $2" && exit 1; }
}
says calling '-- Create the function s.double first, or the extension that has it.'
says calling '-- Create the operator s."===" first, or the extension that has it.'
says heir '-- It inherits from public.parent; made as a table by itself, with the columns it has from there.'
says late '-- It holds for newer rows only, so add it once the rows are there:'
says late '-- ALTER TABLE ONLY public.late ADD CONSTRAINT "from now on" CHECK ((a > 0)) NOT VALID;'
says late '-- Left out: CHECK constraint lines.'
says late '-- Left out: CHECK constraint carriage return.'
says late '-- Left out: index late_ordered, of an expression, of some rows, or of what is not known here.'
says late '-- Left out: index late_never, which is not valid: making it failed.'
! grep -qF 'Create the operator class' "$(sql_of late)" ||
    { echo "late shall need what only an index that is left out uses" && exit 1; }
