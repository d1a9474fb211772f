#!/bin/bash
# A cluster that a server has just left: every row as its COPY printed it, every tuple as its
# pageinspect did; and the way back into a server.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

said=$work/said # what the server said
mkdir "$said" && chmod 777 "$said"

# Tables of many kinds, with rows of every fate.
fill()
{
    pg_sql -c 'CREATE DATABASE shop' -c 'CREATE DATABASE global' -c 'CREATE DATABASE "a/b"' || return 1
    "$pg_bin/pgbench" -h "$work/pg" -U judge -i -q -s 5 shop >"$work/pgbench.log" 2>&1 &&
        "$pg_bin/pgbench" -h "$work/pg" -U judge -n -c 4 -t 250 shop >>"$work/pgbench.log" 2>&1 ||
        { cat "$work/pgbench.log" && return 1; }
    pg_sql -d shop <<'END'
CREATE EXTENSION pageinspect;
CREATE EXTENSION pgstattuple;
CREATE SCHEMA "s.x";
CREATE TABLE "s.x".y (a int);
CREATE SCHEMA s;
CREATE TABLE s."x.y" (a int);
CREATE TABLE "a/b" (a int);
CREATE TABLE "a%2Fb" (a int);
CREATE TABLE "t.fsm" (a int);
CREATE TABLE t (a int);
INSERT INTO "s.x".y VALUES (1);
INSERT INTO s."x.y" VALUES (2);
INSERT INTO "a/b" VALUES (3);
INSERT INTO "a%2Fb" VALUES (4);
INSERT INTO "t.fsm" VALUES (5);
INSERT INTO t SELECT generate_series(1, 1000);

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (i int, t text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE kinds (
    id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(10, 2),
    c char(5), v varchar(10), t text, ba bytea, d date, ti time, tt timetz, ts timestamp,
    tz timestamptz, iv interval, u uuid, j json, jb jsonb, ia int[], ta text[][], nm name, o oid,
    ip inet, ci cidr, ma macaddr, m mood, p positive, pr pair, prs pair[], bi bit(7), vb varbit,
    r int4range, mr int4multirange, tr tstzrange, pt point, po polygon, ce circle, tv tsvector,
    tq tsquery, mo money, l pg_lsn, g int GENERATED ALWAYS AS (id * 2) STORED);
INSERT INTO kinds SELECT
    i, i % 3 = 0, i, i::int8 * 1000000007, i / 7.0, exp(i % 700), i / 3.0, i / 7.0, 'c' || i % 9,
    'v' || i, CASE i % 5 WHEN 0 THEN '' WHEN 1 THEN NULL WHEN 2 THEN E'a,"b"\n\\.' ELSE 'äöü€😀' || i END,
    decode(md5(i::text), 'hex'), date '0001-01-01' - 100000 + i * 1234, time '00:00' + i * interval '1.234567 s',
    timetz '12:34:56.789+05:30', timestamp '2000-01-01' - i * interval '1 year 3 days 0.000001 s',
    timestamptz '2000-01-01' + i * interval '100 days', i * interval '1 mon -1 day 1.5 s',
    md5(i::text)::uuid, format('{"k": [%s, null]}', i)::json, format('{"k": [%s, null, {"a": "b\"c"}]}', i)::jsonb,
    ARRAY[i, NULL, -i], ARRAY[ARRAY['a', 'b c'], ARRAY[NULL, '"q\']], 'n' || i, i + 4000000000,
    ('10.0.' || i % 256 || '.1/24')::inet, ('10.' || i % 256 || '.0.0/16')::cidr, '08:00:2b:01:02:03',
    (ARRAY['sad', 'ok', 'happy']::mood[])[i % 3 + 1], i, ROW(i, 'x,' || i)::pair, ARRAY[ROW(i, NULL), ROW(NULL, '()')]::pair[],
    (i % 128)::bit(7), (i % 16)::bit(4)::varbit, int4range(i, i + 10), int4multirange(int4range(1, 3), int4range(i + 5, i + 9)),
    tstzrange(NULL, timestamptz '2020-01-01' + i * interval '1 day'), point(i, -i / 3.0),
    polygon '((0,0),(1,1),(2,0))', circle(point(i, 1), i), to_tsvector('simple', 'the cat ' || i),
    to_tsquery('simple', 'cat & !(dog | fish:*)'), i * 1.01::money, ('0/' || i)::pg_lsn
  FROM generate_series(1, 500) i;
INSERT INTO kinds (id, d, ts, tz, f4, f8, n, iv, r, t) VALUES
    (1001, 'infinity', '-infinity', 'infinity', 'NaN', '-Infinity', 'NaN', '-178000000 years', 'empty', '\.'),
    (1002, '4713-11-24 BC', '4713-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999+00', 1e-45, 5e-324,
     1e-1000, '0', '(,)', ','),
    (1003, NULL, NULL, NULL, 3.4028235e38, 1.7976931348623157e308, 9e131071, NULL, NULL, '"');

CREATE TABLE toasted (id int, plain text, compressed text, lz text COMPRESSION lz4, wide bytea);
ALTER TABLE toasted ALTER plain SET STORAGE EXTERNAL;
INSERT INTO toasted SELECT i, (SELECT string_agg(md5(i * 1000 + k || ''), '') FROM generate_series(1, 300) k),
    repeat('pglz ' || i, 5000), repeat('lz4 ' || i, 5000),
    (SELECT string_agg(decode(md5(k || '-' || i), 'hex'), '') FROM generate_series(1, i * 100) k)
  FROM generate_series(1, 40) i;
UPDATE toasted SET compressed = compressed || 'x' WHERE id % 3 = 0;
DELETE FROM toasted WHERE id % 7 = 0;

CREATE TABLE changed (id int, was text, v int);
INSERT INTO changed SELECT i, 'dropped', i FROM generate_series(1, 3000) i;
ALTER TABLE changed DROP COLUMN was;
ALTER TABLE changed ADD COLUMN later text DEFAULT 'not there, yet read';
ALTER TABLE changed ADD COLUMN nothing int;
UPDATE changed SET v = v + 1 WHERE id % 2 = 0;
DELETE FROM changed WHERE id % 10 = 3;
VACUUM changed;
UPDATE changed SET v = v + 1 WHERE id % 4 = 0;
BEGIN; INSERT INTO changed VALUES (9001, 1); UPDATE changed SET v = -1; ROLLBACK;
BEGIN; INSERT INTO changed VALUES (9002, 2);
SAVEPOINT a; INSERT INTO changed VALUES (9003, 3); ROLLBACK TO a;
SAVEPOINT b; INSERT INTO changed VALUES (9004, 4); RELEASE b; COMMIT;
BEGIN; SELECT count(*) FROM (SELECT * FROM changed WHERE id < 100 FOR UPDATE) x; COMMIT;
BEGIN; SELECT count(*) FROM (SELECT * FROM changed WHERE id < 50 FOR SHARE) x;
SAVEPOINT c; UPDATE changed SET v = 7 WHERE id < 20; COMMIT;
BEGIN; INSERT INTO changed VALUES (9005, 5); UPDATE changed SET v = -5 WHERE id = 1000;
PREPARE TRANSACTION 'later';
DELETE FROM changed WHERE id BETWEEN 2000 AND 2020; -- what was prepared keeps them from VACUUM
UPDATE changed SET v = -2 WHERE id BETWEEN 2100 AND 2110;
BEGIN; INSERT INTO changed VALUES (9006, 6); ROLLBACK;

CREATE TABLE parts (k int, t text) PARTITION BY RANGE (k);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_b (t text, k int);
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES FROM (100) TO (200);
INSERT INTO parts SELECT i, 'part ' || i FROM generate_series(0, 199) i;
CREATE MATERIALIZED VIEW matview AS SELECT id, v FROM changed WHERE id < 50;
CREATE UNLOGGED TABLE unlogged AS SELECT generate_series(1, 10) AS n;
CREATE SEQUENCE seq;
SELECT nextval('seq');
VACUUM FULL pg_class;
ANALYZE;
END
}

# More than one segment of 1 GiB.
fill_big()
{
    pg_sql -d shop -c "CREATE TABLE big AS SELECT i, repeat(md5(i::text), 30) AS t
                         FROM generate_series(1, 1150000) i" &&
        [ "$(pg_sql -d shop -A -t -c "SELECT pg_relation_size('big') > 1 << 30")" = t ]
}

# The names that mounts have, of a schema and a relation.
encoded()
{
    python3 - "$@" <<'END'
import sys
def encode(name):
    return "".join(c if c not in "/%.~" and ord(c) >= 32 else "%%%02X" % ord(c) for c in name)
print(encode(sys.argv[1]) + "." + encode(sys.argv[2]))
END
}

catalogs="pg_class pg_attribute pg_proc pg_statistic"

# COPY first, as it sets hint bits; then what pageinspect shows.
ask_server()
{
    local schema name kind dir query

    pg_sql -d shop -A -t -F ' ' -c "
        SELECT nspname, relname, relkind FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE relkind IN ('r', 'm', 'p') AND (nspname IN ('public', 's', 's.x') OR
               nspname = 'pg_catalog' AND relname = ANY (string_to_array('$catalogs', ' ')))" \
        >"$said/relations" || return 1
    while read -r schema name kind; do
        dir=$(encoded "$schema" "$name")
        query="\"$schema\".\"$name\""
        case $kind in
        p) query="(SELECT * FROM $query ORDER BY tableoid)" ;;
        m) query="(SELECT * FROM $query)" ;;
        esac
        pg_sql -d shop -c "COPY $query TO STDOUT (FORMAT csv, HEADER)" >"$said/$dir.rows" || return 1
    done <"$said/relations"
    while read -r schema name kind; do
        [ "$kind" != p ] || continue
        dir=$(encoded "$schema" "$name")
        query=\'\"${schema}\".\"${name}\"\'
        pg_sql -d shop -c "COPY (SELECT b AS blkno, lp, lp_off, lp_flags, lp_len, t_xmin, t_xmax,
            t_field3, t_ctid, t_infomask2, t_infomask, t_hoff, t_bits, t_oid
            FROM generate_series(0, pg_relation_size($query) / 8192 - 1) b,
                 heap_page_items(get_raw_page($query, b::int)) ORDER BY 1, 2)
            TO STDOUT (FORMAT csv, HEADER)" >"$said/$dir.tuples" || return 1
        pg_sql -d shop -A -t -F ' ' -c "SELECT table_len, tuple_count, tuple_len, dead_tuple_count,
            dead_tuple_len, free_space FROM pgstattuple($query)" >"$said/$dir.space" || return 1
    done <"$said/relations"
}

