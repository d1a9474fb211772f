#!/bin/bash
# A reader of page-db's format accepts every page of native tables, however they were filled.
. "$(dirname "$0")/lib.sh"

# fill: tables of every type, by every way there is.
fill()
{
    mkdir payload image pages items holes appended &&
        head -c 3000001 /dev/urandom >payload/views/payload &&
        dd if=/dev/urandom of=image/views/image bs="$((page_size * 3))" count=20 status=none &&
        for n in 0 1 5 17 1000; do
            head -c "$page_size" /dev/urandom >pages/$n || return 1
        done &&
        printf 'x' | dd of=pages/5 bs=1 seek=100 conv=notrunc status=none && rm pages/17 &&
        cat /usr/share/common-licenses/GPL-3 >>items/views/items &&
        cp payload/views/payload holes/views/payload &&
        fallocate --punch-hole --offset 100000 --length 1000000 holes/views/payload &&
        fallocate --zero-range --offset 2000000 --length 50000 holes/views/payload &&
        truncate -s 2500000 holes/views/payload && truncate -s 9000000 holes/views/payload &&
        for n in $(seq 100); do
            head -c 3000 /dev/urandom >>appended/views/payload || return 1
        done
}

# reader_accepts TABLE USED_PAGES: at least so many.
reader_accepts()
{
    local id

    id=$(awk '$1 == "table_id" { print $2 }' "$work/$1.stats")
    "$root/tests/check_pagedb.py" "$store/tables/$id.pages" "$page_size" "$id" >said ||
        { cat said && return 1; }
    cat said
    [ "$(awk 'END { print $1 }' said)" -ge "$2" ]
}

export root page_size
export -f fill

for page_size in 4096 8192 65536; do
    new_store --page-size "$page_size" || exit 1
    mounted || exit 1
    check "tables are filled, pages of $page_size" sh fill
    for table in payload image pages items holes appended; do
        cp "$mnt/$table/stats" "$work/$table.stats" || exit 1
    done
    check "and the store closes cleanly" unmounted
    check "the reader accepts payload's pages" reader_accepts payload $((3000001 / page_size))
    check "the reader accepts image's pages" reader_accepts image 60
    check "the reader accepts page-files" reader_accepts pages 4
    check "the reader accepts items' pages" reader_accepts items $((35000 / page_size))
    check "the reader accepts pages beside holes" reader_accepts holes $((1400000 / page_size))
    check "the reader accepts appended pages" reader_accepts appended $((300000 / page_size))
    pagectl create "$store" loaded --type slotted || exit 1
    check "the reader accepts what pagectl loads" \
        bash -c 'pagectl load "$store" loaded /usr/share/common-licenses/GPL-2 &&
            pagectl stat "$store" loaded >"$work/loaded.stats"'
    check "to the last page" reader_accepts loaded $((18000 / page_size))
done
finish
