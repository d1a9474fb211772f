#!/bin/bash
# Random tables with random histories: what COPY of their server prints is what a mount shows, and
# schema.sql and rows.csv make them again. PS_LONG: for minutes, with seeds that nobody has tried;
# PS_SEED=N: one round, of that seed.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

if [ -n "${PS_LONG-}" ]; then
    seed=$(date +%s) seconds=480
else
    seed=1 seconds=6
fi
export PG_BIN=$pg_bin PG_SOCKET=$work/pg

# Transaction ids wrap around a hundred transactions from here: what there is, is frozen, so that
# none of it is older than 2^31 transactions, or younger.
near_the_wrap()
{
    local xid=4294967196 segment=$pgdata/pg_xact/0FFF

    pg_start && as_server "$pg_bin/vacuumdb" -q -h "$work/pg" -U judge -a -F && pg_stop &&
        as_server "$pg_bin/pg_resetwal" -x "$xid" "$pgdata" >"$work/resetwal.log" &&
        as_server dd if=/dev/zero of="$segment" bs=256K count=1 status=none && pg_start
}

pg_make -k --locale=C.UTF-8 || exit 1
mkdir "$mnt"
check "the server starts" near_the_wrap
check "random tables are shown as their server shows them" \
    python3 "$root/tests/fs/pg_random.py" "$seed" "$seconds" "$pgdata" "$mnt"
cat out.check
finish
