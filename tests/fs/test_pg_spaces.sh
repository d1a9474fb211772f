#!/bin/bash
# PostgreSQL directories that are not all in one folder or not at rest: tablespaces, their links and
# what hostile ones lead to; base backups, standbys, crashed clusters. Nothing of them is written.
. "$(dirname "$0")/lib.sh"
. "$root/tests/support/pg_server.sh"
trap 'pg_stop immediate; leave_nothing' EXIT

out=$work/out # where tablespaces lie
copy=$work/copy

fill()
{
    mkdir "$out" "$out/one" "$out/two" && { [ "$(id -u)" != 0 ] || chown -R "$pg_user" "$out"; } &&
        pg_sql -c "CREATE TABLESPACE one LOCATION '$out/one'" -c "CREATE TABLESPACE two LOCATION '$out/two'" \
            -c 'SET allow_in_place_tablespaces = on' -c "CREATE TABLESPACE inside LOCATION ''" \
            -c 'CREATE DATABASE shop' -c 'CREATE DATABASE whole TABLESPACE two' &&
        pg_sql -d whole -c 'CREATE TABLE w (id int)' -c 'INSERT INTO w VALUES (1)' &&
        pg_sql -d shop -c 'CREATE TABLE near (id int)' -c 'CREATE TABLE far (id int) TABLESPACE one' \
            -c 'CREATE TABLE inner_one (id int) TABLESPACE inside' \
            -c 'INSERT INTO near SELECT generate_series(1, 1000)' \
            -c 'INSERT INTO far SELECT generate_series(1, 5000)' \
            -c 'CREATE TABLE large (id int) TABLESPACE one' -c 'INSERT INTO large SELECT generate_series(1, 400000)' \
            -c 'INSERT INTO inner_one SELECT generate_series(1, 10)' -c CHECKPOINT || return 1
    one=$(pg_sql -A -t -c "SELECT oid FROM pg_tablespace WHERE spcname = 'one'") &&
        two=$(pg_sql -A -t -c "SELECT oid FROM pg_tablespace WHERE spcname = 'two'") &&
        near=$(pg_sql -d shop -A -t -c "SELECT pg_relation_filepath('near')")
}

# rows NEAR FAR INNER_ONE WHOLE: the lines of their rows.csv; `eio` where that is an error, `gone` where there is none.
rows()
{
    local table want got

    for table in shop/public.near shop/public.far shop/public.inner_one whole/public.w; do
        want=$1 && shift
        if ! got=$(timeout 10 cat "$mnt/$table/views/rows.csv" 2>"$work/err" | wc -l; exit "${PIPESTATUS[0]}"); then
            got=$(grep -q 'Input/output' "$work/err" && echo eio || echo gone)
        fi
        [ "$got" = "$want" ] || { echo "$table: $got, not $want" && cat "$mnt/.pagefs/notes" && return 1; }
    done
}

times()
{
    (cd "$1" && find . -printf '%p %s %A+ %T+ %C+ %l\n' | sort)
}

