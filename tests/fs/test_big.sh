#!/bin/bash
# Large and empty tables cost nothing: operations and memory are counted, times only shown.
. "$(dirname "$0")/lib.sh"

options=wal_delay=60000,checkpoint_timeout=3600 # nothing happens but what is asked for

# rss: the daemon's resident memory, KiB.
rss()
{
    awk '$1 == "VmRSS:" { print $2 }' "/proc/$(cat "$store/lock")/status"
}

# costs_memory KIB COMMAND...: at most so much more of the daemon's, measured after it.
costs_memory()
{
    local before after began=$EPOCHREALTIME

    before=$(rss)
    "${@:2}" || return 1
    after=$(rss)
    echo "$((after - before)) KiB, $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
    [ $((after - before)) -le "$1" ]
}

# calls_of COMMAND...: the daemon's system calls on files meanwhile, a line `CALL COUNT` each.
calls_of()
{
    local tracer

    strace -f -qq -e trace=pread64,preadv2,pwrite64,pwritev2,fdatasync,fsync,fallocate,ftruncate \
        -o "$work/trace" -p "$(cat "$store/lock")" 2>"$work/attached" &
    tracer=$!
    while grep -L '^TracerPid:.*[1-9]' "/proc/$(cat "$store/lock")"/task/*/status | grep -q .; do
        kill -0 "$tracer" || return 1 # until all threads are traced
    done
    "$@"
    kill -INT "$tracer" && wait "$tracer"
    sed -nE 's/^[0-9]+ +([a-z0-9]+)\(.*/\1/p' "$work/trace" | sort | uniq -c
}

# change_one_page TABLE: and makes it durable.
change_one_page()
{
    head -c 100 /dev/urandom | dd of="$mnt/$1/views/payload" conv=notrunc,fdatasync status=none
}

show()
{
    sed 's/^/     /' out.check
}

export -f rss calls_of change_one_page

new_store || exit 1
mounted -o $options || exit 1
small=$(rss)
mkdir "$mnt/small" "$mnt/big" "$mnt/listed" || exit 1
check "a payload is truncated to 100 GiB in no memory" \
    costs_memory 4096 truncate -s 100G "$mnt/big/views/payload"
show
check "and takes no space" \
    bash -c '[ "$(du -k --total "$store/tables" | awk "END { print \$1 }")" -lt 2048 ]'
check "a table gets a million pages in no memory" \
    costs_memory 4096 truncate -s $((1000000 * 8192)) "$mnt/listed/views/image"
show
check "the first names of 13 million are there at once" \
    costs_memory 4096 bash -o pipefail -c \
    '{ ls -U "$mnt/big" 2>/dev/null || true; } | head -n 5 | grep -qx 0000000002'
show
check "a million names are listed in bounded memory" \
    costs_memory 16384 sh '[ "$(ls -U listed | wc -l)" = 1000002 ]'
show
check "far pages are written, and read back" \
    sh 'echo far | dd of=big/views/payload bs=1 seek=99G conv=notrunc status=none &&
        [ "$(dd if=big/views/payload bs=1 skip=99G count=3 status=none)" = far ]'
check "the store with it closes" unmounted
began=$EPOCHREALTIME
check "it mounts again" mounted -o $options
echo "     $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
check "in the memory of an empty one" bash -c "[ \$(rss) -le $((small + 4096)) ]"

for table in small big; do
    change_one_page $table # its space is allocated, its image logged
    change_one_page $table
    calls_of change_one_page $table >calls.$table
done
check "an fsync of one changed page writes and syncs" grep -q fdatasync calls.small
check "and costs the same calls in a table of 100 GiB as in one of a page" \
    diff calls.small calls.big
sed 's/^/     /' calls.small
check "the store closes cleanly" unmounted

# Beside the pool: the log's buffer, frames, maps, stacks, libraries.
check "it mounts with a small pool" mounted -o pool=16M
check "a table of five times the pool is written and read" \
    sh 'dd if=/dev/zero bs=64k count=1280 status=none | tr "\\0" x >"$work/xs"
        cp "$work/xs" small/views/payload && cmp "$work/xs" small/views/payload'
check "then the daemon needs less than 16 MiB beside the pool" \
    bash -c 'for i in {1..100}; do
                 [ $(rss) -lt $((32 * 1024)) ] && exit
                 sleep 0.1 # until the log has rested
             done
             echo "$(rss) KiB" && exit 1'
check "the store closes cleanly again" unmounted
check "and is sound" pagectl verify "$store"
finish
