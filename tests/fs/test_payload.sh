#!/bin/bash
# views/payload: a raw table as one ordinary file of bytes.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1
sh 'mkdir t' || exit 1

check "payload takes any length and gives it back" \
    sh 'head -c 1234567 /dev/urandom >"$work/data" && cp "$work/data" t/views/payload &&
        [ "$(stat -c %s t/views/payload)" = 1234567 ] && cmp "$work/data" t/views/payload'
check "payload is what stands behind the headers" \
    true_in_python '
data = b"".join(read("t/%010d" % n)[32:] for n in range(len([x for x in os.listdir("t") if x.isdigit()])))
assert data[:1234567] == open(os.environ["work"] + "/data", "rb").read()'
check "it survives a remount" sh 'remounted && cmp "$work/data" t/views/payload'
check "random reads, writes, truncates and holes are as in an ordinary file" \
    true_in_python '
seed = random.randrange(1 << 30)
print("seed", seed)
rnd = random.Random(seed)
name = "t/views/payload"
twin = os.open(os.environ["work"] + "/twin", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
os.truncate(name, 0)
f = fd(name)
libc = ctypes.CDLL(None, use_errno=True)
def both(call):
    call(f), call(twin)
for step in range(1500):
    off, n = rnd.randrange(300000), rnd.randrange(1, 40000)
    kind = rnd.randrange(10)
    if kind < 4:
        data = rnd.randbytes(n)
        both(lambda d: os.pwrite(d, data, off))
    elif kind < 5:
        both(lambda d: os.ftruncate(d, off))
    elif kind < 6:
        mode = rnd.choice((0, 1, 3, 0x10, 0x11))
        def call(d):
            got = libc.fallocate(d, mode, ctypes.c_long(off), ctypes.c_long(n))
            assert got == 0 or mode in (0x10, 0x11) and d == twin, (mode, ctypes.get_errno())
            if got != 0: # not every file system has it
                size = os.fstat(d).st_size
                end = off + n if mode == 0x10 else min(off + n, size)
                os.pwrite(d, bytes(max(0, end - off)), off)
        both(call)
    else:
        assert os.pread(f, n, off) == os.pread(twin, n, off), (seed, step, off, n)
    assert os.fstat(f).st_size == os.fstat(twin).st_size, (seed, step, kind)
assert read(name) == read(os.environ["work"] + "/twin"), seed'
check "growing without writing costs no space, and holes are found" \
    true_in_python '
os.truncate("t/views/payload", 0)
f = fd("t/views/payload")
os.ftruncate(f, 1 << 40)
assert os.fstat(f).st_size == 1 << 40
assert os.fstat(f).st_blocks * 512 < 1 << 20
os.pwrite(f, b"far away", 1 << 39)
at = os.lseek(f, 0, os.SEEK_DATA)
assert (1 << 39) - 8192 < at <= 1 << 39, at
assert os.pread(f, 8, 1 << 39) == b"far away" and os.pread(f, 100, 1 << 38) == bytes(100)
os.ftruncate(f, 0)
os.ftruncate(f, 8160 * 8)'
check "appends of several processes do not mix" \
    true_in_python '
os.truncate("t/views/payload", 0)
code = """
import os, sys
f = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
for i in range(200):
    os.write(f, sys.argv[2].encode() * 99 + b"\\n")
"""
runs = [subprocess.Popen([sys.executable, "-c", code, "t/views/payload", c]) for c in "abcd"]
assert [r.wait() for r in runs] == [0] * 4
lines = read("t/views/payload").split(b"\n")
assert len(lines) == 801 and lines.pop() == b""
assert all(len(l) == 99 and len(set(l)) == 1 for l in lines)'
check "a copy keeps its holes" \
    sh 'truncate -s 0 t/views/payload && truncate -s 100M t/views/payload &&
        echo middle | dd of=t/views/payload bs=1 seek=50000000 conv=notrunc 2>/dev/null &&
        cp --sparse=auto t/views/payload "$work/copy" && cmp t/views/payload "$work/copy" &&
        [ "$(du -k "$work/copy" | cut -f1)" -lt 1024 ] && rm "$work/copy"'
check "it cannot be mapped for writing, and can privately" \
    true_in_python '
f = fd("t/views/payload")
m = mmap.mmap(f, 8192, flags=mmap.MAP_PRIVATE)
assert m[:4] == bytes(4)'
loop_ext4()
{
    local loop

    truncate -s 0 "$mnt/t/views/payload" && truncate -s 64M "$mnt/t/views/payload" &&
        loop=$(losetup -f --show "$mnt/t/views/payload") || return 1
    mkdir -p "$work/ext4"
    mkfs.ext4 -q "$loop" && mount "$loop" "$work/ext4" && cp -r /etc/default "$work/ext4/" &&
        sync -f "$work/ext4" && fstrim "$work/ext4" && umount "$work/ext4" && e2fsck -fn "$loop"
    local status=$?
    grep -qF " $work/ext4 " /proc/self/mounts && umount "$work/ext4"
    losetup -d "$loop"
    return $status
}
if [ "$(id -u)" = 0 ] && losetup -f >/dev/null 2>&1; then
    check "a loop device and ext4 work on it" loop_ext4
fi
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
