#!/bin/bash
# Builds pagefs and mounts a store; see --help.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$here/build
bin=$build/bin
. "$here/packages.sh"

usage()
{
    cat <<'END'
usage: ./mount.sh                  mount a demo store (.store, made on first use) at ./mnt
       ./mount.sh STORE MNT        mount a store of your own; made if there is none
       ./mount.sh --stop [MNT]     unmount (./mnt), wait until all is on disk

Installs what is missing through apt-get, builds what has changed in ./build, and returns when the
mount is usable. Calling it again does no harm. --stop returns when the daemon is gone and the
store's lock is free; it fails if the store was not left clean.
END
}

die()
{
    echo "mount.sh: $*" >&2
    exit 1
}

# The mount table's \040 and the like to characters.
unescape()
{
    printf '%b' "${1//\\/\\0}"
}

# mount_entry FIELD VALUE OTHER: of the last pagefs mount whose FIELD (source or dir) is VALUE, the
# field OTHER; fails if there is none. Mounts may hide one another: the last one is what is seen.
mount_entry()
{
    local source dir type rest found=

    while read -r source dir type rest; do
        [ "$type" = fuse.pagefs ] && [ "$(unescape "${!1}")" = "$2" ] && found=${!3}
    done </proc/self/mounts
    [ -n "$found" ] && unescape "$found"
}

# source_of MNT: what pagefs shows there; fails if it shows nothing.
source_of()
{
    mount_entry dir "$1" source
}

# mount_of STORE: where pagefs shows it; fails if nowhere.
mount_of()
{
    mount_entry source "$1" dir
}

# Passes on what ninja prints, and says so once it builds something: it cannot tell beforehand.
tell_of_building()
{
    local line told=

    while IFS= read -r line; do
        if [ -z "$told" ] && [[ $line == *Building* ]]; then
            echo "building in $build" >&2
            told=1
        fi
        printf '%s\n' "$line"
    done
}

build_programs()
{
    local log

    # shellcheck disable=SC2086 # lists of words
    install_packages $PACKAGES_BUILD $PACKAGES_DEMO
    if [ ! -e "$build/build.ninja" ]; then
        cmake -S "$here" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DPS_TESTS=OFF >/dev/null ||
            die "cmake failed in $build"
    fi
    log=$(ninja -C "$build" pagefs pagectl | tell_of_building) || die "the build failed: $log"
}

# stop MNT: unmounts, waits for the daemon, says how the store was left.
stop()
{
    local mnt=$1 store lock

    store=$(source_of "$mnt") || {
        echo "nothing is mounted at $mnt"
        return 0
    }
    lock=$(sed -n 's/^lock  *//p' "$mnt/.pagefs/stats" 2>/dev/null) || lock= # its daemon is dead
    fusermount3 -u "$mnt" || return 1
    if [ "$lock" = lost ]; then
        echo "mount.sh: the lock file of $store was removed: others may have written it" >&2
        return 1
    fi
    if [ -e "$store/lock" ]; then
        flock "$store/lock" true
        if ! "$bin/pagectl" ls "$store" >/dev/null; then
            echo "mount.sh: $store was not left clean; the next mount recovers it" >&2
            return 1
        fi
    fi
    echo "unmounted $mnt"
}

# make_demo STORE: a native table with the lines of a text, and a relation as PostgreSQL wrote it.
# Everything is done under another name first, so that an interrupted run leaves no half of it.
make_demo()
{
    local part=$1.part mnt=$1.part.mnt relation=pgcorpus/cluster/base/16384/16497

    echo "making a demo store in $1"
    if source_of "$mnt" >/dev/null; then
        stop "$mnt" >/dev/null || die "cannot unmount $mnt"
    fi
    rm -rf "$part"
    mkdir -p "$mnt"
    "$bin/pagectl" init "$part"
    "$bin/pagectl" create "$part" gpl3 --type slotted
    "$bin/pagectl" load "$part" gpl3 /usr/share/common-licenses/GPL-3
    "$bin/pagectl" create "$part" t_mixed --format postgres
    "$bin/pagefs" "$part" "$mnt"
    tar -xJOf "$here/tests/data/pgcorpus.tar.xz" "$relation" >"$mnt/t_mixed/views/image"
    stop "$mnt" >/dev/null || die "cannot unmount $mnt"
    rmdir "$mnt"
    mv "$part" "$1"
}

# mount_store STORE MNT: MNT is absolute.
mount_store()
{
    local store=$1 mnt=$2 source

    if source=$(source_of "$mnt") && stat "$mnt" >/dev/null 2>&1; then
        [ "$source" = "$store" ] || die "$source is mounted at $mnt already"
        echo "$store is mounted at $mnt already"
        return 0
    fi
    if source=$(mount_of "$store") && stat "$source" >/dev/null 2>&1; then
        die "$store is mounted at $source already"
    fi
    mkdir -p "$mnt" 2>/dev/null || [ -d "$mnt" ] || source_of "$mnt" >/dev/null ||
        die "cannot make the folder $mnt"
    "$bin/pagefs" "$store" "$mnt"
    echo "mounted $store at $mnt"
}

try_demo()
{
    cat <<'END'

worth trying:
  ls -l mnt mnt/gpl3                              tables, and the pages of one
  cat mnt/gpl3/stats                              its counters
  grep -n warranty mnt/gpl3/views/items           its items, a line each
  hexdump -C mnt/t_mixed/0000000000 | head        a page as PostgreSQL lays it out
  cat mnt/t_mixed/views/decoded/0                 the same page explained
  (cd mnt/gpl3 && xxhsum -c views/checksums)      every page against its hash
stop: ./mount.sh --stop
END
}

try_own()
{
    local mnt

    mnt=$(printf '%q' "$1")
    cat <<END

worth trying:
  mkdir -p $mnt/notes                             make a table
  cp /usr/share/common-licenses/GPL-3 $mnt/notes/views/payload    fill it
  ls -l $mnt/notes                                the pages it takes
  hexdump -C $mnt/notes/0000000000 | head         one of them
  cat $mnt/notes/views/decoded/0                  the same explained
  cat $mnt/.pagefs/stats                          what the engine has done so far
stop: ./mount.sh --stop $mnt
END
}

case "${1-}" in
--help | -h)
    usage
    ;;
--stop)
    [ $# -le 2 ] || { usage >&2; exit 2; }
    stop "$(realpath -sm "${2-$here/mnt}")"
    ;;
'')
    [ $# -eq 0 ] || { usage >&2; exit 2; }
    build_programs
    [ -d "$here/.store" ] || make_demo "$here/.store"
    mount_store "$here/.store" "$here/mnt"
    try_demo
    ;;
-*)
    usage >&2
    exit 2
    ;;
*)
    [ $# -eq 2 ] || { usage >&2; exit 2; }
    build_programs
    store=$(realpath -m "$1")
    mnt=$(realpath -sm "$2")
    if [ ! -e "$store" ]; then
        echo "there is no $store: making an empty store"
        "$bin/pagectl" init "$store"
    fi
    mount_store "$store" "$mnt"
    try_own "$mnt"
    ;;
esac
