#!/bin/bash
# PostgreSQL directories with what nobody expects in them: files that are none, relations that are
# larger than the disk, names that are too long.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

long=$(printf '/%.0s' $(seq 62)) # encoded, each byte takes three

fill()
{
    pg_sql -c 'CREATE DATABASE shop' && pg_sql -d shop <<END
CREATE TABLE plain (id int);
INSERT INTO plain SELECT generate_series(1, 100);
CREATE TABLE other (id int);
INSERT INTO other SELECT generate_series(1, 1000);
VACUUM other;
CREATE TABLE parts (id int) PARTITION BY LIST (id);
CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parts VALUES (1);
CREATE SCHEMA "${long}1";
CREATE TABLE "${long}1"."${long}1" (id int);
CREATE TABLE "${long}1"."${long}2" (id int);
INSERT INTO "${long}1"."${long}2" VALUES (12);
INSERT INTO "${long}1"."${long}1" VALUES (11);
VACUUM "${long}1"."${long}1";
CREATE UNLOGGED TABLE fleeting (id int);
CREATE FUNCTION by_rest(int, int) RETURNS int LANGUAGE sql IMMUTABLE AS
    'SELECT 2 * btint4cmp(\$1 % 100, \$2 % 100) + btint4cmp(\$1, \$2)';
CREATE OPERATOR CLASS by_rest FOR TYPE int USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 by_rest(int, int);
CREATE TABLE rests (id int);
INSERT INTO rests SELECT generate_series(1, 3000);
CREATE INDEX rests_id ON rests (id by_rest);
CREATE INDEX rests_twice ON rests (id by_rest, id);
CHECKPOINT;
END
    for database in shop bytes icu; do
        case $database in
        bytes) pg_sql -c "CREATE DATABASE bytes TEMPLATE template0 LOCALE 'C'" ;;
        icu) pg_sql -c "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en' LOCALE 'C'" ;;
        esac
        pg_sql -d $database -c "CREATE TABLE words (w text PRIMARY KEY)" \
            -c "INSERT INTO words SELECT chr(65 + i % 58) || md5(i::text) FROM generate_series(1, 2000) i" || return 1
    done
    plain=$(pg_sql -d shop -A -t -c "SELECT pg_relation_filepath('plain')") &&
        other=$(pg_sql -d shop -A -t -c "SELECT pg_relation_filepath('other')")
}

mounted_pg()
{
    pagefs "$@" "$pgdata" "$mnt" 2>"$work/said"
}

# with COMMAND: mounted, it is true of the mount.
with()
{
    local result

    mounted_pg || return 1
    bash -c "cd '$mnt' && { $1
    }"
    result=$?
    umount.fuse.pagefs "$mnt" && return $result
}

# instead COMMAND CHECK: what COMMAND puts in the place of plain's file.
instead()
{
    local result

    mv "$pgdata/$plain" "$work/plain" && (cd "$pgdata" && eval "$1" "$plain") && with "$2"
    result=$?
    rm -rf "${pgdata:?}/$plain" && mv "$work/plain" "$pgdata/$plain" && return $result
}

taken_as_missing='ls -l shop >/dev/null && [ $(cat shop/public.other/views/rows.csv | wc -l) = 1001 ] &&
    [ "$(cat shop/public.plain/views/rows.csv 2>/dev/null)" = id ] && ! cat shop/public.plain/views/rows.csv &&
    grep -q "$plain.*taken as missing" .pagefs/notes && grep -q "public.plain" .pagefs/notes &&
    grep -q "public.plain.*missing" shop/public.plain/views/damage'

# 1 TiB of holes.
grow()
{
    truncate -s 1G "$pgdata/$plain" && for i in $(seq 1023); do
        truncate -s 1G "$pgdata/$plain.$i" || return 1
    done
}

killed_at_once()
{
    python3 - "$@" <<'END'
import subprocess, sys, time
for view in sys.argv[1:]:
    p = subprocess.Popen(["cat", view], stdout=subprocess.DEVNULL)
    time.sleep(0.3)
    begin = time.monotonic()
    p.kill()
    p.wait()
    if time.monotonic() - begin > 2:
        sys.exit(f"reading {view} goes on for {time.monotonic() - begin} s")
END
}

peak_kib()
{
    awk '/^VmHWM/ { print $2 }' "/proc/$(daemon_pid)/status"
}

daemon_pid()
{
    pgrep -n -f "^pagefs .*$mnt\$"
}

# No catalogs, and a name of each form among 50,000.
many_files()
{
    mkdir -p "$work/many/base/5" "$work/many/global" && cd "$work/many/base/5" && seq 100000 150000 | xargs touch &&
        touch 100001_fsm 100001_vm 100001_init t3_100002 t3_100002_fsm 4294967295 7_other 017 &&
        pagefs "$work/many" "$mnt" 2>/dev/null
}

