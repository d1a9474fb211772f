#!/bin/bash
# fio writes views/payload and verifies every block by its checksum.
. "$(dirname "$0")/lib.sh"

export size=$((${PS_LONG:-0} ? 1024 : 32))M

new_store || exit 1
mounted -o pool=16M || exit 1
sh 'mkdir t' || exit 1

# fio_verifies OPTION...: in a process of its own, which leaves the mount before it is unmounted.
fio_verifies()
(
    cd "$mnt" &&
        fio --name=job --filename=t/views/payload --size="$size" --verify=crc32c --verify_fatal=1 \
            --do_verify=1 --verify_state_save=0 --randrepeat=0 --thread --group_reporting \
            --aux-path="$work" "$@"
)

for direct in 0 1; do
    check "sequential blocks of 128K verify, direct=$direct" \
        fio_verifies --rw=write --bs=128k --direct="$direct"
    check "random blocks of 4K verify, direct=$direct" \
        fio_verifies --rw=randwrite --bs=4k --direct="$direct"
    check "four jobs verify parts of their own, with fsyncs, direct=$direct" \
        fio_verifies --rw=randwrite --bs=16k --direct="$direct" --numjobs=4 \
        --size=8M --offset_increment=8M --fsync=64
    check "blocks of 1K to 1M at offsets of 1K verify, direct=$direct" \
        fio_verifies --rw=randwrite --bsrange=1k-1m --blockalign=1k \
        --direct="$direct"
done
check "asynchronous direct requests verify, 16 at a time" \
    fio_verifies --rw=randwrite --bs=8k --direct=1 --ioengine=libaio --iodepth=16
check "writes on an O_DSYNC descriptor verify" \
    fio_verifies --rw=randwrite --bs=8k --sync=dsync --size=4M
check "blocks read back while others are written verify" \
    fio_verifies --rw=randwrite --bs=8k --verify_backlog=100 --verify_backlog_batch=50
check "it all verifies after a remount, too" \
    sh 'xxhsum -H2 t/views/payload >"$work/sum" && remounted && xxhsum -c "$work/sum"'
check "the store closes cleanly" unmounted
check "and is sound" pagectl verify "$store"
finish
