#!/bin/bash
# Lets a real PostgreSQL judge a file of pages.
set -u -o pipefail

usage() {
    cat <<'EOF'
Usage: pg_judge.sh FILE [OPTION...]

Lets a real PostgreSQL judge FILE, pages of 8192 bytes: a throwaway cluster with data checksums
is made in a temporary folder, reached through a unix socket there, and removed at the end.

  - pageinspect's page_header, page_checksum and heap_page_items read every page: its layout
    version, its bounds and its checksum must be right, and no function may fail. A page of
    zeros, PostgreSQL's new page, is accepted.
  - pg_checksums --check, the server stopped, accepts FILE as a relation's file.

Options:
  --compare-items CSV  also compare CSV with what heap_page_items says of every line pointer,
                       sorted by block and line pointer. CSV has a header line that names the
                       columns to compare: blkno, any of heap_page_items's, and item, the
                       item's bytes in hexadecimal. NULL is the empty field, "" no bytes.
  --headers            print page_header of every page as CSV
  --items              print heap_page_items of every page as CSV
  --first-block N      the block number of FILE's first page, 131072 for a second segment
  --bindir DIR         where initdb, postgres, pg_ctl and pg_checksums are, if not in
                       $PG_BINDIR or the newest /usr/lib/postgresql/*/bin

As root the server runs as the user postgres, or nobody where there is none.
Exit status: 0 PostgreSQL accepts FILE, 1 it does not (a line a fault), 2 it could not be asked.
EOF
}

fail() {
    echo "pg_judge.sh: $*" >&2
    exit 2
}

file=
items_csv=
print=
first_block=0

parse_arguments() {
    while [ $# -gt 0 ]; do
        case $1 in
        --help | -h) usage && exit 0 ;;
        --headers | --items) print+=" ${1#--}" ;;
        --compare-items | --first-block | --bindir)
            [ $# -ge 2 ] || fail "$1 needs a value"
            case $1 in
            --compare-items) items_csv=$2 ;;
            --first-block) first_block=$2 ;;
            --bindir) PG_BINDIR=$2 ;;
            esac
            shift
            ;;
        -*) fail "no option $1; see --help" ;;
        *)
            [ -z "$file" ] || fail "one FILE at a time"
            file=$1
            ;;
        esac
        shift
    done
    if [ -z "$file" ]; then
        usage >&2
        exit 2
    fi
    [ -r "$file" ] || fail "cannot read $file"
    [ -z "$items_csv" ] || [ -r "$items_csv" ] || fail "cannot read $items_csv"
    [[ $first_block =~ ^[0-9]+$ ]] || fail "--first-block $first_block is not a number"
}

find_programs() {
    local program
    for program in initdb postgres pg_ctl pg_checksums psql; do
        [ -x "$pg_bin/$program" ] ||
            fail "no $program in $pg_bin: install postgresql and postgresql-contrib"
    done
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
    pg_stop immediate
    cd / && rm -rf "$work"
}

start_server() {
    cd "$work" || fail "cannot enter $work"
    cp "$file" pages || fail "cannot copy $file"
    chmod 644 pages
    pg_make -k --locale=C >&2 || fail "initdb failed"
    pg_start >&2 || fail "the server does not start"
}

load_pages() {
    pg_sql -v file="$work/pages" -v pages="$pages" -v first="$first_block" >load.log 2>&1 <<'EOF' ||
CREATE EXTENSION pageinspect;
CREATE TABLE page AS
  SELECT n + :first AS blkno, pg_read_binary_file(:'file', n * 8192, 8192) AS page
    FROM generate_series(0, :pages::bigint - 1) n;
CREATE VIEW headers AS SELECT blkno, h.* FROM page, page_header(page) h ORDER BY blkno;
CREATE VIEW items AS
  SELECT blkno, i.*, encode(substring(page FROM lp_off + 1 FOR lp_len), 'hex') AS item
    FROM page, heap_page_items(page) i ORDER BY blkno, lp;
EOF
        { cat load.log >&2 && fail "the pages cannot be loaded"; }
}

# Faults, a line each. A function of pageinspect's that fails is a fault, too.
judge_headers() {
    pg_sql -A -t <<'EOF'
SELECT format('block %s: %s', blkno, fault) FROM (
  SELECT blkno, unnest(ARRAY[
    CASE WHEN version <> 4 THEN format('version is %s', version) END,
    CASE WHEN pagesize <> 8192 THEN format('page size is %s', pagesize) END,
    CASE WHEN NOT (24 <= lower AND lower <= upper AND upper <= special AND special <= 8192)
         THEN format('lower %s, upper %s, special %s', lower, upper, special) END,
    CASE WHEN flags & ~7 <> 0 THEN format('flags are %s', flags) END,
    CASE WHEN checksum <> page_checksum(page, blkno)
         THEN format('checksum is %s, the bytes give %s', checksum, page_checksum(page, blkno)) END
  ]) AS fault
  FROM headers JOIN page USING (blkno)
  WHERE page <> decode(repeat('00', 8192), 'hex')) f
WHERE fault IS NOT NULL;
SELECT NULL FROM items WHERE lp < 0; -- no row: it only has to run over all of them
EOF
}

compare_items() {
    local columns
    columns=$(head -n 1 "$items_csv" | tr -d '\r')
    [[ $columns =~ ^[a-z0-9_]+(,[a-z0-9_]+)*$ ]] || fail "$items_csv does not begin with column names"
    pg_sql -c "COPY (SELECT $columns FROM items) TO STDOUT (FORMAT csv, HEADER)" >items.csv ||
        return 1
    diff "$items_csv" items.csv >items.diff && return 0
    echo "items differ: < $items_csv, > PostgreSQL"
    head -n 20 items.diff
    return 1
}

# In the folder of a database, as the file of a relation that no catalog names.
judge_with_pg_checksums() {
    local segment=$((first_block / 131072)) node=99999 database
    database=$(find "$pgdata/base" -mindepth 1 -maxdepth 1 -name '[0-9]*' | sort | head -n 1)
    ((first_block % 131072 == 0)) || fail "pg_checksums needs a first block that begins a segment"
    ((segment == 0)) || node+=.$segment
    cp pages "$database/$node" || fail "cannot copy the pages into the cluster"
    chmod 644 "$database/$node"
    as_server "$pg_bin/pg_checksums" --check -D "$pgdata" -f 99999 >checksums.log 2>&1 ||
        { cat checksums.log && return 1; }
    grep -Eq "^Blocks scanned: +$pages\$" checksums.log ||
        { echo "pg_checksums did not scan $pages blocks:" && cat checksums.log && return 1; }
}

parse_arguments "$@"
file=$(realpath "$file")
[ -z "$items_csv" ] || items_csv=$(realpath "$items_csv")
size=$(stat -c %s "$file")
((size % 8192 == 0)) || { echo "$file: $size bytes are no whole pages of 8192" && exit 1; }
pages=$((size / 8192))

work=$(mktemp -d "${TMPDIR:-/tmp}/pg_judge.XXXXXX") || fail "no temporary folder"
. "$(dirname "$(realpath "$0")")/support/pg_server.sh"
trap cleanup EXIT
trap 'exit 2' INT TERM HUP
find_programs
start_server
load_pages
faults=0
judge_headers >faults.txt 2>&1 || faults=1
[ -s faults.txt ] && cat faults.txt && faults=1
[ -z "$items_csv" ] || compare_items || faults=1
for view in $print; do
    pg_sql -c "COPY (SELECT * FROM $view) TO STDOUT (FORMAT csv, HEADER)" || faults=1
done
pg_stop || fail "the server does not stop"
judge_with_pg_checksums || faults=1
exit $faults