# No catalogs, which are looked for in all of 12,000 relations of a page each.
small_files()
{
    mkdir -p "$work/small/base/5" "$work/small/global" && cd "$work/small/base/5" || return 1
    python3 - "$pgdata/$other" <<'END'
import resource, subprocess, sys
with open(sys.argv[1], "rb") as f:
    page = f.read(8192)
for node in range(100000, 112000):
    with open(str(node), "wb") as f:
        f.write(page)
subprocess.run(["pagectl", "verify", "../.."], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
if kib > 200000:
    sys.exit(f"it took {kib} KiB")
END
}

# A thousand names, of the last that there are, in what a second of the daemon's time is enough for.
found_at_once()
{
    local before after

    cd "$mnt/5/.by-filenode" && [ "$(printf '%s\n' * | grep -c .)" = 50007 ] || return 1
    before=$(awk '{ print $14 }' "/proc/$(daemon_pid)/stat")
    seq 149001 150000 | xargs stat -c '%F %n' | grep -c '^symbolic link [0-9]*$' | grep -qx 1000 || return 1
    after=$(awk '{ print $14 }' "/proc/$(daemon_pid)/stat")
    [ $((after - before)) -lt "$(getconf CLK_TCK)" ]
}

pg_make -k --locale=C.UTF-8 || exit 1
mkdir "$mnt"
check "the server makes tables" pg_start
check "and fills them" fill
check "it stops" pg_stop fast
export plain other pgdata
export -f killed_at_once peak_kib daemon_pid found_at_once

unchecked_words()
{
    pagectl verify "$pgdata" >"$work/findings" || { cat "$work/findings" && return 1; }
    [ "$(awk '$1 == "public.words_pkey" { print $6 }' "$work/findings" | sort | uniq -c | xargs)" = "2 unchecked" ]
}
check "keys of words are in order of bytes, and judged where that is the collation: not by libc's C.UTF-8, nor ICU" \
    unchecked_words
check "keys of an operator class that users made are not judged by the order of their type" \
    bash -c '[ "$(awk "\$1 ~ /^public.rests_/ { print \$1, \$5, \$6 }" "$work/findings" | sort)" = \
        "public.rests_id suspect unchecked
public.rests_twice suspect unchecked" ]'
check "names that had to be cut are in .rows, too" \
    with '[ $(ls shop/.rows | grep -c "~[0-9]*.csv$") = 2 ] && cat shop/.rows/*~*.csv | tr "\n" " " | grep -q "id 11 id 12"'
check "what had to be cut has forks that are found" \
    with 'ls -d shop/*~*.vm/views/image && [ $(ls -l shop 2>&1 | grep -c "?") = 0 ]'
check "a partitioned relation belongs to whom the cluster belongs to" \
    with '[ "$(stat -c "%U %a" shop/public.parts)" = "$(stat -c "%U %a" "$pgdata")" ] &&
        [ "$(stat -c %Y shop/public.parts)" -gt 1000000000 ]'
check "a relation whose file is gone is named" \
    instead : 'ls shop >/dev/null && grep -qx "shop/public.plain: its file ${plain##*/} is missing" .pagefs/notes'
check "a pipe instead of a file is as none" instead mkfifo "$taken_as_missing"
check "a folder, too" instead mkdir "$taken_as_missing"
check "a link, too, wherever it leads" instead 'ln -s /etc/passwd' "$taken_as_missing"
check "pipes instead of small files cost what they say" \
    bash -c 'cp -a "$pgdata" "$work/odd" && cd "$work/odd" && rm -r PG_VERSION base/5/pg_filenode.map pg_xact &&
        mkfifo PG_VERSION base/5/pg_filenode.map pg_xact postmaster.pid backup_label &&
        ln -s loop base/loop && ln -s 77 base/77 && ln -s / base/66 &&
        timeout 20 pagefs "$work/odd" "$mnt" 2>"$work/said" && cd "$mnt" && grep -q PG_VERSION .pagefs/notes &&
        grep -q base/5/pg_filenode.map .pagefs/notes && grep -q backup_label .pagefs/stats && [ "$(ls 66)" = orphans ] &&
        [ $(cat shop/public.plain/views/rows.csv shop/public.plain/views/undecided.csv | wc -l) = 102 ] && cd / &&
        umount.fuse.pagefs "$mnt"'
check "a relation of 1 TiB takes no time to be seen" \
    bash -c 'cp "$pgdata/$plain" "$work/plain"' && grow && mounted_pg
check "its first rows come without the rest" \
    bash -c 'cd "$mnt/shop" && ls public.plain/views >/dev/null && timeout 20 dd if=public.plain/views/rows.csv bs=1M count=1 2>/dev/null |
        [ "$(wc -l)" = 101 ] && [ "$(timeout 10 ls -l public.plain/views | wc -l)" -gt 5 ]'
check "whoever reads it is killed at once, whatever the view" \
    bash -c 'cd "$mnt/shop/public.plain/views" && killed_at_once rows.csv dead.csv undecided.csv tuples.csv space damage \
        checksums stats.json heatmap.svg'
check "memory stays what it is" bash -c '[ "$(peak_kib)" -lt 400000 ]'
check "it unmounts" umount.fuse.pagefs "$mnt"

check "what has no catalogs is searched for them in little memory" small_files
check "a database of 50,000 files is mounted" many_files
check "each of them is found at once in .by-filenode" bash -c found_at_once
check "so is each form of a name, and nothing else" \
    bash -c 'cd "$mnt/5/.by-filenode" && ls -d 100001_fsm/ 100001_vm/ 100001_init/ t3_100002/ t3_100002_fsm/ 4294967295/ &&
        for name in 017 7_other 0100001 100001_main 100001_ t3_ t_100002 t-1_100002 1663.100001 .100001 t3_100001 \
            100001x 4294967296 99999; do ! stat "$name" 2>/dev/null || exit 1; done'
check "that unmounts, too" umount.fuse.pagefs "$mnt"
finish
