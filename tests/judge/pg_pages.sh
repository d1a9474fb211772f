#!/bin/bash
# Usage: pg_pages.sh WRITE_PG_PAGES
# PostgreSQL accepts the pages that the library writes, item by item, and the judge sees damage.
set -eu

judge=$(dirname "$0")/../pg_judge.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/pg_pages.XXXXXX")
trap 'rm -rf "$work"' EXIT

"$1" "$work/pages" "$work/items.csv"
"$judge" "$work/pages" --compare-items "$work/items.csv"
echo "PostgreSQL accepts $(($(stat -c %s "$work/pages") / 8192)) pages," \
    "$(($(wc -l <"$work/items.csv") - 1)) line pointers"

expect_refusal() {
    local status=0
    "$judge" "$work/damaged" "${@:2}" >"$work/says" || status=$?
    if [ $status != 1 ] || ! grep -q "$1" "$work/says"; then
        echo "expected exit status 1 and a line with '$1', got $status and:"
        cat "$work/says"
        exit 1
    fi
}

cp "$work/pages" "$work/damaged"
printf '\xff' | dd of="$work/damaged" bs=1 seek=$((3 * 8192 + 5000)) conv=notrunc status=none
expect_refusal '^block 3: checksum is'

cp "$work/pages" "$work/damaged"
sed '2s/,1,/,3,/' "$work/items.csv" >"$work/other.csv"
expect_refusal '^items differ' --compare-items "$work/other.csv"
echo "and the judge refuses damaged pages and other items"
