#!/bin/bash
# Usage: pg_values.sh PRINT_PG_VALUES
# PostgreSQL makes tables of every type; the library prints their values, from the bytes that
# pageinspect shows, as PostgreSQL does.
set -eu -o pipefail

here=$(realpath "$(dirname "$0")")
program=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/pg_values.XXXXXX")
. "$here/../support/pg_server.sh"

cleanup() {
    pg_stop immediate || true
    cd / && rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 2' INT TERM HUP

cd "$work"
pg_make --locale=C.UTF-8 && pg_start || exit 2
pg_sql -f "$here/pg_values.sql" >psql.log 2>&1 || { cat psql.log && exit 2; }
pg_stop
"$program" "$work"