# shows OPTIONS SOURCE NOTE ROWS...: mounted, its notes have a line that matches NOTE, and so many rows; nothing is touched.
shows()
{
    local options=$1 source=$2 note=$3 result=0

    shift 3
    find "$source" -type f -exec touch -a -d 2001-01-01 {} + || return 1
    times "$source" >/dev/null # a link's time of access is renewed by whoever reads where it leads
    times "$source" >"$work/times"
    timeout 30 pagefs -o "$options" "$source" "$mnt" 2>"$work/said" || { cat "$work/said" && return 1; }
    rows "$@" || result=1
    [ -z "$note" ] || grep -q -- "$note" "$mnt/.pagefs/notes" || { cat "$mnt/.pagefs/notes" && result=1; }
    cat "$mnt"/shop/public.*/* "$mnt"/shop/public.*/views/* "$mnt"/.pagefs/* >/dev/null 2>&1
    umount.fuse.pagefs "$mnt" && times "$source" | diff "$work/times" - && return $result
}

refused()
{
    ! timeout 30 pagefs -o "$1" "$pgdata" "$mnt" 2>"$work/said" && says_one_line "$work/said" "$2"
}

# leads COMMAND...: instead of the link to the tablespace `one`, in a copy.
leads()
{
    rm -f "$copy/pg_tblspc/$one" && "$@" "$copy/pg_tblspc/$one"
}

hostile()
{
    mkfifo "$work/fifo" &&
        leads ln -s /etc && shows follow_links "$copy" "$one: /etc has no folder PG_" 1001 eio 11 2 &&
        leads ln -s "$one" && shows follow_links "$copy" "pg_tblspc/$one: .*symbolic links" 1001 eio 11 2 &&
        leads ln -s "$work/fifo" && shows follow_links "$copy" "pg_tblspc/$one: .*Not a directory" 1001 eio 11 2 &&
        leads ln -s /dev/zero && shows follow_links "$copy" "pg_tblspc/$one: .*Not a directory" 1001 eio 11 2 &&
        leads mkfifo && shows follow_links "$copy" "tablespace $one: .*Not a directory" 1001 eio 11 2 &&
        leads ln -s "$copy" && shows follow_links "$copy" "$one: .*has no folder PG_" 1001 eio 11 2 &&
        leads ln -s ../../out/one && shows follow_links "$copy" '' 1001 5001 11 2
}

# The folder of a version, or of a database, is never a link.
hostile_inside()
{
    local version

    version=$(basename "$out/one"/PG_*)
    mkdir "$work/linked" && ln -s "$out/one/$version" "$work/linked/$version" && leads ln -s "$work/linked" &&
        shows follow_links "$copy" 'symbolic link, which is not followed' 1001 eio 11 2
}

# While it is read its file becomes what COMMAND makes of it: what was read stays, then there is an error.
changes_under()
{
    local large result=0

    rm -rf "$work/out2" && cp -a "$out" "$work/out2" && leads ln -s "$work/out2/one" || return 1
    large=$(find "$work/out2/one" -size +8M -type f)
    pagefs -o follow_links,pool=4M "$copy" "$mnt" 2>/dev/null || return 1
    python3 - "$mnt/shop/public.large/views/rows.csv" "$1 '$large'" <<'END' || result=1
import errno, os, subprocess, sys
view, command = sys.argv[1:]
fd = os.open(view, os.O_RDONLY)
got = os.read(fd, 4096)
subprocess.run(command, shell=True, check=True)
try:
    while piece := os.read(fd, 4096):
        got += piece
    end = 0
except OSError as e:
    end = e.errno
whole = b"id\n" + b"".join(b"%d\n" % i for i in range(1, 400001))
if not whole.startswith(got) or len(got) == len(whole) or end != errno.EIO:
    sys.exit(f"{len(got)} bytes of {len(whole)}, then errno {end}")
END
    rows 1001 5001 11 2 || result=1
    umount.fuse.pagefs "$mnt" && return $result
}

# backup NAME OPTIONS...: by pg_basebackup, into $work/pg/NAME; its tablespaces beside it.
backup()
{
    local name=$1

    shift
    (cd "$work/pg" && as_server "$pg_bin/pg_basebackup" -h "$work/pg" -U judge -D "$work/pg/$name" -c fast "$@") \
        >"$work/backup.log" 2>&1 || { cat "$work/backup.log" && return 1; }
}

plain_backup()
{
    backup plain -X stream -T "$out/one=$work/pg/plain1" -T "$out/two=$work/pg/plain2" &&
        shows follow_links "$work/pg/plain" 'not recovered: a base backup .*the log is there up to' 1001 5001 11 2 &&
        shows ro "$work/pg/plain" 'not followed' 1001 eio 11 gone
}

tar_backup()
{
    local oid tar=$work/pg/tar

    backup tar -F tar -X none && mkdir "$work/untar" && tar -xf "$tar/base.tar" -C "$work/untar" || return 1
    for oid in $one $two; do
        mkdir "$work/$oid" && tar -xf "$tar/$oid.tar" -C "$work/$oid" || return 1
    done
    shows ro "$work/untar" "tablespace_map: a link to $out/one, which is not followed: say tablespace=$one=DIR" \
        1001 eio eio gone &&
        shows "tablespace=$one=$work/$one,tablespace=$two=$work/$two" "$work/untar" \
            'not recovered: a base backup .* is missing' 1001 5001 eio 2 &&
        shows follow_links "$work/untar" '' 1001 5001 eio 2
}

# state NUMBER WORDS: what pg_control says of the copy, with a right checksum.
state()
{
    python3 - "$copy/global/pg_control" "$1" <<'END'
import struct, sys
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
with open(sys.argv[1], "r+b") as f:
    control = bytearray(f.read())
    control[16:20] = struct.pack("<I", int(sys.argv[2]))
    control[288:292] = struct.pack("<I", crc32c(control[:288]))
    f.seek(0)
    f.write(control)
END
}

states()
{
    local number=0 words

    for words in 'starting up' 'shut down' 'shut down in recovery' 'shutting down' 'in crash recovery' \
        'in archive recovery' 'in production' 'unrecognized'; do
        state $number || return 1
        if [ $number = 1 ]; then
            shows follow_links "$copy" '' 1001 5001 11 2 && ! grep 'not recovered' "$work/said" || return 1
        else
            shows follow_links "$copy" "not recovered: the state is \"$words\"" 1001 5001 11 2 || return 1
        fi
        number=$((number + 1))
    done
    state 1
}

killed()
{
    local pid

    pg_start && pg_sql -d shop -c 'INSERT INTO near VALUES (0)' && pid=$(head -n 1 "$pgdata/postmaster.pid") &&
        kill -9 "$pid" || return 1
    until pg_is_gone; do
        :
    done
    shows follow_links "$pgdata" 'not recovered: the state is "in production" and no server runs' 1001 5001 11 2 &&
        rm "$pgdata/postmaster.pid" "$work"/pg/.s.PGSQL.*.lock # its number may not be free yet
}

# No process has the folder for its own.
pg_is_gone()
{
    local cwd

    for cwd in /proc/[0-9]*/cwd; do
        [ "$(readlink "$cwd" 2>/dev/null)" != "$pgdata" ] || return 1
    done
}

