#!/bin/bash
# Start, options, signals, crashes, unmounting.
. "$(dirname "$0")/lib.sh"

# exits (of the library) writes out and err into the folder it runs in
refused()
{
    local status=$1 pattern=$2

    shift 2
    exits "$status" "$@" && says_one_line err "$pattern"
}

new_store || exit 1
check "--help and --version exit with 0" \
    sh 'cd / && pagefs --help | grep usage && pagefs --version | grep "^pagefs [0-9]" &&
        umount.fuse.pagefs --help | grep usage && umount.fuse.pagefs --version | grep "[0-9]"'
check "wrong usage is one line and exit status 2" refused 2 '^pagefs: usage' pagefs
check "too many arguments are refused" refused 2 'too many' pagefs a b c
for option in pool=none pool=0 policy fsync=never wal_delay=-1 wal_delay=x max_wal= \
    checkpoint_timeout=0 checkpoint_timeout=86401 wal_delay=3600001 io=mmapped on_corrupt=skip threads=0 wal_images=no remount \
    policy=magic pool=1K pool=100T max_wal=1 max_read=4095 max_read=x; do
    check "-o $option is refused" refused 2 "^pagefs: .*${option%=*}" \
        pagefs -o "$option" "$store" "$mnt"
done
check "a tablespace's folder that is not there is named with the tablespace" \
    refused 2 'tablespace=16619=/nothing/at/all: No such file' \
    pagefs -o tablespace=16619=/nothing/at/all "$store" "$mnt"
for size in 99999999999999999999 99999999999G; do
    check "-o pool=$size is said to be more than 64 bits" \
        refused 2 '64 bits' pagefs -o "pool=$size" "$store" "$mnt"
done
for option in "-o faults" -x --foo; do
    check "$option, that nobody knows, is refused" \
        refused 2 "^pagefs: unknown option.*${option#-o }" pagefs $option "$store" "$mnt"
done
check "a wrong value leaves the store as it is" \
    sh 'mounted && unmounted && cp -r "$store" "$work/was" && ! mounted -o policy=magic &&
        ! mounted -o pool=1K && ! mounted -o max_wal=1 && diff -r --exclude lock "$store" "$work/was"'
check "a pool that there is no memory for leaves the store as it is" \
    sh 'rm -rf "$work/was" && cp -r "$store" "$work/was" &&
        ! (ulimit -v 4000000 && pagefs -o pool=64G "$store" "$mnt") 2>"$work/why" &&
        grep -q "a pool of .*Cannot allocate memory" "$work/why" &&
        diff -r --exclude lock "$store" "$work/was"'
check "a limit of open files that is too low for a log is refused, and the store stays as it is" \
    refused 1 '^pagefs: at most 63 files may be open \(ulimit -n\): want 64 or more$' \
    bash -c 'ulimit -n 63 && exec pagefs "$store" "$mnt"'
check "under the lowest limit that is not, twelve clients write and sync a table each" \
    sh '(ulimit -n 64 && mounted) && cd "$mnt" && for i in {1..12}; do
            { mkdir b$i && head -c 3M /dev/zero >b$i/views/payload && sync b$i && cmp -n 3M b$i/views/payload /dev/zero
            } & pids+=($!)
        done; for p in "${pids[@]}"; do wait $p || exit 1; done; rm -r b* && unmounted'
check "an empty name is refused" refused 2 'SOURCE is an empty name' pagefs "" "$mnt"
check "an empty mount point is refused" refused 2 'MNT is an empty name' pagefs "$store" ""
check "a source that is not there is refused" \
    refused 1 '^pagefs: .*/nowhere: No such file' pagefs "$work/nowhere" "$mnt"
mkdir "$work/empty"
check "a folder that is no store is refused" \
    refused 1 '^pagefs: [^:]*/empty: not a page store: ' pagefs "$work/empty" "$mnt"
check "a mount point that is not there is refused" \
    refused 1 '^pagefs: mount point .*/nowhere: No such file' pagefs "$store" "$work/nowhere"
check "a mount point that is a file is refused" \
    refused 1 'Not a directory' pagefs "$store" "$store/lock"
check "the source is not its own mount point" refused 1 'is the source itself' \
    pagefs "$store" "$store"
check "a mount point inside the source is refused" refused 1 'lies inside the source' \
    pagefs "$store" "$store/tables"
check "a mount point that contains the source is refused" refused 1 'contains the source' \
    pagefs "$store" "$work"
