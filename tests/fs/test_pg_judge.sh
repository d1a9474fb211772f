#!/bin/bash
# PostgreSQL's own relation files go through the mount and come back as they were.
. "$(dirname "$0")/lib.sh"

corpus=$work/pgcorpus
tar -xJf "$root/tests/data/pgcorpus.tar.xz" -C "$work" || exit 1
relations=$(cd "$corpus/cluster" && find base/16384 -type f -size +16 | sort)
export corpus relations

# name_of FILE: its table's.
name_of()
{
    echo "${1//\//-}"
}

# Heap files whose line pointers the corpus lists, end to end: heaps, and heaps.csv for the judge.
join_heaps()
{
    python3 - "$corpus" <<'END'
import csv, sys
columns = ("lp lp_off lp_flags lp_len t_xmin t_xmax t_field3 t_ctid t_infomask2 t_infomask t_hoff "
           "t_bits t_oid").split()
with open(sys.argv[1] + "/truth/heap_page_items.csv", newline="") as truth:
    rows = list(csv.DictReader(truth))
first = {}
with open("heaps", "wb") as heaps:
    for path in sorted({row["fpath"] for row in rows}):
        first[path] = heaps.tell() // 8192
        heaps.write(open(f"{sys.argv[1]}/cluster/{path}", "rb").read())
for row in rows:
    row["blkno"] = first[row["fpath"]] + int(row["blk"])
rows.sort(key=lambda row: (row["blkno"], int(row["lp"])))
with open("heaps.csv", "w", newline="") as out:
    writer = csv.DictWriter(out, ["blkno"] + columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
print(len(first), "relations,", len(rows), "line pointers")
END
}

# same_pages [ORIGINAL FOUND]...: all but pd_lsn and pd_checksum, the first ten bytes of a page.
# FOUND is a file (a table's may be longer than the table), or a table, whose page-files and image
# are taken.
same_pages()
{
    python3 - "$@" <<'END'
import glob, os, sys
def read(name):
    with open(name, "rb") as file:
        return file.read()
def compare(name, original, found):
    assert len(found) >= len(original) and not any(found[len(original):]), f"{name} has other pages"
    for at in range(0, len(original), 8192):
        assert found[at + 10:at + 8192] == original[at + 10:at + 8192], f"{name}: page {at // 8192}"
for original, found in zip(sys.argv[1::2], sys.argv[2::2]):
    if os.path.isdir(found):
        compare(found, read(original), read(found + "/views/image"))
        found = sorted(glob.glob(found + "/[0-9]*"))
    else:
        found = [found]
    compare(found[0], read(original), b"".join(map(read, found)))
END
}

make_tables()
{
    local file

    pagectl create "$store" heaps --format postgres || return 1
    for file in $relations; do
        pagectl create "$store" "$(name_of "$file")" --format postgres || return 1
    done
}

# By turns in one piece, by pages in page-files, and in odd pieces.
copy_in()
{
    local file table pages page turn=0

    cd "$mnt" && cp "$work/heaps" heaps/views/image || return 1
    for file in $relations; do
        table=$(name_of "$file")
        file=$corpus/cluster/$file
        case $((turn++ % 3)) in
        0) cp "$file" "$table/views/image" || return 1 ;;
        1) dd if="$file" of="$table/views/image" bs=5000 status=none || return 1 ;;
        2)
            pages=$(($(stat -c %s "$file") / 8192))
            for ((page = 0; page < pages; page++)); do
                dd if="$file" of="$table/$page" bs=8192 skip=$page count=1 status=none || return 1
            done
            ;;
        esac
    done
}

come_back()
{
    local file table pairs=("$work/heaps" heaps)

    for file in $relations; do
        table=$(name_of "$file")
        pairs+=("$corpus/cluster/$file" "$table")
        (cd "$mnt/$table" && xxhsum -c -q views/checksums) || return 1
    done
    cd "$mnt" && same_pages "${pairs[@]}"
}

# file_of TABLE: the store's.
file_of()
{
    echo "$store/tables/$(number "$mnt/$1/stats" table_id).pages"
}

export -f name_of same_pages copy_in come_back file_of

new_store || exit 1
check "the corpus has heaps with known line pointers" join_heaps
check "a postgres table for each relation is made" make_tables
mounted -o pool=4M || exit 1
check "$(wc -w <<<"$relations") relation files are copied in" bash -c copy_in
check "each page comes back, but for LSN and checksum" bash -c come_back
heaps=$(file_of heaps)
vacuumed=$(file_of base-16384-16526)
check "and after a remount" bash -c 'remounted && come_back'
check "the store closes cleanly" unmounted
check "and is sound" pagectl verify "$store"
check "the table's own file has the pages, too" same_pages "$work/heaps" "$heaps"
check "PostgreSQL accepts every page and sees the same line pointers" \
    "$root/tests/pg_judge.sh" "$heaps" --compare-items "$work/heaps.csv"
check "PostgreSQL accepts a relation in a file of its own" "$root/tests/pg_judge.sh" "$vacuumed"
finish
