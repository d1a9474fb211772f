#!/bin/bash
# Many tables and few descriptors: 5,000 tables under a limit of 256 open files.
. "$(dirname "$0")/lib.sh"

tables=5000
export tables

# Every 50th table's page says which table it is.
made='
for n in range(int(os.environ["tables"])):
    os.mkdir(f"t{n}")
    if n % 50 == 0:
        write(f"t{n}/views/payload", b"table %d\n" % n)
os.close(os.open("t0/views/payload", os.O_RDWR))'
found='
names = {name for name in os.listdir(".") if name[0] == "t"}
assert names == {f"t{n}" for n in range(int(os.environ["tables"]))}, len(names)
for n in range(0, int(os.environ["tables"]), 50):
    assert read(f"t{n}/views/payload") == b"table %d\n" % n, n
for n in range(int(os.environ["tables"])):
    assert os.stat(f"t{n}/views/image").st_size == (n % 50 == 0) * 8192, n'
descriptors='
pid = int(open(os.environ["store"] + "/lock").read())
count = len(os.listdir(f"/proc/{pid}/fd"))
assert count <= 256, count'
export made found descriptors

new_store || exit 1
check "the daemon has as few descriptors as it may, and serves" \
    sh '(ulimit -n 256 && mounted -o fsync=wal) && cd "$mnt" && true_in_python "$made" &&
        true_in_python "$found" && true_in_python "$descriptors"'
check "a checkpoint syncs what was closed and what is open" \
    sh 'echo 1 >.pagefs/checkpoint && sync t0/stats && kill -9 "$(cat "$store/lock")" &&
        flock "$store/lock" true'
check "recovery has as few, and finds every table" \
    sh '(ulimit -n 256 && mounted) && cd "$mnt" && true_in_python "$found" && unmounted'
check "the store is sound" sh 'cd "$work" && pagectl verify "$store"'
finish
