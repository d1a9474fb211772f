#!/bin/bash
# Tables and page-files as names: they come, they go, they are listed.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1

check "a new store shows the catalog, and .pagefs to ls -a" \
    sh '[ "$(ls)" = pagestore_catalog ] && ls -a | grep -qx .pagefs'
check "mkdir makes a table with stats and views" \
    sh 'mkdir users && [ "$(ls users | tr "\n" " ")" = "stats views " ]'
check "a name of 255 bytes is taken, of 256 is ENAMETOOLONG" \
    sh 'mkdir "$(printf %0255d 7)" && rmdir "$(printf %0255d 7)" &&
        fails_with ENAMETOOLONG "os.mkdir(\"x\" * 256)"'
check "a name that is no UTF-8 comes back byte by byte" \
    true_in_python '
os.mkdir(b"\xff\xfe table\n")
assert b"\xff\xfe table\n" in os.listdir(b".")
os.rmdir(b"\xff\xfe table\n")'
check "a table's name does not start with a dot" fails_with EINVAL 'os.mkdir(".hidden")'
check "a table that is there is EEXIST" fails_with EEXIST 'os.mkdir("users")'
check "touch makes pages, and leaves the ones between free" \
    sh 'touch users/0 users/0000000007 &&
        [ "$(ls users | tr "\n" " ")" = "0000000000 0000000007 stats views " ]'
check "a page has ten digits and an alias" \
    sh '[ "$(stat -c %i users/7)" = "$(stat -c %i users/0000000007)" ] && [ ! -e users/07 ]'
check "O_EXCL on a page that is there is EEXIST, by either name" \
    sh 'fails_with EEXIST "fd(\"users/7\", os.O_CREAT | os.O_EXCL | os.O_RDWR)" &&
        fails_with EEXIST "fd(\"users/0000000007\", os.O_CREAT | os.O_EXCL | os.O_RDWR)"'
check "a page number of 33 bits is no name of a page" \
    sh '[ ! -e users/4294967296 ] && fails_with EINVAL "fd(\"users/4294967296\", os.O_CREAT)"'
check "any other new name in a table is EINVAL" \
    fails_with EINVAL 'fd("users/hello", os.O_CREAT | os.O_RDWR)'
check "removing by alias takes away both names at once" \
    sh 'stat users/0000000007 users/7 && rm users/7 && [ ! -e users/7 ] &&
        fails_with ENOENT "fd(\"users/0000000007\")"'
check "removing by ten digits takes away both names at once" \
    sh 'touch users/7 && stat users/7 && rm users/0000000007 && [ ! -e users/7 ] &&
        [ ! -e users/0000000007 ]'
check "a table with pages is not removed by rmdir" fails_with ENOTEMPTY 'os.rmdir("users")'
check "mv renames a table with its pages" \
    sh 'mv users people && [ ! -e users ] && [ -e people/0 ] && mv people users'
check "a table is not renamed over another" \
    sh 'mkdir other && fails_with EEXIST "os.rename(\"other\", \"users\")" && rmdir other'
check "the engine's own room is not renamed" fails_with EPERM 'os.rename(".pagefs", "x")'
check "page-files are not renamed" fails_with EPERM 'os.rename("users/0", "users/1")'
check "a generated file is removed with success, and stays" \
    sh 'rm users/stats users/views/checksums && rm -r users/views && [ -e users/stats ] &&
        [ -e users/views/checksums ] && ls users/views/decoded/0'
check "rm -r drops a table" sh 'rm -r users && [ "$(ls)" = pagestore_catalog ]'
check "a removed and recreated views folder is entered again" \
    sh 'mkdir t && cd t/views && rmdir ../views && cd ../.. && ls t/views/stats.json && rmdir t'
check "files in the root, links and devices have no meaning" \
    sh 'fails_with EPERM "fd(\"file\", os.O_CREAT)" && fails_with EPERM "os.symlink(\"a\", \"b\")" &&
        fails_with EPERM "os.mkfifo(\"p\")" && fails_with EPERM "os.mkdir(\"pagestore_catalog/x\")"'
check "the catalog is read-only" \
    sh 'fails_with EROFS "fd(\"pagestore_catalog/0\", os.O_WRONLY)" &&
        fails_with EROFS "os.unlink(\"pagestore_catalog/0\")" &&
        fails_with EROFS "os.rmdir(\"pagestore_catalog\")"'
check "a listing goes on while pages come and go" \
    true_in_python '
os.mkdir("many")
for i in range(3000):
    os.close(fd("many/%d" % i, os.O_CREAT | os.O_WRONLY))
seen = []
with os.scandir("many") as entries:
    for n, entry in enumerate(entries):
        seen.append(entry.name)
        if n == 500:
            for i in range(1000, 1100):
                os.unlink("many/%d" % i)
assert len(seen) == len(set(seen)), "a name came twice"
for i in list(range(1000)) + list(range(1100, 3000)):
    assert "%010d" % i in seen, "page %d is missing" % i'
check "everything is there after a remount" \
    sh 'remounted && [ "$(ls many | wc -l)" = 2902 ] && rm -r many'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