pg_make -k --locale=C.UTF-8 || exit 1
mkdir "$mnt"
check "the server makes tablespaces" pg_start
check "and fills them" fill
check "a base backup is not recovered, its tablespaces are found by their links" plain_backup
check "and one of tar files, by its map" tar_backup
check "the server stops" pg_stop fast
cp -a "$pgdata" "$copy"

check "tablespaces outside are not followed unasked" shows ro "$pgdata" "say tablespace=$one=DIR or follow_links" 1001 eio 11 gone
check "but by their links" shows follow_links "$pgdata" '' 1001 5001 11 2
check "or each by name" shows "tablespace=$two=$out/two" "$pgdata" "pg_tblspc/$one: a link" 1001 eio 11 2
check "what is not followed is no fault" \
    bash -c "pagectl verify '$pgdata' >'$work/verify' 2>/dev/null && grep -q 'suspect	missing	.*tablespace $one' '$work/verify'"
check "what is, is checked" \
    bash -c "pagectl verify --follow-links '$pgdata' >'$work/verify' 2>&1 && ! grep missing '$work/verify' &&
        pagectl ls --follow-links '$pgdata' | grep -q shop/public.far &&
        pagectl dump --follow-links '$pgdata' shop/public.far 0 | grep -q pd_checksum"
mv "$out/one" "$out/moved"
check "links that dangle cost what they lead to" shows follow_links "$pgdata" "pg_tblspc/$one: .*No such file" 1001 eio 11 2
check "and a lost tablespace is a fault" bash -c "! pagectl verify --follow-links '$pgdata' >'$work/verify' 2>&1 &&
    grep -q 'public.far	.*fault	missing' '$work/verify'"
check "tablespace= says where it is now" \
    shows "follow_links,tablespace=$one=$out/moved" "$pgdata" '' 1001 5001 11 2
mv "$out/moved" "$out/one"
check "one tablespace has one place" refused "tablespace=$one=$out/one,tablespace=$one=$out/two" "$one: is given twice"
check "base/ is where it is" refused "tablespace=1663=$out/one" 'tablespace=1663: is base/'
check "a place that is none is refused" refused "tablespace=$one=/nonexistent" 'No such file'
check "links that lead to what is no tablespace are told" hostile
check "links inside of a tablespace, too" hostile_inside
check "a file that shrinks while it is read is an error where it ends" changes_under 'truncate -s 16384'
leads ln -s "$out/one"
check "each state of pg_control has its word" states
check "a server that is killed leaves a cluster that is not recovered" killed
check "what comes up again is whole" pg_start
finish