damage()
{
    rm -rf "$work/rotten" && cp -r "$store" "$work/rotten" &&
        printf XXXX | dd of="$work/rotten/tables/$1" bs=1 seek=100 conv=notrunc status=none
}
for file in pages map; do
    damage "1.$file"
    check "a damaged catalog ($file) is one line, which says what is damaged" \
        refused 1 "^pagefs: .*tables/1.$file page 0.*checksum" pagefs "$work/rotten" "$mnt"
done

new_store || exit 1
check "the mount is usable at once, says what it is, and lets its descriptors go" \
    sh 'cd "$work" && out=$(pagefs "$store" "$mnt" 2>&1) && [ -z "$out" ] && [ -e "$mnt/.pagefs" ] &&
        grep -q "^$store $mnt fuse[.]pagefs .*default_permissions" /proc/self/mounts'
check "a store in use is refused, and says by whom" \
    refused 1 'store is in use by pid [0-9]+' pagefs "$store" "$work/empty"
check "umount.fuse.pagefs returns when the store is closed" \
    sh 'cd "$work" && mkdir "$mnt/t" && touch "$mnt/t/0" && unmounted && flock -n "$store/lock" true &&
        pagectl verify "$store"'
check "umount.fuse.pagefs of a busy mount is an error, and the mount stays" \
    sh 'mounted && exec 3<"$mnt/t/0" && ! umount.fuse.pagefs "$mnt" && cat "$mnt/t/0" >/dev/null &&
        exec 3<&- && unmounted && pagectl verify "$store"'
check "fusermount3 -u ends the daemon too" \
    sh 'mounted && cd "$work" && fusermount3 -u "$mnt" && flock "$store/lock" true &&
        pagectl verify "$store"'
for signal in TERM INT HUP; do
    check "SIG$signal unmounts, closes the store, and leaves nothing mounted" \
        sh "cd \"\$work\" && mounted && touch \"\$mnt/t/1\" && kill -$signal \$(cat \"\$store/lock\") &&
            flock \"\$store/lock\" true && ! grep -F \" \$mnt \" /proc/self/mounts &&
            pagectl verify \"\$store\""
done
check "a mount point that was relative is unmounted, too" \
    sh 'cd "$work" && pagefs store mnt && kill $(cat "$store/lock") && flock "$store/lock" true &&
        ! mountpoint -q "$mnt" && ! grep -F " $mnt " /proc/self/mounts'
check "what fstab says to others is passed over" \
    sh 'mounted -o x-systemd.automount,X-mount.mkdir,noauto,ro && unmounted'
check "one signal after the other ends it as one does" \
    sh 'pid=$(mounted && cat "$store/lock") && for _ in $(seq 20); do
            kill -TERM "$pid" 2>/dev/null || break
        done; flock -s "$store/lock" true && ! mountpoint -q "$mnt" && pagectl verify "$store"'
check "SIGTERM ends a mount that is busy" \
    sh 'mounted && cd "$mnt/t" && exec 3<1 && kill $(cat "$store/lock") &&
        flock "$store/lock" true && ! grep -F " $mnt " /proc/self/mounts'
check "SIGTERM under load ends it too, and everything acknowledged is there" \
    true_in_python '
def mount():
    subprocess.check_call(["pagefs", os.environ["store"], os.environ["mnt"]])
os.chdir("/")
mount()
mnt = os.environ["mnt"] + "/"
done = {}
def work(n):
    try:
        os.mkdir(mnt + "w%d" % n)
        for i in range(10**6):
            path = mnt + "w%d/%d" % (n, i % 50)
            f = fd(path, os.O_RDWR | os.O_CREAT)
            os.pwrite(f, b"%020d" % i, 100)
            done[n, i % 50] = i
            os.close(f)
            if i % 20 == 19:
                os.truncate(mnt + "w%d/views/image" % n, 8192 * 50)
    except OSError:
        pass
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
time.sleep(1)
os.kill(int(open(os.environ["store"] + "/lock").read()), signal.SIGTERM)
[t.join() for t in threads]
subprocess.check_call(["flock", os.environ["store"] + "/lock", "true"])
mount()
for (n, page), i in done.items():
    assert int(read(mnt + "w%d/%d" % (n, page))[100:120]) >= i
