#!/bin/bash
# Generated files of a table: stats, stats.json, checksums, decoded, items.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1
sh 'mkdir t && touch t/0 t/1 t/4 && head -c 8192 /dev/urandom | dd of=t/1 conv=notrunc' || exit 1

check "each generated file is as long as stat says" \
    sh 'for f in t/stats t/views/stats.json t/views/checksums; do
            [ "$(stat -c %s $f)" = "$(cat $f | wc -c)" ] || exit 1
        done'
check "stats are lines of name and value" \
    sh '[ "$(number t/stats pages_allocated)" = 3 ] && [ "$(number t/stats pages)" = 5 ] &&
        ! awk "NF != 2" t/stats | grep .'
check "stats.json says the same as stats" \
    true_in_python '
import json
j = json.load(open("t/views/stats.json"))
for line in open("t/stats"):
    name, value = line.split()
    assert name in j, name
    if name in ("pages", "pages_allocated", "format", "type", "page_size"):
        assert str(j[name]) == value, name'
check "the length of stats does not change with the numbers" \
    sh 'was=$(stat -c %s t/stats) && for i in $(seq 200); do cat t/1; done >/dev/null &&
        [ "$(stat -c %s t/stats)" = "$was" ]'
check "checksums are a line a page, which xxhsum checks" \
    sh '[ "$(wc -l <t/views/checksums)" = 3 ] && cd t && xxhsum -c views/checksums'
check "checksums of a changed page no longer match" \
    sh 'cp t/views/checksums "$work/sums" && true_in_python "write(\"t/1\", b\"changed\", 4000)" &&
        cd t && ! xxhsum -c "$work/sums" && xxhsum -c views/checksums'
check "a snapshot does not change under its reader" \
    true_in_python '
f = fd("t/views/checksums", os.O_RDONLY)
first = os.pread(f, 100000, 0)
write("t/1", b"changed again", 4000)
assert os.pread(f, 100000, 0) == first != read("t/views/checksums")'
check "decoded shows each page as text, by either name" \
    sh '[ "$(ls t/views/decoded | wc -l)" = 3 ] && grep -q "^page_no 1$" t/views/decoded/1 &&
        cmp t/views/decoded/1 t/views/decoded/0000000001 && [ ! -e t/views/decoded/2 ]'
check "while a decoded page is open its size is known" \
    true_in_python '
f = fd("t/views/decoded/1", os.O_RDONLY)
assert os.fstat(f).st_size == len(read("t/views/decoded/1"))'
check "decoded pages and checksums cannot be written" \
    sh 'fails_with EPERM "fd(\"t/views/decoded/1\", os.O_WRONLY)" &&
        fails_with EPERM "fd(\"t/views/checksums\", os.O_WRONLY)" &&
        fails_with EPERM "os.truncate(\"t/stats\", 0)"'
check "ls -lR reads no page and renders no view" \
    sh 'remounted && was=$(number t/stats page_reads) && ls -lR >/dev/null &&
        [ "$(number t/stats page_reads)" = "$was" ]'
check "a raw table with pages has payload and no items" \
    sh '[ -e t/views/payload ] && [ ! -e t/views/items ]'

check "lines appended to an empty table's items become items" \
    sh 'mkdir s && printf "one\ntwo\n" >>s/views/items && printf "three\n" >>s/views/items &&
        [ "$(cat s/views/items)" = "$(printf "one\ntwo\nthree")" ] &&
        [ "$(number s/stats type)" = slotted ] && [ ! -e s/views/payload ]'
check "the end of a file ends its last line" \
    sh 'printf "no newline" >>s/views/items && [ "$(tail -n 1 s/views/items)" = "no newline" ]'
check "a line may come in pieces" \
    true_in_python '
f = fd("s/views/items", os.O_WRONLY | os.O_APPEND)
os.write(f, b"in ")
os.write(f, b"pieces\nand more")
assert read("s/views/items").endswith(b"\nin pieces\n")
os.close(f)
assert read("s/views/items").endswith(b"\nin pieces\nand more\n")'
check "an empty line is an empty item" \
    sh 'echo >>s/views/items && [ "$(tail -c 2 s/views/items | xxd -p)" = 0a0a ]'
check "bytes that are not text are shown as \\xHH, text is not" \
    true_in_python '
write("s/views/items", b"tab\t\\ \xc3\xa4 \x01\xff\x7f\xc2\x85\n", 0, os.O_APPEND)
last = read("s/views/items").split(b"\n")[-2]
assert last == b"tab\t\\ \xc3\xa4 \\x01\\xff\\x7f\\xc2\\x85", last'
check "other writes to items are EPERM" \
    sh 'fails_with EPERM "write(\"s/views/items\", b\"x\")" &&
        fails_with EPERM "fd(\"s/views/items\", os.O_WRONLY | os.O_TRUNC)" &&
        fails_with EPERM "os.truncate(\"s/views/items\", 0)"'
check "an item that fits no page is EFBIG, and nothing of its write is kept" \
    true_in_python '
before = read("s/views/items")
try:
    write("s/views/items", b"short\n" + b"x" * 9000 + b"\n", 0, os.O_APPEND)
    assert False
except OSError as e:
    assert e.errno == errno.EFBIG, e
assert read("s/views/items") == before'
check "a hundred thousand items keep their order" \
    sh 'seq 100000 >"$work/lines" && mkdir big && cat "$work/lines" >>big/views/items &&
        cmp "$work/lines" big/views/items && remounted && cmp "$work/lines" big/views/items'
check "items stream: their size is 0, and any part can be read again" \
    true_in_python '
assert os.stat("big/views/items").st_size == 0
whole = read("big/views/items")
f = fd("big/views/items", os.O_RDONLY)
for off in (0, 300000, 5, 588000, len(whole) - 10, len(whole), len(whole) + 5):
    assert os.pread(f, 1000, off) == whole[off:off + 1000], off'
check "a table with items has no page-file that came by touch" \
    sh 'grep -q "^type slotted" s/views/decoded/0'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'

check "a damaged page is EIO, is counted, and is healed by a write of all of it" \
    sh 'unmounted; pagectl poke "$store" t 1 5000 ff00ff00 && mounted && cd "$mnt" &&
        fails_with EIO "read(\"t/1\")" && [ "$(number t/stats corrupt_pages)" -ge 1 ] &&
        grep -q corrupt .pagefs/trace && grep -q "^damage" t/views/decoded/1 &&
        [ "$(wc -l <t/views/checksums)" = 3 ] && cat t/0 >/dev/null &&
        [ "$(getfattr --only-values -n user.pagestore.checksum_ok t/1)" = 0 ] &&
        head -c 8192 /dev/urandom >"$work/page" &&
        dd if="$work/page" of=t/1 bs=8192 conv=notrunc && cat t/1 >/dev/null'
check "with on_corrupt=serve a damaged page's bytes are served" \
    sh 'unmounted && pagectl poke "$store" t 1 5000 ff00ff00 && mounted -o on_corrupt=serve &&
        cd "$mnt" && [ "$(dd if=t/1 bs=1 skip=5000 count=4 2>/dev/null | xxd -p)" = ff00ff00 ] &&
        [ "$(number t/stats corrupt_pages)" -ge 1 ]'
finish
