#!/bin/bash
# The disk below the store fails and fills up: what the mount's users and umount are told.
. "$(dirname "$0")/lib.sh"

small=$work/small # a file system of its own
tracer=

leave_no_disk()
{
    cd /
    [ -z "$tracer" ] || kill -INT "$tracer"
    umount -i -l "$mnt" 2>/dev/null && flock -s "$store/lock" true
    umount "$small" 2>/dev/null
    leave_nothing
}
trap leave_no_disk EXIT

# break_disk CALL ERROR FILE: from now on this system call of the daemon on a file of the store
# fails.
break_disk()
{
    local daemon

    daemon=$(cat "$store/lock")
    strace -f -qq -o "$work/trace" -P "$store/$3" -e trace="$1" -e inject="$1:error=$2" \
        -p "$daemon" &
    tracer=$!
    while grep -L '^TracerPid:.*[1-9]' "/proc/$daemon"/task/*/status | grep -q .; do
        kill -0 "$tracer" || exit 1 # until all threads are traced
    done
}

# mend_disk: fails if no call was made to fail.
mend_disk()
{
    kill -INT "$tracer" && wait "$tracer"
    tracer=
    grep -q INJECTED "$work/trace"
}

# change TEXT [PLACE]: in the middle of the payload.
change()
{
    echo "$1" | dd of="$mnt/t/views/payload" bs=1 seek="${2-30000}" conv=notrunc status=none
}

# changed_to TEXT [PLACE]
changed_to()
{
    [ "$(dd if="$mnt/t/views/payload" bs=1 skip="${2-30000}" count=${#1} status=none)" = "$1" ]
}

# state_is STATE REASON: in .pagefs/stats.
state_is()
{
    awk -v state="$1" -v reason="$2" '
        $1 == "state" && $2 != state || $1 == "reason" && $0 !~ reason { print; wrong = 1 }
        END { exit wrong }' "$mnt/.pagefs/stats"
}

# is_poisoned REASON_IN_STATS: nothing can be written, all can be read, umount says it.
is_poisoned()
{
    check "it stands in stats" state_is poisoned "$1"
    check "writes fail with EIO" fails_with EIO 'write("t/views/payload", b"x")'
    check "new tables fail with EIO" fails_with EIO 'os.mkdir("u")'
    check "fsync fails with EIO, again" fails_with EIO 'os.fsync(fd("t/views/payload"))'
    check "reads go on" sh 'cmp -n 30000 "$work/data" t/views/payload'
    check "umount exits with 1 and says why" exits 1 unmounted
    check "in one line" says_one_line err "not closed cleanly \($1"
    check "the store needs recovery" bash -o pipefail -c 'pagectl verify "$store" | grep "needs rec"'
    check "the next mount recovers it" mounted
    check "what was acknowledged is there" \
        sh "cmp -n 30000 '$work/data' t/views/payload && changed_to acknowledged"
    check "and it can be written again" bash -c 'change anew && sync "$mnt/t" && changed_to anew'
}

export -f change changed_to state_is

new_store || exit 1
mounted || exit 1
head -c 100000 /dev/urandom >data
mkdir "$mnt/t" && cp data "$mnt/t/views/payload" && sync "$mnt/t" || exit 1
pages=tables/$(number "$mnt/t/stats" table_id).pages

change acknowledged && sync "$mnt/t"
break_disk fdatasync EIO "$pages"
change lost 40000
check "fsync returns EIO when the page file's sync fails" \
    fails_with EIO 'os.fsync(fd("t/views/payload"))'
mend_disk || exit 1
is_poisoned "cannot sync $pages: Input/output error"

change acknowledged && sync "$mnt/t"
log=wal/$(cd "$store/wal" && find . -type f | sort | head -n 1 | cut -c 3-)
break_disk pwritev2 EIO "$log"
change lost 40000
check "fsync returns EIO when the log cannot be written" \
    fails_with EIO 'os.fsync(fd("t/views/payload"))'
mend_disk || exit 1
is_poisoned "log flush: cannot write .* of $log: Input/output error"

change acknowledged && sync "$mnt/t"
log=wal/$(cd "$store/wal" && find . -type f | sort | head -n 1 | cut -c 3-)
break_disk pwritev2 EROFS "$log"
change lost 40000
check "fsync returns EIO when the log's file system has become read-only, the first time, too" \
    fails_with EIO 'os.fsync(fd("t/views/payload"))'
mend_disk || exit 1
is_poisoned "log flush: cannot write .* of $log: Read-only file system"

break_disk pwritev2 EIO "$pages"
change kept
check "fsync returns EIO when a page cannot be written" \
    fails_with EIO 'os.fsync(fd("t/views/payload"))'
check "the page is kept in memory" changed_to kept
check "which poisons nothing" state_is read_write '-$'
mend_disk || exit 1
check "and is written by the next fsync" sync "$mnt/t"
check "for good" bash -c 'remounted && changed_to kept'

break_disk preadv EIO "$pages"
check "reads return EIO when a page cannot be read" fails_with EIO 'read("t/0000000005")'
check "which poisons nothing" state_is read_write '-$'
mend_disk || exit 1
check "and read it once it can be" true_in_python 'assert len(read("t/0000000005")) == 8192'

break_disk fallocate ENOSPC "$pages"
check "a write for which there is no space returns ENOSPC" \
    fails_with ENOSPC 'write("t/views/payload", bytes(10 << 20), 100000)'
check "and changed nothing" sh '[ "$(stat -c %s t/views/payload)" = 100000 ]'
check "pages that have their space are still written" \
    bash -c 'change "no room" && sync "$mnt/t" && changed_to "no room"'
mend_disk || exit 1
check "and all of them, once there is room" \
    true_in_python 'write("t/views/payload", bytes(1 << 20), 100000); os.fsync(fd("t/views/payload"))'
check "the store closes cleanly" unmounted
check "and is sound" pagectl verify "$store"

mounted && mkdir "$mnt/u" && id=$(number "$mnt/u/stats" table_id) && unmounted || exit 1
mv "$store/tables/$id.pages" away && mounted || exit 1
check "a table that lost its file is listed" sh 'ls | grep -qx u'
check "and is EIO" fails_with EIO 'os.stat("u")'
check "which others do not feel" sh 'cmp -n 30000 "$work/data" t/views/payload'
unmounted
mv away "$store/tables/$id.pages"

mkdir "$small" && mount -t tmpfs -o size=112M none "$small" || exit 1
store=$small/store
head -c 100M /dev/urandom >data
new_store || exit 1
mounted || exit 1
mkdir "$mnt/t" && head -c 20M data >"$mnt/t/views/payload" || exit 1
cat /dev/zero >"$small/filler" 2>/dev/null
check "a full disk is ENOSPC to the writer" \
    true_in_python '
data = open(os.environ["work"] + "/data", "rb")
payload = fd("t/views/payload", os.O_WRONLY | os.O_APPEND)
data.seek(20 << 20)
try:
    while piece := data.read(100000):
        assert os.write(payload, piece) == len(piece)
    sys.exit("100 MiB fitted")
except OSError as e:
    assert e.errno == errno.ENOSPC, e'
export written=$(stat -c %s "$mnt/t/views/payload")
check "what was written before ($written bytes) reads back" \
    sh '[ "$written" -ge 20000000 ] && cmp -n "$written" "$work/data" t/views/payload'
check "and is made durable" sync "$mnt/t"
kill -KILL "$(cat "$store/lock")" && umount -i -l "$mnt" && flock -s "$store/lock" true
check "a crash loses none of it: a full disk is enough to recover" \
    sh 'cd "$work" && mounted && cd "$mnt" && cmp -n "$written" "$work/data" t/views/payload'
check "what is there can be written over" \
    sh 'dd if="$work/data" of=t/views/payload bs=64k count=64 conv=notrunc,fsync status=none'
rm "$small/filler"
check "and once there is room the writer goes on" \
    sh 'head -c $((written + 500000)) "$work/data" | tail -c 500000 >>t/views/payload && sync t &&
        cmp -n $((written + 500000)) "$work/data" t/views/payload'
check "the store closes cleanly" unmounted
check "and is sound" pagectl verify "$store"
finish
