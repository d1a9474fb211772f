#!/bin/bash
# The programs that people use.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1
sh 'mkdir t && head -c 163840 /dev/urandom >t/views/image && sync t' || exit 1

# same_pages A B: the same page-files, but for what the store stamps.
same_pages()
{
    true_in_python "
a, b = '$1', '$2'
pages = sorted(n for n in os.listdir(a) if n.isdigit())
assert pages and pages == sorted(n for n in os.listdir(b) if n.isdigit())
for n in pages:
    assert read(a + '/' + n)[32:] == read(b + '/' + n)[32:], n"
}
export -f same_pages

check "cp -rp takes a table out" sh 'cp -rp t "$work/out" && same_pages t "$work/out"'
check "cp -p takes page-files in" \
    sh 'mkdir in && cp -p "$work"/out/0* in/ && same_pages in "$work/out"'
check "cp onto pages that are there works" sh 'cp "$work"/out/0* in/ && same_pages in t'
check "tar takes a table out, and page-files in" \
    sh 'tar cf "$work/t.tar" t && mkdir "$work/tar" && tar xf "$work/t.tar" -C "$work/tar" &&
        same_pages t "$work/tar/t" && cmp t/views/checksums "$work/tar/t/views/checksums" &&
        cmp t/views/image "$work/tar/t/views/image" &&
        cmp t/views/decoded/3 "$work/tar/t/views/decoded/0000000003" &&
        mkdir fromtar && tar xf "$work/t.tar" -C fromtar --strip-components=1 --wildcards "t/0*" &&
        same_pages fromtar t'
check "without the generated files tar and rsync move a table into another mount as it is" \
    sh 'mkdir "$work/other" && pagectl init "$work/other/store" && mkdir "$work/other/mnt" &&
        pagefs "$work/other/store" "$work/other/mnt" &&
        tar c --exclude=stats --exclude=views t | tar x -C "$work/other/mnt" &&
        same_pages t "$work/other/mnt/t" &&
        rsync -a --inplace --exclude=stats --exclude=views t/ "$work/other/mnt/r/" &&
        same_pages t "$work/other/mnt/r" && umount.fuse.pagefs "$work/other/mnt"'
check "tar of a whole mount, .pagefs and all, has nothing to complain about" \
    sh 'tar cf "$work/all.tar" . && tar tf "$work/all.tar" | grep pagefs/frames'
check "rsync takes a table out, and with --inplace in" \
    sh 'rsync -a --exclude views t/ "$work/rsync/" && same_pages t "$work/rsync" &&
        mkdir fromrsync && rsync -a --inplace "$work"/rsync/0* fromrsync/ &&
        same_pages fromrsync t'
check "rsync takes views out whole" \
    sh 'rsync -a t/views/ "$work/views/" && cmp t/views/image "$work/views/image" &&
        cmp t/views/decoded/7 "$work/views/decoded/0000000007" &&
        cmp t/views/checksums "$work/views/checksums"'
check "install, tee and dd write pages" \
    sh 'mkdir w && install -m 600 t/0000000001 w/1 && tee w/2 <t/0000000001 >/dev/null &&
        dd if=t/0000000001 of=w/3 bs=8192 2>/dev/null && cmp <(tail -c +33 w/1) <(tail -c +33 w/3)'
check "cmp, diff, hexdump, xxd, od read pages" \
    sh 'cmp t/0000000001 t/1 && diff t/1 t/0000000001 && hexdump -C t/1 | grep PGDB &&
        xxd -l 4 t/1 | grep 5047 && od -A n -c -N 4 t/1 | grep "P *G *D *B"'
check "find, grep -r, wc, du, ls -lR walk the mount" \
    sh '[ "$(find t -name "0*" -not -path "*/views/*" | wc -l)" = 20 ] &&
        printf needle | dd of=t/9 bs=1 seek=5000 conv=notrunc 2>/dev/null &&
        [ "$(grep -rlF needle t --exclude-dir views)" = t/0000000009 ] &&
        [ "$(cat t/0* | wc -c)" = 163840 ] && du -s t && ls -lR . >"$work/list"'
check "awk and sort read stats" \
    sh '[ "$(awk "\$1 == \"pages\" { print \$2 }" t/stats)" = 20 ] && sort -k2n t/stats >/dev/null'
check "xxhsum -c verifies, and names the page that changed" \
    sh 'cp t/views/checksums "$work/sums" && printf x | dd of=t/9 bs=1 seek=6000 conv=notrunc &&
        cd t && ! xxhsum -c "$work/sums" >"$work/result" &&
        [ "$(grep -v OK "$work/result" | grep -c 0000000009)" = 1 ]'
check "a database lives in payload" \
    sh 'mkdir db && : >db/views/payload && sqlite3 "$work/real.db" "create table n(i); with recursive
        c(i) as (select 1 union all select i+1 from c where i<20000) insert into n select i from c;" &&
        cp "$work/real.db" db/views/payload && cp db/views/payload "$work/back.db" &&
        [ "$(sqlite3 "$work/back.db" "pragma integrity_check; select count(*) from n;" |
            tr "\n" " ")" = "ok 20000 " ]'
check "fio's verification passes on image and payload" \
    sh 'mkdir f && cd f && truncate -s 8M views/payload &&
        fio --name=v --filename=views/payload --rw=randwrite --bs=4k --size=8M --verify=crc32c \
            --verify_fatal=1 --direct=1 --ioengine=psync --thread --output-format=terse >"$work/fio"'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
