#!/bin/bash
# .pagefs, the engine's own room, and extended attributes of page-files.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted -o pool=4M || exit 1
sh 'mkdir t && for n in 0 1 2 3; do head -c 8192 /dev/urandom >t/views/image; touch t/$n; done
    head -c 8192 /dev/urandom | dd of=t/2 conv=notrunc' || exit 1

check ".pagefs is its owner's alone" \
    sh '[ "$(stat -c %a .pagefs)" = 700 ] && [ "$(stat -c %u .pagefs)" = "$(stat -c %u "$store")" ]'
check "each file in it but wal is as long as stat says" \
    sh 'for f in stats stats.json frames config checkpoint; do
            [ "$(stat -c %s .pagefs/$f)" = "$(cat .pagefs/$f | wc -c)" ] || exit 1
        done'
check "stats has pool, log and checkpoint counters" \
    sh 'for name in pool_hits pool_misses pool_evictions wal_records checkpoints state reason; do
            [ -n "$(number .pagefs/stats $name)" ] || exit 1
        done; ! awk "NF != 2" .pagefs/stats | grep .'
check "stats.json is JSON with the same names" \
    true_in_python '
import json
j = json.load(open(".pagefs/stats.json"))
assert [l.split()[0] for l in open(".pagefs/stats")] == list(j)'
check "frames has a line a frame, and shows where a page is" \
    sh '[ "$(head -1 .pagefs/frames)" = "frame table page page_id pin dirty usage lsn fork" ] &&
        [ "$(tail -n +2 .pagefs/frames | wc -l)" = 512 ] && cat t/2 >/dev/null &&
        awk "\$2 == 2 && \$3 == 2 && \$9 == \"data\" && \$4 == 2 * 4294967296 + 2" \
            .pagefs/frames | grep .'
check "policies has a line a policy and marks the one in force, which config changes" \
    sh '[ "$(tail -n +2 .pagefs/policies | wc -l)" = 6 ] &&
        [ "$(stat -c %s .pagefs/policies)" = "$(cat .pagefs/policies | wc -c)" ] &&
        [ "$(awk "\$2 == \"*\" { print \$1 }" .pagefs/policies)" = s3fifo ] &&
        echo policy adaptive >.pagefs/config && grep -qx "policy adaptive" .pagefs/config &&
        [ "$(awk "\$2 == \"*\" { print \$1 }" .pagefs/policies)" = adaptive ] &&
        ! (echo policy magic >.pagefs/config) 2>/dev/null && echo policy s3fifo >.pagefs/config'
check "wal shows the records of a write once they are durable" \
    sh '[ "$(head -1 .pagefs/wal | cut -d" " -f1-4)" = "lsn prev txn type" ] && sync t/2 &&
        awk "\$5 == 2 && \$6 == 2" .pagefs/wal | grep -q .'
check "wal's lines ascend and are whole, in any block size" \
    sh 'for n in $(seq 300); do echo $n; done >>t/views/payload; sync t
        cat .pagefs/wal >"$work/wal" && dd if=.pagefs/wal bs=777 of="$work/wal777" 2>/dev/null &&
            cmp -n "$(stat -c %s "$work/wal")" "$work/wal777" "$work/wal" &&
        ! awk "NR > 1 && (\$1 + 0 <= last || NF < 8) { print } { last = \$1 + 0 }" "$work/wal" |
            grep .'
check "trace tells of write-backs with their reasons" \
    sh 'true_in_python "write(\"t/2\", b\"x\", 500)" && sync t && grep -q write-back .pagefs/trace'
check "a line of trace is as long as stat reckons" \
    sh '[ "$(stat -c %s .pagefs/trace)" = "$(cat .pagefs/trace | wc -c)" ]'
check "writing to checkpoint runs one" \
    sh 'was=$(number .pagefs/checkpoint checkpoints) && echo now >.pagefs/checkpoint &&
        [ "$(number .pagefs/checkpoint checkpoints)" -gt "$was" ]'
check "config shows what is in force, and takes what can change" \
    sh '[ "$(number .pagefs/config pool)" = 4194304 ] && echo "wal_delay 77" >.pagefs/config &&
        [ "$(number .pagefs/config wal_delay)" = 77 ] && echo fsync=wal >.pagefs/config &&
        [ "$(number .pagefs/config fsync)" = wal ] && sync t && echo fsync checkpoint >.pagefs/config'
check "a wrong line for config is EINVAL, a fixed setting EPERM" \
    sh 'fails_with EINVAL "write(\".pagefs/config\", b\"no_such 1\")" &&
        fails_with EINVAL "write(\".pagefs/config\", b\"wal_delay\")" &&
        fails_with EINVAL "write(\".pagefs/config\", b\"fsync never\")" &&
        fails_with EINVAL "write(\".pagefs/config\", b\"wal_delay 5\\0\")" &&
        fails_with EPERM "write(\".pagefs/config\", b\"pool 1G\")" &&
        fails_with EPERM "write(\".pagefs/config\", b\"threads 7\")"'
check "what is shown cannot be written, nor anything added" \
    sh 'fails_with EPERM "fd(\".pagefs/stats\", os.O_WRONLY)" &&
        fails_with EPERM "fd(\".pagefs/new\", os.O_CREAT)" && fails_with EPERM "os.rmdir(\".pagefs\")"'

check "getfattr -d shows a page's metadata" \
    sh 'getfattr -d t/2 >"$work/attrs" && for name in lsn checksum checksum_ok dirty pins page_id type
        do grep -q "^user.pagestore.$name=" "$work/attrs" || exit 1; done'
check "the attributes say what the page says" \
    true_in_python '
def attr(name):
    return os.getxattr("t/2", "user.pagestore." + name).decode()
page = read("t/2")
assert attr("lsn") == str(int.from_bytes(page[16:24], "little"))
assert attr("checksum") == "%08x" % int.from_bytes(page[24:28], "little")
assert attr("page_id") == str((2 << 32) + 2) and attr("checksum_ok") == "1"
os.fsync(fd("t", os.O_RDONLY))
assert attr("dirty") == "0"
write("t/2", b"y", 600)
assert attr("dirty") == "1"'
check "other attributes are ENODATA, other kinds EOPNOTSUPP, writing too" \
    sh 'fails_with ENODATA "os.getxattr(\"t/2\", \"user.mine\")" &&
        fails_with ENODATA "os.getxattr(\"t\", \"user.pagestore.lsn\")" &&
        fails_with ENOTSUP "os.getxattr(\"t/2\", \"security.selinux\")" &&
        fails_with ENOTSUP "os.getxattr(\"t/2\", \"system.posix_acl_access\")" &&
        fails_with ENOTSUP "os.setxattr(\"t/2\", \"user.mine\", b\"1\")"'
check "df tells of the file system below" sh '[ "$(df --output=size . | tail -1)" -gt 1000 ]'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
