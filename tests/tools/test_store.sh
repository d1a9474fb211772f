#!/bin/bash
# pagectl on a store that is not mounted: tables, items, pages, the log.
. "$(dirname "$0")/lib.sh"

fails_saying()
{
    local pattern=$1

    shift
    exits 1 pagectl "$@" && says_one_line err "^pagectl: .*$pattern"
}

column()
{
    pagectl ls "$1" | awk -v t="$2" -v c="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) at = i }
        $1 == t { print $at }'
}

column_is()
{
    [ "$(column "$1" "$2" "$3")" = "$4" ]
}

check "init makes a store" pagectl init store
check "init refuses a folder that is not empty" fails_saying store init store
check "init takes a page size with a suffix" pagectl init big --page-size 32K
check "a new store lists its catalog" column_is store pagestore_catalog id 1
check "a new store verifies" exits 0 pagectl verify store
check "verify says sound" grep -q ': sound; ' out

check "create makes a table" pagectl create store users
check "a table is raw unless said otherwise" column_is store users type raw
check "a table is native unless said otherwise" column_is store users format native
check "create makes slotted tables" pagectl create store notes --type slotted
check "create makes tables in PostgreSQL's format" pagectl create store heap --format postgres
check "ls shows the format" column_is store heap format postgres
check "create refuses a name that is taken" fails_saying users create store users
check "create refuses a name with a slash" fails_saying a/b create store a/b
check "create refuses a name that starts with a dot" fails_saying "'.x'" create store .x
check "create refuses a name of 256 bytes" \
    fails_saying 255 create store "$(printf 'n%.0s' $(seq 256))"
check "create takes a name of 255 bytes" pagectl create store "$(printf 'n%.0s' $(seq 255))"
check "rename renames" pagectl rename store users people
check "the old name is gone" fails_saying users stat store users
check "rename refuses a name that is taken" fails_saying notes rename store people notes
check "rename refuses a table that is not there" fails_saying nobody rename store nobody x
check "the catalog cannot be dropped" fails_saying pagestore_catalog drop store pagestore_catalog
check "ls --json is JSON" sh "pagectl ls store --json | jq -e '.tables[] | select(.name == \"heap\") | .format == \"postgres\"'"

seq 1 20000 >lines
printf 'no newline at the end' >>lines
check "load takes lines of a file" pagectl load store notes lines
check "load takes lines of standard input" sh "printf 'a\n\nb\n' | pagectl load store heap"
check "an empty raw table becomes slotted with its first item" column_is store heap type slotted
check "load refuses a table that is not there" fails_saying nobody load store nobody lines
check "load names the line that no page takes" \
    sh "(echo short; head -c 9000 /dev/zero | tr '\0' x; echo) >long;
             ! pagectl load store people long 2>err && grep -q 'line 2 has 9000 bytes' err"
check "the lines before it are loaded" sh "pagectl dump store people 0 | grep short"
check "dump prints a page's items" sh "pagectl dump store notes 0 | grep page_no"
check "dump refuses a page that is not there" fails_saying page dump store notes 4000000
check "stat prints a table's counters" sh "pagectl stat store notes | grep -E '^[a-z_]+ '"
check "stat prints the store's counters" sh "pagectl stat store | grep -E '^[a-z_]+ '"
check "the store verifies after that" exits 0 pagectl verify store

check "wal prints a header line" sh "pagectl wal store >log && head -1 log | grep '^lsn prev txn type'"
check "wal prints the records of the load" \
    sh "[ \$(pagectl wal store | wc -l) -gt 10 ]"
last=$(pagectl wal store | tail -1 | awk '{print $1}')
check "wal --from leaves out what is older" \
    sh "[ \$(pagectl wal store --from $last | wc -l) -eq 2 ]"

check "recover has nothing to do on a store that was closed" \
    sh "pagectl recover store | grep 'closed cleanly'"
check "drop removes a table with its pages" pagectl drop store notes
check "its files are gone" sh "! pagectl verify store | grep orphan"
check "drop refuses a table that is not there" fails_saying notes drop store notes

mkdir empty
check "a folder without a store is refused" fails_saying empty ls empty
check "verify of a folder without a store could not run" exits 2 pagectl verify empty
check "verify of nothing could not run" exits 2 pagectl verify nothing
exec 9<store/lock
flock -n 9
check "a store in use is refused with the word in use" fails_saying 'in use' ls store
check "verify of a store in use could not run" exits 2 pagectl verify store
exec 9<&-

if [ "$(id -u)" = 0 ]; then
    check "what root makes in somebody's store belongs to that one" \
        sh 'install -d -o 65534 -g 65534 other && pagectl init other && pagectl create other t &&
            echo line | pagectl load other t && ! find other ! -user 65534 -o ! -group 65534 | grep .'
fi
finish
