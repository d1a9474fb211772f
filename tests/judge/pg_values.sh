#!/bin/bash
# Usage: pg_values.sh PRINT_PG_VALUES
# PostgreSQL makes tables of every type; the library prints their values, from the bytes that
# pageinspect shows, as PostgreSQL does.
set -eu -o pipefail

here=$(realpath "$(dirname "$0")")
program=$(realpath "$1")
bindir=${PG_BINDIR:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
work=$(mktemp -d "${TMPDIR:-/tmp}/pg_values.XXXXXX")
server_user=postgres
id -u postgres >/dev/null 2>&1 || server_user=nobody

# The server refuses to run as root.
as_server() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$server_user" --regid="$(id -g "$server_user")" --clear-groups "$@"
    else
        "$@"
    fi
}

cleanup() {
    if [ -f "$work/data/postmaster.pid" ]; then
        as_server "$bindir/pg_ctl" -D "$work/data" -m immediate -w stop >/dev/null 2>&1 || true
    fi
    cd / && rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 2' INT TERM HUP

[ "$(id -u)" != 0 ] || chown "$server_user" "$work"
cd "$work"
as_server "$bindir/initdb" -D data -N -A trust -U judge --locale=C.UTF-8 -E UTF8 >initdb.log 2>&1 ||
    { cat initdb.log && exit 2; }
as_server "$bindir/pg_ctl" -D data -w -l "$work/server.log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$work' -c fsync=off" start >start.log 2>&1 ||
    { cat start.log server.log && exit 2; }
"$bindir/psql" -X -q -v ON_ERROR_STOP=1 -h "$work" -U judge -d postgres -f "$here/pg_values.sql" \
    >psql.log 2>&1 || { cat psql.log && exit 2; }
as_server "$bindir/pg_ctl" -D data -m fast -w stop >/dev/null 2>&1
"$program" "$work"
