#!/bin/bash
# Page-files: their bytes, their ends, and what happens to a descriptor whose page is freed.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1
sh 'mkdir t && touch t/0 t/1' || exit 1

check "a page-file has exactly the page's size" sh '[ "$(stat -c %s t/0)" = 8192 ] &&
    [ "$(wc -c <t/0)" = 8192 ]'
check "what is written reads back, but for what the store owns" \
    true_in_python '
data = random.Random(1).randbytes(8192)
write("t/0", data)
got = read("t/0")
assert got[32:] == data[32:]
assert got[:4] == b"PGDB" and got[4:6] == b"\1\0" and got[6:8] == data[6:8]
assert got[8:16] == bytes(8) and int.from_bytes(got[28:32], "little") == 2'
check "parts of a page are written and read at any offset" \
    true_in_python '
before = read("t/0")
write("t/0", b"hello", 4001)
after = read("t/0")
assert after[4001:4006] == b"hello"
assert after[32:4001] == before[32:4001] and after[4006:] == before[4006:]
f = fd("t/0")
assert os.pread(f, 3, 4002) == b"ell" and os.pread(f, 10, 8190) == after[8190:]
assert os.pread(f, 10, 8192) == b"" and os.pread(f, 10, 1 << 40) == b""'
check "a write that passes the end is EFBIG and changes nothing" \
    true_in_python '
before = read("t/0")
for off, data in ((8191, b"xx"), (8192, b"x"), (1 << 40, b"x"), (0, bytes(8193))):
    try:
        os.pwrite(fd("t/0"), data, off)
        assert False, (off, len(data))
    except OSError as e:
        assert e.errno == errno.EFBIG, e
assert read("t/0") == before'
check "an append to a page-file is EFBIG, also while another open truncated it" \
    true_in_python '
before = read("t/0")
f = fd("t/0", os.O_WRONLY | os.O_APPEND)
g = fd("t/0", os.O_WRONLY | os.O_TRUNC)
try:
    os.write(f, b"x")
    assert False
except OSError as e:
    assert e.errno == errno.EFBIG, e
assert read("t/0") == before'
check "O_TRUNC keeps size and content" \
    sh 'cp t/0 "$work/before" && : >t/0 && cmp t/0 "$work/before" && [ "$(stat -c %s t/0)" = 8192 ]'
check "truncate to the same size succeeds, to another is EINVAL" \
    sh 'truncate -s 8192 t/0 && fails_with EINVAL "os.truncate(\"t/0\", 8191)" &&
        fails_with EINVAL "os.truncate(\"t/0\", 0)"'
check "chmod, chown and utimens succeed and do nothing" \
    sh 'mode=$(stat -c %a t/0) && chmod 777 t/0 && chown 12:34 t/0 && touch -d 2001-01-01 t/0 &&
        [ "$(stat -c %a:%u t/0)" = "$mode:$(stat -c %u "$store")" ] &&
        [ "$(stat -c %Y t/0)" -gt 1000000000 ]'
check "mtime is that of the last change, and is kept across mounts" \
    sh 'write="write(\"t/1\", b\"x\", 100)"; true_in_python "$write" && was=$(stat -c %.6Y t/1) &&
        remounted && [ "$(stat -c %.6Y t/1)" = "$was" ]'
check "the freed page's descriptor gets EIO, and never the new page" \
    true_in_python '
write("t/1", b"old page", 100)
f = fd("t/1")
os.unlink("t/1")
def refused(call):
    try:
        call()
        return False
    except OSError as e:
        return e.errno in (errno.EIO, errno.ESTALE)
assert refused(lambda: os.pread(f, 8, 100))
os.close(fd("t/1", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
write("t/1", b"new page", 100)
assert refused(lambda: os.pread(f, 8, 100))
assert refused(lambda: os.pwrite(f, b"haunting", 100))
assert refused(lambda: os.truncate(f, 8192))
assert read("t/1")[100:108] == b"new page"'
check "a page freed through the image is gone for its descriptor too" \
    true_in_python '
os.close(fd("t/9", os.O_CREAT | os.O_WRONLY))
f = fd("t/0000000009")
os.truncate("t/views/image", 2 * 8192)
assert not os.path.exists("t/9")
try:
    os.pread(f, 1, 0)
    assert False
except OSError as e:
    assert e.errno == errno.EIO, e
try:
    fd("t/0000000009")
    assert False
except OSError as e:
    assert e.errno == errno.ENOENT, e'
check "writers of page-files and their being freed do not mix" \
    true_in_python '
stop = time.monotonic() + 2
wrong = []
def writer(n):
    while time.monotonic() < stop:
        try:
            f = fd("t/50", os.O_RDWR | os.O_CREAT)
            mark = b"%016d" % random.randrange(10**15)
            os.pwrite(f, mark, 64 + 16 * n)
            if os.pread(f, 16, 64 + 16 * n) != mark:
                wrong.append(mark)
            os.close(f)
        except OSError as e:
            if e.errno not in (errno.EIO, errno.ENOENT, errno.ESTALE):
                wrong.append(e)
def freer():
    while time.monotonic() < stop:
        try:
            os.truncate("t/views/image", 8192 * 20)
        except OSError as e:
            wrong.append(e)
threads = [threading.Thread(target=writer, args=(n,)) for n in range(4)]
threads.append(threading.Thread(target=freer))
[x.start() for x in threads]
[x.join() for x in threads]
assert not wrong, wrong[:5]'
check "writes on O_SYNC and O_DSYNC descriptors work" \
    sh 'dd if=/dev/zero of=t/0 bs=512 count=4 seek=1 oflag=sync conv=notrunc &&
        dd if=/dev/zero of=t/0 bs=512 count=4 seek=1 oflag=dsync conv=notrunc'
check "O_DIRECT descriptors work at any offset" \
    true_in_python '
f = fd("t/0", os.O_RDWR | os.O_DIRECT)
assert os.pwrite(f, b"abc", 77) == 3 and os.pread(f, 3, 77) == b"abc"'
check "fsync of files and folders succeeds" \
    sh 'sync t/0 t t/views . t/views/image t/stats && sync -d t/0'
check "every read is counted" \
    true_in_python '
def reads():
    for line in open("t/stats"):
        name, value = line.split()
        if name == "page_reads":
            return int(value)
f = fd("t/0")
before = reads()
for i in range(500):
    os.pread(f, 512, 0)
assert reads() - before == 500, reads() - before'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
