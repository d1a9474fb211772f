#!/bin/bash
# mount.sh in a copy of the sources, as somebody who just fetched them would call it.
. "$(dirname "$0")/../tools/lib.sh"

at_exit()
{
    ./mount.sh --stop >/dev/null 2>&1
    ./mount.sh --stop "$work/own mnt" >/dev/null 2>&1
}

tar -C "$root" -c --exclude='./build*' --exclude=./.git --exclude='./.store*' --exclude=./mnt . |
    tar -x
# The programs are built already: what is tested here is the rest.
mkdir build && cp -r "$bin" build/bin
sed -i '0,/^case /s//build_programs() { :; }\ncase /' mount.sh

# Kills the daemon of `own store`, and waits until it is gone.
crash()
{
    kill -9 "$(cat "own store/lock")" && flock "own store/lock" true
}

# Runs the commands that mount.sh says are worth trying.
try_suggestions()
{
    local line commands=0

    while read -r line; do
        commands=$((commands + 1))
        bash -o pipefail -c "${line%%   *} >tried" || {
            echo "does not work: ${line%%   *}"
            return 1
        }
    done < <(sed -n '/^worth trying:/,/^stop:/p' "$1" | grep '^  ' | sed 's/ | head//')
    [ "$commands" -eq 6 ]
}

check "--help prints the usage" sh "./mount.sh --help | grep '^usage: ./mount.sh'"
check "an unknown option is wrong usage" exits 2 ./mount.sh --frobnicate
check "one word is wrong usage" exits 2 ./mount.sh onlystore
check "--stop with nothing mounted is no failure" ./mount.sh --stop

check "it mounts a demo store" sh "./mount.sh >said"
check "what it suggests works" try_suggestions said
check "a second call says that it is mounted already" sh "./mount.sh | grep 'mounted at .*/mnt already'"
check "the relation is PostgreSQL's, byte for byte behind LSN and checksum" sh "
    tar -xJf tests/data/pgcorpus.tar.xz pgcorpus/cluster/base/16384/16497 &&
    cmp <(for p in mnt/t_mixed/00*; do tail -c +11 \$p; done) <(
        for ((p = 0; p < 12; p++)); do
            dd if=pgcorpus/cluster/base/16384/16497 bs=8192 skip=\$p count=1 status=none | tail -c +11
        done)"
check "--stop unmounts" ./mount.sh --stop
check "the lock is free then" flock -n .store/lock true
check "the store was left clean" exits 0 pagectl verify .store
check "the demo store is kept" sh "./mount.sh && ls mnt/gpl3/0000000000 && ./mount.sh --stop"

check "a store of one's own is made if there is none" \
    sh "./mount.sh 'own store' 'own mnt' >said && grep 'making an empty store' said"
check "what it suggests works on it" try_suggestions said
check "a second call says so, too" sh "./mount.sh 'own store' 'own mnt' | grep already"
check "mounting it elsewhere is refused, and says where it is" \
    sh "! ./mount.sh 'own store' elsewhere 2>err && grep 'is mounted at .*own mnt already' err"
check "another store at the same place is refused" \
    sh "! ./mount.sh .store 'own mnt' 2>err && grep 'own store is mounted at' err"
check "--stop MNT unmounts it" ./mount.sh --stop "own mnt"
check "nothing stays behind in the mount's folder" rmdir "own mnt"

check "it mounts again" ./mount.sh "own store" "own mnt"
crash
check "--stop fails after a crash, and says that the store was not left clean" \
    sh "! ./mount.sh --stop 'own mnt' 2>err && grep 'not left clean' err"
check "the next mount recovers it" sh "./mount.sh 'own store' 'own mnt' && ls 'own mnt/notes/0000000000'"
crash
check "a call on a dead mount mounts anew" \
    sh "./mount.sh 'own store' 'own mnt' && ls 'own mnt/notes/0000000000'"
check "and stops" ./mount.sh --stop "own mnt"
finish