# same VIEW: that file of each relation is what the server said.
same()
{
    local schema name kind dir bad=0

    while read -r schema name kind; do
        dir=$(encoded "$schema" "$name")
        [ -e "$said/$dir.$2" ] || continue
        cmp "$said/$dir.$2" "$mnt/shop/$dir/views/$1" || bad=1
    done <"$said/relations"
    return $bad
}

same_space()
{
    local file dir

    for file in "$said"/*.space; do
        dir=$(basename "$file" .space)
        [ "$(cat "$file")" = "$(awk '$1 !~ /percent|damaged/ { printf "%s%s", sep, $2; sep = " " }' \
            "$mnt/shop/$dir/views/space")" ] || { echo "$dir" && return 1; }
    done
}

contents()
{
    cd "$pgdata" && find . -type f -print0 | sort -z | xargs -0 sha256sum
}

# With times of access that any read would renew.
times()
{
    cd "$pgdata" && find . -printf '%p %s %A+ %T+ %C+\n' | sort
}

lost_file()
{
    local path

    path=$(pagectl ls "$pgdata" | awk '$1 == "shop/public.kinds" { print $4 }') || return 1
    cp -a "$pgdata" "$work/lost" && rm "$work/lost/$path" && ! pagectl verify "$work/lost" >"$work/verify" &&
        awk -F '\t' '$5 == "fault"' "$work/verify" | cut -f 1,6 | sort -u >"$work/faults" &&
        grep -qx "public.kinds	missing" "$work/faults" && ! grep -v "^public.kinds" "$work/faults"
}

# Every relation of users into a new database, by what the mount gives.
take_out()
{
    local dir

    mkdir -p "$work/out" || return 1
    for dir in public.kinds public.toasted public.changed public.parts s.x%2Ey; do
        cp "$mnt/shop/$dir/views/schema.sql" "$work/out/$dir.sql" &&
            cp "$mnt/shop/$dir/views/rows.csv" "$work/out/$dir.csv" || return 1
    done
}

put_back()
{
    local file dir table

    pg_sql -c 'DROP DATABASE IF EXISTS back' -c 'CREATE DATABASE back' || return 1
    for file in "$work"/out/*.sql; do
        dir=$(basename "$file" .sql)
        table=$(sed 's/%2E/./; s/^\([^.]*\)\.\(.*\)$/"\1"."\2"/' <<<"$dir")
        pg_sql -d back -f "$file" >"$work/back.log" 2>&1 || { cat "$file" "$work/back.log" && return 1; }
        pg_sql -d back -c "\\copy $table from '$work/out/$dir.csv' csv header" || return 1
        pg_sql -d back -c "COPY (SELECT * FROM $table) TO STDOUT (FORMAT csv, HEADER)" >"$work/was" || return 1
        pg_sql -d shop -c "COPY (SELECT * FROM $table) TO STDOUT (FORMAT csv, HEADER)" >"$work/is" || return 1
        diff <(sort "$work/was") <(sort "$work/is") >"$work/diff" ||
            { echo "$dir differs:" && head -5 "$work/diff" && return 1; }
    done
}

# What a mount with -o live shows of tables that change.
watched()
{
    pg_sql -d shop -c 'CREATE TABLE w AS SELECT generate_series(1, 10000) AS i' -c 'SELECT count(*) FROM w' \
        -c 'CREATE TABLE full_of AS SELECT * FROM w' -c 'CREATE TABLE gone AS SELECT * FROM w' -c CHECKPOINT >"$work/log" &&
        mount_pg -o live && [ "$(wc -l <"$mnt/shop/public.w/views/rows.csv")" = 10001 ] &&
        pg_sql -d shop -c 'INSERT INTO w SELECT generate_series(10001, 20000)' -c 'SELECT count(*) FROM w' -c CHECKPOINT \
            >"$work/log" &&
        [ "$(tail -n 1 "$mnt/shop/public.w/views/rows.csv")" = 20000 ] &&
        [ "$(wc -l <"$mnt/shop/public.w/views/rows.csv")" = 20001 ]
}

replaced()
{
    local t

    for t in full_of gone; do
        [ "$(wc -l <"$mnt/shop/public.$t/views/rows.csv")" = 10001 ] || return 1
    done
    pg_sql -d shop -c 'VACUUM FULL full_of' -c 'DROP TABLE gone' -c 'CREATE TABLE fresh AS SELECT 7 AS i' -c CHECKPOINT || return 1
    for t in full_of gone fresh; do
        ! cat "$mnt/shop/public.$t/views/rows.csv" 2>"$work/why" && grep -q 'No such file' "$work/why" || return 1
    done
    umount.fuse.pagefs "$mnt" && mount_pg -o live && [ "$(wc -l <"$mnt/shop/public.full_of/views/rows.csv")" = 10001 ] &&
        [ "$(tail -n 1 "$mnt/shop/public.fresh/views/rows.csv")" = 7 ] && [ ! -e "$mnt/shop/public.gone" ] &&
        umount.fuse.pagefs "$mnt" && pg_sql -d shop -c 'DROP TABLE w, full_of, fresh'
}

mount_pg()
{
    pagefs "$@" "$pgdata" "$mnt"
}

export said pgdata
export work pg_bin
export -f same same_space encoded contents times pg_sql

pg_make -k --locale=C.UTF-8 || exit 1
mkdir "$mnt"
check "the server starts" pg_start
check "it makes tables of many kinds" fill
[ -z "${PS_LONG-}" ] || check "one of them is larger than a segment" fill_big
check "rows that are written meanwhile are seen once they are in the files" watched
check "a relation whose file was replaced or removed is missing, not empty, until it is mounted again" replaced
check "it says what is in them" ask_server
check "a cluster whose server runs is refused, with its pid" \
    bash -c "pagefs '$pgdata' '$mnt' 2>&1 | grep -q \"$(head -1 "$pgdata/postmaster.pid")\""
check "and mounted with -o live" bash -c "pg_sql -c CHECKPOINT && pagefs -o live '$pgdata' '$mnt' && ls '$mnt/shop' &&
    umount.fuse.pagefs '$mnt'"
check "the server stops" pg_stop fast

(contents) >"$work/contents"
find "$pgdata" -type f -exec touch -a -d 2001-01-01 {} +
(times) >"$work/times"
check "the cluster is mounted" mount_pg
check "databases are folders, and names never meet" \
    bash -c 'cd "$mnt" && ls -d shop global postgres template0 template1 %67lobal a%2Fb global/pg_catalog.pg_database \
        shop/public.a%2Fb shop/public.a%252Fb shop/s%2Ex.y shop/s.x%2Ey shop/public.t shop/public.t%2Efsm \
        shop/public.t.fsm'
check "rows.csv is what COPY prints, of each relation" same rows.csv rows
check "tuples.csv is what pageinspect shows" same tuples.csv tuples
check "space has pgstattuple's figures" same_space
check ".rows has them, too" \
    bash -c 'cmp "$said/public.kinds.rows" "$mnt/shop/.rows/public.kinds.csv" &&
        [ "$(cd "$mnt/shop/.rows" && grep -l "v500" *)" = public.kinds.csv ]'
check "rows that were deleted or superseded are in dead.csv" \
    bash -c 'head -1 "$mnt/shop/public.changed/views/dead.csv" | grep -qx "ctid,xmin,xmax,why,id,v,later,nothing" &&
        grep -q ",deleted,2001,2001," "$mnt/shop/public.changed/views/dead.csv" &&
        grep -q ",updated,2101,2101," "$mnt/shop/public.changed/views/dead.csv" &&
        grep -q ",aborted,9006,6," "$mnt/shop/public.changed/views/dead.csv"'
check "rows of a prepared transaction are undecided" \
    bash -c 'grep -q ",9005,5," "$mnt/shop/public.changed/views/undecided.csv"'
check ".by-filenode leads to relations" \
    bash -c 'cd "$mnt/shop/.by-filenode" && for f in *; do [ -d "$f/views" ] || exit 1; done &&
        [ "$(readlink * | grep -cx ../public.kinds)" = 1 ]'
check "no file is an orphan" bash -c '! grep . "$mnt/shop/orphans"'
check "nothing can be written" \
    bash -c 'cd "$mnt/shop/public.t" && ! { echo x >0000000000; } 2>/dev/null && ! mkdir "$mnt/new" 2>/dev/null && ! rm 0 2>/dev/null'
check "page-files, image and checksums agree" \
    bash -c 'cd "$mnt/shop/public.kinds" && xxhsum -c -q views/checksums && cmp <(cat 0*) views/image'
check "what is needed for the way back is taken" take_out
check "it unmounts" umount.fuse.pagefs "$mnt"
check "no time of the cluster has changed" bash -c 'times | diff "$work/times" -'
check "and no byte" bash -c 'contents | diff "$work/contents" -'
check "nothing in it is wrong" \
    bash -c 'pagectl verify "$pgdata" >"$work/verify" && grep -q ": sound; .* faults 0 " "$work/verify"'
check "a file that is lost is a fault" lost_file
check "pagectl ls lists relations" bash -c 'pagectl ls "$pgdata" | grep -q "shop/public.kinds "'
check "pagectl dump decodes a page" \
    bash -c 'pagectl dump "$pgdata" shop/public.kinds 0 | grep -q "pd_checksum"'

check "the server starts again" pg_start
check "schema.sql and rows.csv give equal tables in another database" put_back
check "rows are committed before it crashes" \
    pg_sql -d shop -c 'CREATE TABLE late (a int)' -c 'INSERT INTO late SELECT generate_series(1, 100)'
check "the server crashes" pg_stop immediate
check "a crashed cluster is mounted as not recovered, and says so" \
    bash -c 'pagefs "$pgdata" "$mnt" 2>&1 | grep -q "not recovered" && grep -q "^pg_not_recovered .*recovery would begin at 0/" "$mnt/.pagefs/stats"'
check "its older tables are there" bash -c 'wc -l <"$mnt/shop/public.kinds/views/rows.csv" | grep -q "[0-9][0-9][0-9]"'
check "it unmounts, too" umount.fuse.pagefs "$mnt"
finish
