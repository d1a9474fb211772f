# A real PostgreSQL server in a temporary folder, for tests that ask it. Sourced with $work set:
#
#   pg_make [INITDB OPTIONS]   a cluster in $pgdata; needs pg_start before it can be asked
#   pg_start, pg_stop [MODE]   fast, immediate (as a crash)
#   pg_sql [-d DB] ...         psql, stops at the first error
#   pg_bin                     where the server's programs are
#   as_server COMMAND          as the user that the server runs as, which is never root
#
# The caller stops it: pg_stop immediate does, whatever state it is in.
pgdata=$work/pg/data
pg_bin=${PG_BINDIR:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)}
pg_user=postgres
id -u postgres >/dev/null 2>&1 || pg_user=nobody

as_server()
{
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$pg_user" --regid="$(id -g "$pg_user")" --clear-groups "$@"
    else
        "$@"
    fi
}

pg_make()
{
    mkdir -p "$work/pg" && chmod 755 "$work" "$work/pg" || return 1
    [ "$(id -u)" != 0 ] || chown "$pg_user" "$work/pg" || return 1
    (cd "$work/pg" && as_server "$pg_bin/initdb" -D "$pgdata" -N -A trust -U judge -E UTF8 "$@") \
        >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" && return 1; }
    cat >>"$pgdata/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$work/pg'
fsync = off
autovacuum = off
synchronize_seqscans = off
max_prepared_transactions = 5
timezone = 'UTC'
datestyle = 'ISO'
intervalstyle = 'postgres'
END
}

pg_start()
{
    (cd "$work/pg" && as_server "$pg_bin/pg_ctl" -D "$pgdata" -w -l "$work/pg/server.log" start) \
        >"$work/pg_start.log" 2>&1 || { cat "$work/pg_start.log" "$work/pg/server.log" && return 1; }
}

pg_stop()
{
    [ -e "$pgdata/postmaster.pid" ] || return 0
    (cd "$work/pg" && as_server "$pg_bin/pg_ctl" -D "$pgdata" -w -m "${1:-fast}" stop) >/dev/null 2>&1
}

pg_sql()
{
    local database=postgres

    if [ "${1-}" = -d ]; then
        database=$2
        shift 2
    fi
    "$pg_bin/psql" -X -q -v ON_ERROR_STOP=1 -h "$work/pg" -U judge -d "$database" "$@"
}
