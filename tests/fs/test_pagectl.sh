#!/bin/bash
# pagectl on a store that is mounted: it works through the mount, or says where that is.
. "$(dirname "$0")/../tools/lib.sh"

at_exit()
{
    unmount 2>/dev/null
}

unmount()
{
    fusermount3 -u "$work/mnt" && flock "$work/store/lock" true
}

fails_saying()
{
    local pattern=$1

    shift
    exits 1 pagectl "$@" && says_one_line err "^pagectl: .*$pattern"
}

mkdir mnt
pagectl init store
pagectl create store heap --format postgres
check "the store mounts" "$bin/pagefs" "$work/store" "$work/mnt"

check "create makes a folder in the mount" pagectl create store users
check "it is there" test -d mnt/users
check "STORE may be the mount point" pagectl create mnt more
check "create refuses a name that is taken" fails_saying users create store users
check "create does not leave the mount" fails_saying 'no table name' create store ../elsewhere
check "the engine's own room is no table" fails_saying 'no table name' stat store .pagefs
check "what mkdir cannot make needs the store unmounted" \
    fails_saying "is mounted at $work/mnt" create store other --format postgres
check "rename renames" pagectl rename store more notes
check "rename refuses a name that is taken" fails_saying users rename store notes users
check "rename refuses a table that is not there" fails_saying nobody rename store nobody x
seq 1 5000 >lines
check "load appends to the items" pagectl load store notes lines
check "the items are the lines, in order" cmp mnt/notes/views/items lines
check "load takes backslashes and tabs as they are" \
    sh "printf 'a\\\\x41\tb\n' | tee one | pagectl load store users && cmp mnt/users/views/items one"
check "load refuses a table that is not there" fails_saying nobody load store nobody lines
pagectl create store full
head -c 8192 /dev/zero | tr '\0' x >mnt/full/0
check "load refuses a raw table that has pages" fails_saying "'full' is raw" load store full lines
pagectl drop store full
check "init refuses to make a store in a mounted one" \
    fails_saying "is mounted at $work/mnt: no store can be made in it" init mnt/new
check "and makes no table of it" test ! -e mnt/new
check "ls lists the tables, by id" \
    sh "pagectl ls store | awk 'NR > 1 {print \$1, \$4}' | diff - <(printf '%s\n' \
        'pagestore_catalog slotted' 'heap raw' 'users slotted' 'notes slotted')"
check "ls says the same as on the unmounted store" \
    sh "pagectl ls store | awk '{print \$1, \$2, \$3, \$4, \$5, \$6}' >mounted"
check "stat prints what the table's stats file has" \
    sh "pagectl stat store notes | grep -E '^pages_used +[1-9]'"
pagectl stat store notes | awk '{ print length, $1 }' >mounted.stat
check "stat prints the store's" sh "pagectl stat store | grep ^uuid"
check "dump prints the decoded page" sh "pagectl dump store notes 0 | cmp - mnt/notes/views/decoded/0"
check "dump refuses a page that is not there" fails_saying 0000009999 dump store notes 9999
check "wal prints the log" sh "pagectl wal store | grep -c image"
echo >mnt/.pagefs/checkpoint # all of it is durable, and nothing follows
last=$(pagectl wal store | tail -1 | awk '{print $1}')
check "wal --from leaves out what is older" \
    sh "[ \$(pagectl wal store --from $last | awk '\$1 + 0 > 0' | wc -l) -eq 1 ]"
for words in "poke store notes 0 0 ff" "verify store" "recover store" "init store"; do
    # shellcheck disable=SC2086 # words
    check "$words says where the store is mounted" \
        sh "! pagectl $words 2>err && [ \$(wc -l <err) -eq 1 ] && grep 'is mounted at $work/mnt' err"
done
check "verify could not run, which is status 2" exits 2 pagectl verify store
check "drop removes a table with its pages" pagectl drop store users
check "it is gone" test ! -e mnt/users
check "drop refuses a table that is not there" fails_saying users drop store users
check "the catalog cannot be dropped" fails_saying pagestore_catalog drop store pagestore_catalog

check "the store unmounts" unmount
check "a mount whose daemon was killed is none: the store itself is looked at" \
    sh '"$bin/pagefs" store mnt && kill -9 "$(cat store/lock)" &&
        flock store/lock true && pagectl verify store &&
        pagectl recover store; status=$?; fusermount3 -u mnt; exit $status'
check "stat prints the unmounted store's counters as it printed the mounted one's" \
    sh "pagectl stat store notes | awk '{ print length, \$1 }' | cmp - mounted.stat"
check "the unmounted store says what the mounted one said" \
    sh "pagectl ls store | awk '{print \$1, \$2, \$3, \$4, \$5, \$6}' | diff - <(grep -v users mounted)"
check "the store verifies" exits 0 pagectl verify store
finish