subprocess.check_call(["umount.fuse.pagefs", os.environ["mnt"]])'
check "a killed daemon leaves a dead mount, which the next one replaces and recovers" \
    sh 'cd "$work" && mounted && mkdir "$mnt/k" && cp "$bin/pagectl" "$mnt/k/views/payload" &&
        sync "$mnt/k" && kill -9 $(cat "$store/lock") && flock "$store/lock" true &&
        ! ls "$mnt" 2>/dev/null && mounted &&
        cmp "$bin/pagectl" "$mnt/k/views/payload" &&
        [ "$(grep -cF " $mnt " /proc/self/mounts)" = 1 ] && unmounted && pagectl verify "$store"'
check "what a sync did not cover is durable within wal_delay" \
    sh 'cd "$work" && mounted -o wal_delay=50 && mkdir "$mnt/d" && echo hello >"$mnt/d/views/payload" &&
        sleep 0.5 && kill -9 $(cat "$store/lock") && flock "$store/lock" true && mounted &&
        [ "$(cat "$mnt/d/views/payload")" = hello ] && unmounted'
check "read-only mounts share a store, which nobody writes meanwhile" \
    sh 'cd "$work" && mkdir -p other && mounted -o ro && pagefs -o ro "$store" other &&
        cmp "$mnt/d/views/payload" other/d/views/payload &&
        ! pagefs "$store" empty 2>why && grep -q "in use: it is open read-only" why && unmounted &&
        ! pagefs "$store" empty 2>why && umount.fuse.pagefs other && mounted && unmounted'
check "-o ro shows all and changes nothing" \
    sh 'cd "$work" && mounted -o ro && [ "$(cat "$mnt/d/views/payload")" = hello ] &&
        fails_with EROFS "os.mkdir(\"new\")" && fails_with EROFS "fd(\"d/0\", os.O_WRONLY)" &&
        unmounted && pagectl verify "$store"'
# read_by_mebibytes TABLE: of which there are four in its image.
read_by_mebibytes()
{
    local was

    was=$(number "$mnt/.pagefs/stats" read_count)
    dd if="$mnt/$1/views/image" of=/dev/null bs=1M count=4 status=none &&
        [ "$(number "$mnt/.pagefs/stats" read_count)" = $((was + 4)) ]
}
export -f read_by_mebibytes
check "a read of 1 MiB is one request" \
    sh 'cd "$work" && mounted && mkdir "$mnt/large" && head -c 4M /dev/urandom >"$mnt/large/views/image" &&
        read_by_mebibytes large && number "$mnt/large/stats" table_id >id && unmounted'
check "of a read-only mount too" \
    sh 'cd "$work" && mounted -o ro && read_by_mebibytes large && unmounted'
check "and of a single file" \
    sh 'cd "$work" && id=$(cat id) && pagefs "$store/tables/$id.pages" "$mnt" &&
        read_by_mebibytes "$id.pages" && unmounted'
check "-o kernel_cache serves reads from the kernel, and sees changes by other ways" \
    sh 'cd "$work" && mounted -o kernel_cache && cd "$mnt" && head -c 8192 /dev/urandom >"$work/p" &&
        mkdir c && cat "$work/p" >c/views/image && cat c/0 >/dev/null &&
        was=$(number c/stats page_reads) && cat c/0 c/0 >/dev/null &&
        [ "$(number c/stats page_reads)" = "$was" ] &&
        true_in_python "write(\"c/views/image\", b\"changed\", 1000)" &&
        for _ in {1..100}; do
            changed=$(dd if=c/0 bs=1 skip=1000 count=7 2>/dev/null | tr -d "\\0")
            [ "$changed" = changed ] && break
            sleep 0.1
        done && [ "$changed" = changed ] && unmounted'
check "-o max_read is honoured" \
    sh 'cd "$work" && mounted -o max_read=4096 && head -c 3000000 /dev/urandom >data &&
        mkdir "$mnt/max_read" && cp data "$mnt/max_read/views/payload" &&
        cmp data "$mnt/max_read/views/payload" && unmounted'
check "a low soft limit of open files does not limit the tables" \
    sh 'cd "$work" && (ulimit -Sn 64 && mounted) && mkdir "$mnt"/many{1..100} &&
        touch "$mnt"/many{1..100}/0 && unmounted && mounted && rm -r "$mnt"/many* && unmounted'
check "the smallest pool and few threads serve many clients" \
    true_in_python '
