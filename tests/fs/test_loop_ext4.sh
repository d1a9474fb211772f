#!/bin/bash
# A loop device on views/payload with ext4 and SQLite on it; the daemon unmounted and killed.
. "$(dirname "$0")/lib.sh"

disk=$work/disk
loop=
export disk

# The loop device of a dead mount is busy until its file system and it itself are gone.
leave_no_device()
{
    cd /
    umount -l "$disk" 2>/dev/null
    [ -z "$loop" ] || losetup -d "$loop" 2>/dev/null
    leave_nothing
}
trap leave_no_device EXIT

attach()
{
    loop=$(losetup --find --show "$mnt/t/views/payload") && export loop
}

detach()
{
    umount "$disk" && losetup -d "$loop"
}

# detach for a device below which nothing answers any more: errors are what it is about.
detach_dead()
{
    umount -l "$disk"
    losetup -d "$loop"
    umount -i -l "$mnt" && flock -s "$store/lock" true
}

kill_daemon()
{
    kill -KILL "$(cat "$store/lock")"
}

# work_in_sqlite DATABASE COMMITS: prints a commit's number once it is durable.
work_in_sqlite()
{
    python3 - "$@" <<'END'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode=" + ("WAL" if "wal" in sys.argv[1] else "DELETE"))
db.execute("PRAGMA synchronous=EXTRA") # FULL does not sync the folder once the journal is deleted
db.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, text)")
db.execute("CREATE INDEX IF NOT EXISTS t_text ON t (text)")
first = db.execute("SELECT coalesce(max(n), 0) FROM t").fetchone()[0] + 1
for n in range(first, first + int(sys.argv[2])):
    db.execute("BEGIN")
    db.execute("INSERT INTO t VALUES (?, hex(randomblob(?)))", (n, n * 37 % 2000))
    db.execute("UPDATE t SET text = hex(randomblob(300)) WHERE n = ?", (n * 7919 % n + 1,))
    db.execute("COMMIT")
    print(n, flush=True)
END
}

# sound_with DATABASE N: integrity_check is content, and commits up to N are there.
sound_with()
{
    local said

    said=$(sqlite3 "$1" "PRAGMA integrity_check;
        SELECT iif(count(*) >= $2 AND count(*) = max(n), 'all', count(*) || ' of ' || max(n)) FROM t")
    [ "$said" = $'ok\nall' ] && return
    echo "$said"
    return 1
}

disk_bytes()
{
    number "$mnt/t/stats" bytes_on_disk
}

export -f detach work_in_sqlite sound_with disk_bytes

new_store || exit 1
mounted || exit 1
mkdir "$disk" "$mnt/t" && truncate -s 512M "$mnt/t/views/payload" || exit 1
check "mkfs.ext4 works on a loop device on payload" sh 'mkfs.ext4 -q -F t/views/payload'
attach || exit 1
check "and its file system mounts" mount "$loop" "$disk"
for journal in delete wal; do
    check "SQLite works on it, journal_mode=$journal" work_in_sqlite "$disk/$journal.db" 300
    check "and its integrity_check is content" sound_with "$disk/$journal.db" 300
done
check "files are copied onto it and verify" \
    bash -c 'cp -r /usr/share/common-licenses "$disk/" && sync -f "$disk" &&
        echo 3 >/proc/sys/vm/drop_caches && diff -r /usr/share/common-licenses "$disk/common-licenses"'
check "fstrim gives deleted files' space back to the file system below" \
    bash -c 'dd if=/dev/urandom of="$disk/large" bs=1M count=100 status=none conv=fsync &&
        before=$(disk_bytes) && rm "$disk/large" && sync -f "$disk" && fstrim "$disk" && sync "$mnt/t" &&
        after=$(disk_bytes) && echo "$before bytes, then $after" &&
        [ "$after" -lt $((before - 90000000)) ]'
check "it is unmounted and detached" detach
check "e2fsck finds nothing" sh 'e2fsck -fn t/views/payload'
check "nor after a remount" sh 'remounted && e2fsck -fn t/views/payload'

for journal in delete wal; do
    attach && mount "$loop" "$disk" || exit 1
    work_in_sqlite "$disk/$journal.db" 100000 >commits 2>errors &
    writer=$!
    tail -n +200 -f --pid=$writer commits 2>/dev/null | head -n 1 >/dev/null # 200 commits, and some
    kill_daemon
    wait "$writer"
    check "a killed daemon stops SQLite with an error" grep -q "sqlite3.*Error" errors
    export last=$(tail -n 1 commits)
    detach_dead >/dev/null 2>&1
    check "the store needs recovery, journal_mode=$journal" \
        bash -o pipefail -c 'pagectl verify "$store" | grep "needs recovery"'
    check "and mounts again" mounted
    attach || exit 1
    check "ext4 replays its journal: e2fsck repairs nothing else" \
        bash -c 'e2fsck -p "$loop"; [ $? -le 1 ] && e2fsck -fn "$loop"'
    check "the file system mounts again" mount "$loop" "$disk"
    check "all commits up to $last are there in a sound database" \
        sound_with "$disk/$journal.db" "$last"
    check "it is unmounted and detached" detach
    check "e2fsck finds nothing" sh 'e2fsck -fn t/views/payload'
done
check "the store closes cleanly" unmounted
check "and is sound" pagectl verify "$store"
finish
