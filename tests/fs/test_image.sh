#!/bin/bash
# views/image: all pages as one file.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1
sh 'mkdir t && touch t/0 t/3' || exit 1

check "image ends behind the highest page, and holes read as zeros" \
    true_in_python '
assert os.stat("t/views/image").st_size == 4 * 8192
image = read("t/views/image")
assert image[:8192] == read("t/0") and image[3 * 8192:] == read("t/3")
assert image[8192:3 * 8192] == bytes(2 * 8192)'
check "a write to image allocates the pages it touches" \
    true_in_python '
data = random.Random(2).randbytes(3 * 8192)
write("t/views/image", data, 6 * 8192)
assert sorted(n for n in os.listdir("t") if n.isdigit()) == ["%010d" % n for n in (0, 3, 6, 7, 8)]
assert read("t/7")[32:] == data[8192 + 32:2 * 8192]'
check "a write may begin and end within pages" \
    true_in_python '
before = read("t/views/image")
data = random.Random(3).randbytes(8192 + 200)
write("t/views/image", data, 6 * 8192 + 8000)
after = read("t/views/image")
def body(image, page):
    return image[page * 8192 + 32:(page + 1) * 8192]
want = before[:6 * 8192 + 8000] + data + before[6 * 8192 + 8000 + len(data):]
for page in (6, 7, 8):
    assert body(after, page) == body(want, page), page'
check "large reads and writes are right in every block size" \
    sh 'head -c 5000000 /dev/urandom >"$work/random"
        for size in 512 4096 65536 1048576; do
            dd if="$work/random" of=t/views/image bs=$size conv=notrunc 2>/dev/null &&
                dd if=t/views/image bs=$size 2>/dev/null | cmp - t/views/image || exit 1
        done'
check "image and page-files agree" \
    true_in_python '
image = read("t/views/image")
for n in range(len(image) // 8192):
    assert image[n * 8192:(n + 1) * 8192] == read("t/%d" % n), n'
check "truncating to whole pages frees and allocates at the end" \
    sh 'truncate -s 16384 t/views/image && [ "$(ls t | grep -c "^0")" = 2 ] &&
        truncate -s 32768 t/views/image && [ "$(ls t | grep -c "^0")" = 4 ]'
check "truncating to anything else is EINVAL" fails_with EINVAL 'os.truncate("t/views/image", 100)'
check "O_TRUNC frees all pages" sh ': >t/views/image && [ "$(ls t)" = "$(printf "stats\nviews")" ]'
check "cp of an image restores a table" \
    sh 'for n in 0 1 2; do head -c 8192 /dev/urandom >t/$n || cat /dev/urandom | head -c 8192 >t/$n
        done; mkdir u && cp t/views/image u/views/image && [ "$(ls u | grep -c ^0)" = 3 ] &&
        cmp <(tail -c +33 t/2) <(tail -c +33 u/2)'
check "appends go to the end, whatever the kernel thinks it is" \
    true_in_python '
f = fd("u/views/image", os.O_WRONLY | os.O_APPEND)
os.truncate("t/views/image", 0)
g = fd("u/views/image", os.O_WRONLY)
os.write(f, bytes(8192))
os.write(f, bytes(8192))
assert os.stat("u/views/image").st_size == 5 * 8192'
check "holes are found by SEEK_HOLE and SEEK_DATA" \
    true_in_python '
os.truncate("u/views/image", 0)
os.close(fd("u/2", os.O_CREAT | os.O_WRONLY))
write("u/2", b"data", 100)
f = fd("u/views/image")
assert os.lseek(f, 0, os.SEEK_DATA) == 2 * 8192
assert os.lseek(f, 0, os.SEEK_HOLE) == 0
assert os.lseek(f, 2 * 8192, os.SEEK_HOLE) == 3 * 8192
try:
    os.lseek(f, 3 * 8192, os.SEEK_DATA)
    assert False
except OSError as e:
    assert e.errno == errno.ENXIO, e'
check "punching a hole frees whole pages" \
    sh 'truncate -s 65536 u/views/image && fallocate -p -o 16384 -l 16384 u/views/image &&
        [ ! -e u/2 ] && [ ! -e u/3 ] && [ -e u/4 ] && [ "$(stat -c %s u/views/image)" = 65536 ]'
check "the catalog's image is read and not written" \
    sh 'cat pagestore_catalog/views/image >/dev/null &&
        fails_with EROFS "fd(\"pagestore_catalog/views/image\", os.O_WRONLY)" &&
        fails_with EROFS "os.truncate(\"pagestore_catalog/views/image\", 0)"'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
check "a page is damaged" \
    sh 'cd "$work" && mounted && mkdir "$mnt/m" && head -c 131072 /dev/urandom >"$mnt/m/views/image" &&
        unmounted && pagectl poke "$store" m 5 5000 ff00ff00 && mounted'
check "which takes no other page from a mapping" \
    true_in_python '
image = fd("m/views/image", os.O_RDONLY)
def signal_of(page): # from looking at it
    child = os.fork()
    if child == 0:
        mapped = mmap.mmap(image, 131072, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        os._exit(mapped[page * 8192:(page + 1) * 8192] != read("m/%d" % page))
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or status == 0, page
    return os.WTERMSIG(status)
assert [signal_of(page) for page in range(16)] == [0] * 5 + [signal.SIGBUS] + [0] * 10'
check "and the mount goes" unmounted
finish