os.chdir("/")
subprocess.check_call(["pagefs", "-o", "pool=4M,threads=4", os.environ["store"], os.environ["mnt"]])
code = """
import os, sys
os.chdir(sys.argv[1])
d = "p" + sys.argv[2]
os.mkdir(d)
f = os.open(d + "/views/payload", os.O_RDWR)
data = os.urandom(1 << 20)
for i in range(3):
    assert os.pwrite(f, data, i << 20) == 1 << 20
os.fsync(f)
for i in range(3):
    assert os.pread(f, 1 << 20, i << 20) == data
"""
runs = [subprocess.Popen([sys.executable, "-c", code, os.environ["mnt"], str(n)]) for n in range(64)]
assert [r.wait() for r in runs] == [0] * 64
subprocess.check_call(["umount.fuse.pagefs", os.environ["mnt"]])'
check "the largest pages work in the smallest pool" \
    sh 'cd "$work" && mkdir "$work/mib" && pagectl init --page-size 1M "$work/mib" &&
        pagefs -o pool=8M "$work/mib" "$mnt" && mkdir "$mnt/t" &&
        head -c 20000000 /dev/urandom >"$work/data" && cp "$work/data" "$mnt/t/views/payload" &&
        cmp "$work/data" "$mnt/t/views/payload" && (cd "$mnt/t" && xxhsum -c views/checksums) &&
        unmounted && pagectl verify "$work/mib"'
check "a path with blanks and commas is mounted and unmounted" \
    sh 'cd "$work" && mkdir "a, b" "m, n" && pagectl init "a, b" && pagefs "a, b" "m, n" &&
        umount.fuse.pagefs "m, n" && pagectl verify "a, b"'
check "umount.fuse.pagefs of what is no mount is an error" \
    refused 1 'no pagefs is mounted' umount.fuse.pagefs "$work/empty"
# taken_over: the first of two daemons of one store, as the second one sees no lock.
taken_over()
{
    local pid status=0

    cd "$work" && rm -rf taken && mkdir -p taken-at other && pagectl init taken &&
        pagefs taken taken-at && pid=$(cat taken/lock) || return 1
    [ "$(number taken-at/.pagefs/stats lock)" = held ] && rm taken/lock &&
        pagefs taken other && umount.fuse.pagefs other || status=1
    exits 1 umount.fuse.pagefs taken-at &&
        says_one_line err 'taken: cannot see whether it is closed: its lock file was removed' || status=1
    tail --pid="$pid" -f /dev/null
    return $status
}
check "umount.fuse.pagefs says so of a store that was taken over" taken_over
# kept_elsewhere: a mount namespace has a copy of the mount, as a container that was started meanwhile.
kept_elsewhere()
{
    local keeper waiting

    cd "$work" && mounted && rm -f copied || return 1
    unshare $([ "$(id -u)" = 0 ] || echo -r) -m --propagation private sh -c ': >copied; exec sleep 600' &
    keeper=$!
    until [ -e copied ]; do
        kill -0 "$keeper" || return 1
    done
    umount.fuse.pagefs "$mnt" 2>err &
    waiting=$!
    until grep "waiting for pagefs to close $store; .* has a copy of the mount" err; do
        kill -0 "$waiting" || break
        sleep 0.1
    done
    kill "$keeper"
    wait "$keeper"
    wait "$waiting" && grep -q "has a copy of the mount" err
}
check "umount.fuse.pagefs says what it waits for while another namespace keeps the mount" kept_elsewhere
failed_sync()
{
    local tracer

    cd "$work" && mounted && mkdir "$mnt/f" && touch "$mnt/f/0" && sync "$mnt/f" || return 1
    strace -f -qq -o /dev/null -e trace=fdatasync,fsync,pwritev2 \
        -e inject=fdatasync,fsync,pwritev2:error=EIO -p "$(cat "$store/lock")" &
    tracer=$!
    while ! grep -q "^TracerPid:[[:blank:]]*[1-9]" "/proc/$(cat "$store/lock")/status"; do :; done
    fails_with EIO 'write("f/0", b"x", 100); os.fsync(fd("f/0"))' &&
        fails_with EIO 'write("f/0", b"y", 100)' && cat "$mnt/f/0" >/dev/null &&
        [ "$(number "$mnt/.pagefs/stats" state)" = poisoned ]
    local status=$?
    umount.fuse.pagefs "$mnt" 2>err && status=1
    kill "$tracer" 2>/dev/null
    wait "$tracer"
    [ $status = 0 ] && grep "was not closed cleanly (.*)" err && mounted && [ -e "$mnt/f/0" ] &&
        unmounted && pagectl verify "$store"
}
check "after a failed sync callers get EIO, umount.fuse.pagefs says so, the next mount recovers" \
    failed_sync
finish
