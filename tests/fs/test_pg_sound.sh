#!/bin/bash
# A PostgreSQL cluster that is odd and sound, after a crash that the server recovered from: nothing is
# said to be wrong, and rows are what COPY prints.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

fill()
{
    pg_sql -c 'CREATE DATABASE odd' && pg_sql -d odd -f "$root/tests/fs/pg_sound.sql" &&
        pg_sql -d odd -c BEGIN -c 'INSERT INTO prepared VALUES (10)' -c 'DELETE FROM prepared WHERE a = 1' \
            -c "PREPARE TRANSACTION 'x'" &&
        ! pg_sql -d odd -c 'CREATE UNIQUE INDEX CONCURRENTLY twice_a ON twice (a)'
}

# crash: while a session has a temporary table, and a transaction runs.
crash()
{
    mkfifo orders || return 1
    pg_sql -d odd <orders >answers 2>&1 &
    exec 7>orders
    echo 'CREATE TEMP TABLE fleeting AS SELECT g AS a FROM generate_series(1, 1000) g; CHECKPOINT; BEGIN;
        INSERT INTO saved SELECT g FROM generate_series(1, 5000) g; SELECT 4711;' >&7
    until grep -q 4711 answers; do
        kill -0 $! || { cat answers && return 1; }
        sleep 0.02
    done
    pg_stop immediate
    exec 7>&-
    wait $!
    rm -f "$pgdata/postmaster.pid"
}

# copy_rows: COPY of each relation with rows, in expected/, by the name of its folder.
copy_rows()
{
    mkdir expected && pg_sql -d odd -A -t -c "
        SELECT CASE WHEN relkind = 'r' THEN format('\\copy %s', c.oid::regclass)
                    ELSE format('\\copy (SELECT * FROM %s)', c.oid::regclass) END
               || format(' TO ''expected/%s.%s'' (FORMAT csv, HEADER)', nspname, relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind IN ('r', 'm', 'p') AND relpersistence <> 't' AND NOT relisshared AND nspname <> 'information_schema'" >copies &&
        { echo 'SET search_path = public, pg_catalog;' && cat copies; } | pg_sql -d odd
}

# zeros_of RELATION: how many pages of its file are all zero.
zeros_of()
{
    python3 - "$pgdata/${paths[$1]}" <<'END'
import sys
with open(sys.argv[1], "rb") as f:
    print(sum(not any(page) for page in iter(lambda: f.read(8192), b"")))
END
}

nothing_wrong()
{
    pagectl verify "$pgdata" >lines || { cat lines && return 1; }
    ! grep -v -e "	suspect	unchecked	" -e ": sound; " lines
}

needs_recovery()
{
    pagectl verify "$pgdata" | tail -n 1 | grep ": needs recovery; .* faults 0 "
}

rows_are_equal()
{
    local file count=0

    for file in expected/*; do
        cmp "$mnt/odd/${file##*/}/views/rows.csv" "$file" || return 1
        count=$((count + 1))
    done
    [ "$count" -gt 70 ] || { echo "only $count relations" && return 1; }
}

# As POSTGRESQL.md tells how deleted rows come back.
rows_come_back()
{
    pg_sql -d odd <<'END' && [ "$(cat back.csv)" = $'1,,""\n2,0,\n3,3,"two\n""lines"", \\"' ]
CREATE TABLE dead (place tid, made xid, ended xid, why text, LIKE lost);
\copy dead (place, made, ended, why, id, n, t) from 'dead.csv' csv header
SELECT min(ended::text::bigint) AS ended FROM dead \gset
INSERT INTO lost (id, n, t) OVERRIDING SYSTEM VALUE
    SELECT id, n, t FROM dead WHERE ended = :ended AND why = 'deleted';
\copy (SELECT id, n, t FROM lost ORDER BY id) to 'back.csv' csv
END
}

# lost RELATION BLOCK: once it is zero, verify names it, and nothing else.
lost()
{
    local file=$pgdata/${paths[$1]}

    cp "$file" kept && dd if=/dev/zero of="$file" bs=8192 seek="$2" count=1 conv=notrunc status=none || return 1
    pagectl verify "$pgdata" >lines
    cp kept "$file"
    [ "$(grep "	zero	" lines)" = "public.$1	${paths[$1]}	$2	-	fault	zero	the page is all zero, but its index has it in use" ]
}

cd "$work" || exit 1
pg_make -k --locale=C.UTF-8 --wal-segsize=1 || exit 1
mkdir "$mnt"
check "the server makes relations" pg_start
check "and fills them" fill
check "it crashes" crash
check "verify says that it needs recovery" needs_recovery
check "the server recovers" pg_start
check "COPY prints what there is" copy_rows
declare -A paths
for relation in hashed_id hashed_t sp_t sp_more; do
    paths[$relation]=$(pg_sql -d odd -A -t -c "SELECT pg_relation_filepath('$relation')")
done
check "it stops" pg_stop fast
check "nothing is wrong, not even suspect" nothing_wrong
check "though a hash index has pages of zeros" test "$(zeros_of hashed_id)" -gt 0
check "and an SP-GiST index" test "$(($(zeros_of sp_t) + $(zeros_of sp_more)))" -gt 0
check "a hash bucket's page that is lost is a fault" lost hashed_id 2
check "so is an SP-GiST index's root" lost sp_t 1
check "the cluster is mounted" pagefs "$pgdata" "$mnt"
check "rows are what COPY prints" rows_are_equal
check "deleted rows are there" cp "$mnt/odd/public.lost/views/dead.csv" dead.csv
check "it unmounts" umount.fuse.pagefs "$mnt"
check "the server starts once more" pg_start
check "and takes them back, each NULL and each empty text" rows_come_back
finish
