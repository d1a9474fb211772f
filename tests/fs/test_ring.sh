#!/bin/bash
# -o io_uring: requests through rings, where libfuse and the kernel have them.
. "$(dirname "$0")/lib.sh"

switch=/sys/module/fuse/parameters/enable_uring
new_store || exit 1

# refused STATUS WHY COMMAND...: it exits with the status and says why.
refused()
{
    local status=$1 why=$2

    shift 2
    exits "$status" "$@" && grep -qF -- "$why" err
}

if ! pagefs --help | grep -q io_uring; then
    check "without libfuse's rings the option says so" \
        refused 2 "which has no io_uring" pagefs -o io_uring "$store" "$mnt"
    check "as does the other" \
        refused 2 "which has no io_uring" pagefs -o io_uring_q_depth=8 "$store" "$mnt"
    finish
    exit
fi
check "the depth is a number" \
    refused 2 "want a number from 1 to 1024" pagefs -o io_uring_q_depth=0 "$store" "$mnt"
if [ "$(cat $switch)" != Y ]; then
    check "a kernel whose rings are turned off is named" \
        refused 1 "$switch" pagefs -o io_uring "$store" "$mnt"
    finish
    exit
fi

mounted -o io_uring,io_uring_q_depth=4 || exit 1
check "there is a ring for each CPU" sh \
    '[ "$(grep -l "^fuse-ring" /proc/"$(cat "$store/lock")"/task/*/comm | wc -l)" -ge "$(nproc --all)" ]'
check "pages are written and read" sh 'mkdir t && truncate -s 64M t/views/image &&
    head -c 1M /dev/urandom >"$work/bytes" && dd if="$work/bytes" of=t/views/payload conv=notrunc &&
    sync t && head -c 1M t/views/payload | cmp - "$work/bytes"'
check "a client killed in a long view dies at once" true_in_python '
os.truncate("t/views/image", 4 << 30)
run = subprocess.Popen(["cat", "t/views/checksums"], stdout=subprocess.DEVNULL)
time.sleep(0.3)
assert run.poll() is None, "it was too quick to be killed"
dies_at_once(run)'
check "SIGTERM amid reads, writes and syncs ends the daemon" sh '
    lock=$store/lock pid=$(cat "$store/lock")
    for i in 1 2 3 4 5 6; do
        touch t/$i
        while cat t/$i && echo x | dd of=t/$i bs=1 seek=100 conv=notrunc,fsync; do :; done &
    done >"$work/out" 2>&1
    sleep 1
    kill -TERM "$pid" && cd / && wait && timeout 60 flock -s "$lock" true'
check "and leaves a sound store, closed" sh 'cd / && pagectl verify "$store" &&
    pagectl stat "$store" && mounted && unmounted'
finish
