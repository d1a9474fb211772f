#!/bin/bash
# pagectl verify and poke: damage of every kind is found, named, and counted.
. "$(dirname "$0")/lib.sh"

pagectl init sound >/dev/null
pagectl create sound raw >/dev/null
pagectl create sound items --type slotted >/dev/null
seq 1 30000 | pagectl load sound items
pagectl create sound heap --format postgres >/dev/null
seq 1 5000 | pagectl load sound heap
id_of()
{
    pagectl ls sound | awk -v t="$1" '$1 == t { print $2 }'
}
items=tables/$(id_of items).pages
items_map=tables/$(id_of items).map
heap=tables/$(id_of heap).pages

# fresh: a copy of the sound store to damage.
fresh()
{
    rm -rf store
    cp -a sound store
}

# finds PATTERN...: verify exits 1 and has a line that matches each.
finds()
{
    local pattern

    exits 1 pagectl verify store || return 1
    for pattern in "$@"; do
        grep -qE "$pattern" out && continue
        echo "no line $pattern in:"
        cat out
        return 1
    done
}

check "an undamaged store is sound" exits 0 pagectl verify sound

fresh
check "poke prints what was there before" \
    sh "pagectl poke store items 3 100 ff00ff | grep -E '^$items page 3 offset 100 was [0-9a-f]{6} now ff00ff$'"
check "a changed byte is a checksum fault, with file, page and offset" \
    finds "^fault $items page 3 offset $((3 * 8192)) checksum .* \(table items\)$" 'faults 1 '
check "poke does not change it back by itself" finds checksum
check "dump prints the damaged page and what is wrong" \
    sh "pagectl dump store items 3 | grep '^damage checksum'"
check "poke refuses an offset past the page" exits 1 pagectl poke store items 0 8190 ffffff
check "poke refuses a page past the file" exits 1 pagectl poke store items 9999999 0 ff
check "poke refuses a table that is not there" exits 1 pagectl poke store nobody 0 0 ff

fresh
pagectl poke store items 1 100 ff >/dev/null
pagectl poke store heap 2 100 ff >/dev/null
pagectl poke store items 5 8191 ff >/dev/null
check "verify goes on after a fault, to the end" \
    finds "$items page 1 " "$items page 5 " "$heap page 2 " 'faults 3 '

fresh
dd if=store/$items of=store/$items bs=8192 skip=7 seek=4 count=1 conv=notrunc status=none
check "a page from another place is an identity fault" finds "^fault $items page 4 .* identity "

fresh
dd if=/dev/zero of=store/$items bs=8192 seek=4 count=1 conv=notrunc status=none
check "a zeroed native page is a fault" finds "^fault $items page 4 .* zero "

fresh
dd if=/dev/zero of=store/$heap bs=8192 seek=1 count=1 conv=notrunc status=none
check "a zeroed postgres page that had been written is a lost write" \
    finds "^fault $heap page 1 .* lost-write "

fresh
pagectl create store later >/dev/null
dd if=store/$items of=old.page bs=8192 skip=0 count=1 status=none
last=$(($(stat -c %s store/$items) / 8192))
cp store/$items before
seq 1 2000 | pagectl load store items
for ((page = 0; page < last; page++)); do
    cmp -s <(dd if=before bs=8192 skip=$page count=1 status=none) \
        <(dd if=store/$items bs=8192 skip=$page count=1 status=none) || break
done
dd if=before of=store/$items bs=8192 skip=$page seek=$page count=1 conv=notrunc status=none
check "an older version of a page is a lost write, across restarts" \
    finds "^fault $items page $page .* lost-write "

fresh
truncate -s $((3 * 8192)) store/$items
check "a file that is too short is a fault that counts its pages" \
    finds "^fault $items page 3 .* missing .*used pages"

fresh
rm store/$items
check "a missing file is a fault" finds "^fault $items page - .* missing "

fresh
printf '\377' | dd of=store/$items_map bs=1 seek=200 conv=notrunc status=none
check "a damaged allocation map is a fault" finds "^fault $items_map page 0 .* checksum "

fresh
printf '\377\377' | dd of=store/pagestore.control bs=1 seek=20 conv=notrunc status=none
check "a damaged copy of the control file is a fault" \
    finds '^fault pagestore.control page - offset 0 control '
printf '\377\377' | dd of=store/pagestore.control bs=1 seek=4116 conv=notrunc status=none
check "with both copies damaged the pages are verified all the same" \
    finds 'offset 0 control ' 'offset 4096 control ' ' pages [1-9][0-9]'

fresh
pagectl poke store pagestore_catalog 0 100 ff >/dev/null
check "a damaged catalog is a fault" finds '^fault tables/1.pages page 0 .* checksum '

fresh
segment=store/wal/$(ls store/wal | sort | head -1)
last_lsn=$(pagectl wal store | tail -1 | awk '{print $1}')
printf '\377' | dd of="$segment" bs=1 seek=$((last_lsn - 3)) conv=notrunc status=none
check "damage in the last record of a closed store's log is a fault" finds '^fault wal/.* log '

fresh
echo garbage >store/tables/999.pages
echo garbage >store/tables/README
check "files that no table has are suspect, not faults" exits 0 pagectl verify store
check "each is named" sh "grep -q '^suspect tables/999.pages page - offset 0 orphan' out &&
    grep -q '^suspect tables/README .* unknown-file' out && grep -q 'suspects 2' out"
head -c 10000 /dev/urandom >>store/$items
check "bytes behind the last page are suspect" exits 0 pagectl verify store
check "they are said to be left over" grep -qE "^suspect $items page - .* (leftover|trailing)" out

cp sound/$items loose
check "a file of pages is verified by itself" exits 0 pagectl verify loose
printf '\377' | dd of=loose bs=1 seek=$((8192 * 2 + 50)) conv=notrunc status=none
check "its damage is found" exits 1 pagectl verify loose
check "and named" grep -qE '^fault loose page 2 offset 16384 checksum ' out
check "a wrong page size makes faults" exits 1 pagectl verify loose --page-size 16K
head -c 100000 /dev/urandom >noise
check "a file of something else could not be verified" exits 2 pagectl verify noise
finish
