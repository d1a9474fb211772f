#!/bin/bash
# A relation's file by itself: with what describes it, its rows are those that COPY printed.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

said=$work/said     # what the server said
copies=$work/copies # files, far from their cluster
mkdir "$said" "$copies" "$mnt" && chmod 777 "$said"

fill()
{
    pg_sql -c 'CREATE DATABASE shop' && pg_sql -d shop <<'END'
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (i int, t text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TYPE span AS RANGE (subtype = date);
CREATE TABLE long (id int PRIMARY KEY, gone text, plain text, packed text, m mood, ms mood[],
    p positive, pr pair, prs pair[], sp span, g int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE long ALTER plain SET STORAGE EXTERNAL;
INSERT INTO long SELECT i, 'gone', (SELECT string_agg(md5(i * 1000 + k || ''), '') FROM generate_series(1, 300) k),
    repeat('pglz ' || i, 5000), (ARRAY['sad', 'ok', 'happy']::mood[])[i % 3 + 1], ARRAY['ok', NULL, 'sad']::mood[],
    i, ROW(i, 'x,' || i)::pair, ARRAY[ROW(i, NULL), ROW(NULL, '()')]::pair[],
    span(date '2000-01-01' + i, date '2001-01-01' + i)
  FROM generate_series(1, 40) i;
ALTER TABLE long DROP COLUMN gone;
INSERT INTO long (id, m) VALUES (100, NULL), (101, 'happy');
DELETE FROM long WHERE id % 7 = 0;

CREATE TABLE common (id bigserial PRIMARY KEY, "Name, quoted" varchar(30) DEFAULT 'a;b' NOT NULL, c char(5),
    n numeric(10, 2), ts timestamptz(3), iv interval day to second, a text[], u uuid, j jsonb, b bit(3), ip inet,
    d double precision, "char" "char", t time with time zone);
INSERT INTO common ("Name, quoted", c, n, ts, iv, a, u, j, b, ip, d, "char", t) SELECT 'name ' || i, 'c' || i % 9,
    i / 7.0, timestamptz '2000-01-01' + i * interval '1 day', i * interval '1.5 s', ARRAY['a', 'b c', NULL, i::text],
    md5(i::text)::uuid, format('{"k": %s}', i)::jsonb, (i % 8)::bit(3), '10.0.0.1', i / 3.0, 'x', '12:34:56+02'
  FROM generate_series(1, 500) i;
CREATE TABLE parent (a int, b text);
CREATE TABLE child (c int) INHERITS (parent);
INSERT INTO child SELECT i, 'b' || i, -i FROM generate_series(1, 100) i;
END
}

# ask TABLE: COPY, which sets hint bits, too. Then where its files are.
ask()
{
    pg_sql -d shop -c "COPY (SELECT * FROM ONLY $1) TO STDOUT (FORMAT csv, HEADER)" >"$said/$1.all" &&
        pg_sql -d shop -c "COPY $1 TO STDOUT (FORMAT csv, HEADER)" >"$said/$1.csv" &&
        pg_sql -d shop -A -t -c "SELECT pg_relation_filepath('$1')" >"$said/$1.path" &&
        pg_sql -d shop -A -t -c "SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = '$1'::regclass" \
            >"$said/$1.toast"
}

# copy_out TABLE: its file, under its own name and the table's; its toast relation's.
copy_out()
{
    local file

    file=$(cat "$said/$1.path") && cp "$pgdata/$file" "$copies/" && cp "$pgdata/$file" "$copies/$1" &&
        cp "$pgdata/$(cat "$said/$1.toast")" "$copies/$1.long_values"
}

# shows FILE VIEW WHAT: with the mount's options before it, that view of the file is what WHAT has.
shows()
{
    local file=$1 view=$2 what=$3 status

    shift 3
    pagefs "$@" "$copies/$file" "$mnt" 2>"$work/notes" || { cat "$work/notes" && return 1; }
    cmp "$mnt/$(basename "$file")/views/$view" "$what"
    status=$?
    umount.fuse.pagefs "$mnt"
    return $status
}

# refused STATUS PATTERN OPTIONS FILE
refused()
{
    local status=$1 pattern=$2

    shift 2
    exits "$status" pagefs "$@" "$mnt" && grep -qE -- "$pattern" err || { cat err && return 1; }
}

node_of()
{
    basename "$(cat "$said/$1.path")"
}

views_are()
{
    pagefs -o "$1" "$copies/$2" "$mnt" && ls "$mnt/$2/views" >"$work/views" && umount.fuse.pagefs "$mnt" &&
        [ "$(echo $(cat "$work/views"))" = "$3" ] || { cat "$work/views" && return 1; }
}

export said pgdata copies work pg_bin
pg_make --locale=C.UTF-8 || exit 1
check "the server starts" pg_start
check "it makes tables" fill
for table in long common child; do
    check "it says what is in $table" ask $table
done
check "pg_dump writes what it takes to make them" sh "cd '$work/pg' &&
    '$pg_bin/pg_dump' -h '$work/pg' -U judge shop >'$work/dump.sql' &&
    '$pg_bin/pg_dump' -h '$work/pg' -U judge --schema-only shop >'$work/only.sql'"
pg_sql -c CHECKPOINT && cp "$pgdata/$(cat "$said/child.path")" "$copies/" || exit 1
check "catalogs of a server that runs are refused, with its pid" \
    refused 1 "catalogs=: .*$(head -1 "$pgdata/postmaster.pid")" -o "catalogs=$pgdata" "$copies/$(node_of child)"
check "and taken with -o live" shows "$(node_of child)" rows.csv "$said/child.csv" -o "live,catalogs=$pgdata"
check "the server stops" pg_stop fast
for table in long common child; do
    copy_out $table || exit 1
    sha256sum "$copies"/* >"$work/sums"
done
cp -a "$pgdata" "$work/backup"

# --- who describes it

check "by its cluster's catalogs its rows are COPY's" \
    shows "$(node_of long)" rows.csv "$said/long.csv" -o "catalogs=$pgdata,toast=$copies/long.long_values"
check "under another name too, when the table is named" \
    shows long rows.csv "$said/long.csv" -o "catalogs=$pgdata,table=shop/public.long,toast=$copies/long.long_values"
check "schema.sql of a mount has all that it takes" sh "pagefs -o 'catalogs=$pgdata,table=shop/public.long' '$copies/long' '$mnt' &&
    cp '$mnt/long/views/schema.sql' '$work/long.sql' && umount.fuse.pagefs '$mnt'"
check "by schema.sql its rows are COPY's, enums and dropped columns too" \
    shows long rows.csv "$said/long.csv" -o "schema=$work/long.sql,toast=$copies/long.long_values"
check "by pg_dump's schema its rows are COPY's" shows common rows.csv "$said/common.csv" -o "schema=$work/only.sql"
check "by a whole dump, data and all" shows common rows.csv "$said/common.csv" -o "schema=$work/dump.sql"
check "and of a table that inherits" shows child rows.csv "$said/child.csv" -o "schema=$work/only.sql"
cat >"$work/by_hand.sql" <<'END'
-- As it was created, and what was done to it then.
CREATE TYPE pair AS (i int, t text);
CREATE TABLE long (id int, gone text, plain text, packed text, m oid, ms oid[], p int, pr pair, prs pair[],
    sp daterange, g int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE long DROP COLUMN gone;
END
check "by statements of one's own, without the types' names" sh "
    pagefs -o 'schema=$work/by_hand.sql,toast=$copies/long.long_values' '$copies/long' '$mnt' &&
    python3 - '$mnt/long/views/rows.csv' '$said/long.csv' <<'END'
import csv, sys
csv.field_size_limit(1 << 30)
ours, theirs = (list(csv.reader(open(name, newline=''))) for name in sys.argv[1:])
skip = (theirs[0].index('m'), theirs[0].index('ms'))
strip = lambda rows: [[v for i, v in enumerate(row) if i not in skip] for row in rows]
assert len(ours) > 30 and strip(ours) == strip(theirs)
END
    status=\$?; umount.fuse.pagefs '$mnt'; exit \$status"
check "without its toast file a long value is an error there" sh "
    pagefs -o 'schema=$work/long.sql' '$copies/long' '$mnt' && ! cat '$mnt/long/views/rows.csv' >/dev/null 2>'$work/err'
    status=\$?; grep -q 'Input/output error' '$work/err' && ! grep . '$mnt/long/views/damage' || status=1
    umount.fuse.pagefs '$mnt'; exit \$status"
check "its toast file is a table beside it" sh "
    pagefs -o 'schema=$work/long.sql,toast=$copies/long.long_values' '$copies/long' '$mnt' &&
    [ \"\$(ls '$mnt' | tr '\n' ' ')\" = 'long long.long_values ' ] &&
    cmp '$mnt/long.long_values/views/image' '$copies/long.long_values' && umount.fuse.pagefs '$mnt'"
check "what nothing describes has no rows" views_are ro long \
    "checksums damage decoded heatmap.svg image space stats.json tuples.csv"
check "what is described has" views_are "schema=$work/long.sql" long \
    "checksums damage dead.csv decoded heatmap.svg image rows.csv schema.sql space stats.json tuples.csv undecided.csv"

# --- what cannot change is not asked about again and again

page_cache_reads_ask_for_few_attributes()
{
    local daemon

    pagefs -d -o kernel_cache "$copies/long.long_values" "$mnt" 2>"$work/requests" &
    daemon=$!
    until mountpoint -q "$mnt"; do kill -0 $daemon || return 1; done
    cmp "$mnt/long.long_values/views/image" "$copies/long.long_values" &&
        dd if="$mnt/long.long_values/views/image" bs=1k status=none | cmp - "$copies/long.long_values"
    [ "${PIPESTATUS[*]}" = "0 0" ] && umount.fuse.pagefs "$mnt" && wait $daemon &&
        grep -q 'opcode: READ ' "$work/requests" && [ "$(grep -c 'opcode: GETATTR ' "$work/requests")" -lt 50 ]
}

check "with -o kernel_cache reads do not ask for attributes each time" page_cache_reads_ask_for_few_attributes

# --- pagectl is told the same

misses_chunks()
{
    pagectl verify --schema "$work/long.sql" --toast "$copies/common.long_values" "$copies/long" >"$work/findings"
    [ $? = 1 ] && grep -q "toast-missing" "$work/findings"
}

long_by_catalogs="--catalogs $pgdata --table shop/public.long"
check "pagectl ls says what it is" \
    sh "pagectl ls $long_by_catalogs '$copies/long' | grep -q 'long  *table'"
check "pagectl verify finds its long values" \
    sh "pagectl verify $long_by_catalogs --toast '$copies/long.long_values' '$copies/long' | grep 'sound; .* faults 0'"
check "and in another relation's file misses them" misses_chunks
check "what describes a file is for no cluster, told by pagectl too" \
    sh "pagectl verify --schema '$work/long.sql' '$pgdata' 2>'$work/err'; [ \$? = 2 ] &&
        grep -q 'schema=: is for a relation' '$work/err'"

# --- a file that is younger than the backup that describes it

young()
{
    pg_start && pg_sql -d shop -c "INSERT INTO child SELECT i, 'young', i FROM generate_series(201, 250) i" &&
        pg_sql -d shop -c "DELETE FROM child WHERE a < 10" && ask child &&
        pg_sql -d shop -c "INSERT INTO child SELECT i, 'unread', i FROM generate_series(301, 310) i" &&
        pg_stop fast && copy_out child
}

check "the cluster goes on after the backup" young
check "a younger file's rows are COPY's by the older catalogs" \
    shows "$(node_of child)" rows.csv "$said/child.csv" -o "catalogs=$work/backup"
check "but for those that neither hint bits nor the backup tell of" sh "
    pagefs -o 'catalogs=$work/backup' '$copies/$(node_of child)' '$mnt' &&
    [ \$(grep -c unread '$mnt/$(node_of child)/views/undecided.csv') = 10 ] && umount.fuse.pagefs '$mnt'"
check "and by its own cluster's all are there" sh "
    pagefs -o 'catalogs=$pgdata' '$copies/$(node_of child)' '$mnt' &&
    [ \$(grep -c unread '$mnt/$(node_of child)/views/rows.csv') = 10 ] && umount.fuse.pagefs '$mnt'"

# --- what is wrong is said in one line

sed 's/numeric(10,2)/numeric(10/' "$work/only.sql" >"$work/bad.sql"
check "a mistake in the statements is told with line and column" \
    refused 2 "schema=: .*bad.sql: line [0-9]+, column [0-9]+: expected" -o "schema=$work/bad.sql" "$copies/common"
check "of several tables the candidates are told" \
    refused 2 "none is called as the file; its tables are public.parent, public.child, public.common, public.long: table= says" \
    -o "schema=$work/only.sql" "$copies/$(node_of common)"
check "a name that is no filenode asks for the table" \
    refused 2 "the name common is no filenode: table=DATABASE/SCHEMA.TABLE says" -o "catalogs=$pgdata" "$copies/common"
check "two that describe are one too many" \
    refused 2 "only one can describe a file" -o "catalogs=$pgdata,schema=$work/only.sql" "$copies/common"
check "what describes a file is for no cluster" refused 2 "schema=: is for a relation's file" -o "schema=$work/only.sql" "$pgdata"
check "pages are served also to a table that is not theirs, and rows are an error" sh "
    pagefs -o 'schema=$work/only.sql,table=public.child' '$copies/long' '$mnt' && ! cat '$mnt/long/views/rows.csv' >/dev/null 2>&1
    status=\$?; umount.fuse.pagefs '$mnt'; exit \$status"

# --- segments, sizes, checksums

tar -C "$work" -xf "$root/tests/data/pgcorpus.tar.xz" || exit 1
corpus=$work/pgcorpus
cp "$corpus/samples/t_seg.segment1" "$copies/t_seg.1"
cp "$corpus/samples/t_seg.segment1" "$copies/t_seg"
check "FILE.1 alone begins with block 131072" sh "pagefs '$copies/t_seg.1' '$mnt' 2>'$work/err' &&
    [ \$(ls '$mnt/t_seg.1' | head -1) = 0000131072 ] && grep -q 'taken as segment 1' '$work/err' &&
    grep -q '^131073,1,' '$mnt/t_seg.1/views/tuples.csv' && cat '$mnt/t_seg.1/131073' >/dev/null &&
    ! grep . '$mnt/t_seg.1/views/damage' && umount.fuse.pagefs '$mnt'"
check "segment= says so of any name" sh "pagefs -o segment=1 '$copies/t_seg' '$mnt' &&
    cat '$mnt/t_seg/131072' >/dev/null && umount.fuse.pagefs '$mnt'"
check "under a wrong segment_blocks= its checksums are wrong" sh "
    pagefs -o segment=1,segment_blocks=1000,checksums=on '$copies/t_seg' '$mnt' &&
    ! cat '$mnt/t_seg/1000' >/dev/null 2>&1 && umount.fuse.pagefs '$mnt'"
check "checksums=off looks at none" sh "
    pagefs -o segment=1,segment_blocks=1000,checksums=off '$copies/t_seg' '$mnt' &&
    cat '$mnt/t_seg/1000' >/dev/null && umount.fuse.pagefs '$mnt'"
truncate -s 65536 "$copies/empty"
check "page_size= is taken where no page tells it" sh "pagefs -o page_size=16K '$copies/empty' '$mnt' &&
    [ \$(ls '$mnt/empty' | grep -c '^[0-9]') = 4 ] && umount.fuse.pagefs '$mnt'"
check "pg_version= is in the stats" sh "pagefs -o pg_version=13 '$copies/common' '$mnt' &&
    [ \$(number '$mnt/.pagefs/stats' pg_version) = 13 ] && umount.fuse.pagefs '$mnt'"

# --- a file of page-db

pagedb()
{
    new_store && mounted && (cd "$mnt" && mkdir users && head -c 100000 "$copies/common" >users/views/payload) &&
        unmounted && cp "$store"/tables/[0-9]*.pages "$copies/" &&
        for file in "$copies"/*.pages; do
            pagefs "$file" "$mnt" || return 1
            if [ -e "$mnt/$(basename "$file")/views/payload" ]; then
                head -c 100000 "$mnt/$(basename "$file")/views/payload" >"$work/payload"
                ls "$mnt/$(basename "$file")/views" >"$work/views"
                (echo x >"$mnt/$(basename "$file")/0") 2>"$work/err"
            fi
            umount.fuse.pagefs "$mnt" || return 1
        done
}

check "a file of page-db mounts too" pagedb
check "its payload is there" sh "head -c 100000 '$copies/common' | cmp - '$work/payload'"
check "what is PostgreSQL's is not" sh "! grep -E 'csv|space|damage|sql' '$work/views'"
check "it is read-only" grep -q "Read-only file system" "$work/err"

check "no file was written to" sh "grep -vE '$(node_of child)|child' '$work/sums' | sha256sum -c --quiet"
finish
