# What the tests on a mounted store share. Sourced by each of them with the folder of the programs
# as $1; on top of the tests of the command line:
#
#   new_store [INIT OPTIONS]       an empty store
#   mounted [-o OPTIONS]           mounts it
#   unmounted                      unmounts it, waits until it is closed, exits non-zero if unclean
#   sh, true_in_python, fails_with run in the root of the mount:
#   true_in_python CODE            CODE (os, time and more imported) raises nothing
#   fails_with ERRNO CODE          CODE raises OSError with that errno
#                                  (dies_at_once(RUN): a client of Popen(), once it is killed)
#   number FILE NAME               the value of `NAME value` in FILE
#
# Nothing is left behind: no mount, no process, no file.
. "$(dirname "$0")/../tools/lib.sh" "$1"

store=$work/store
mnt=$work/mnt
export work store mnt PATH="$bin:$PATH" PYTHONDONTWRITEBYTECODE=1

# What is still mounted below $work, the newest first.
mounts_left()
{
    tac /proc/self/mounts | while read -r _ dir _; do
        dir=$(printf %b "$dir")
        [[ $dir == "$work"/* ]] && printf '%s\n' "$dir"
    done
}

leave_nothing()
{
    local dir lock

    cd /
    mounts_left | while read -r dir; do
        umount -i -l "$dir"
    done
    for lock in "$work"/*/lock; do # until each daemon has let go, or can only be killed
        [ -e "$lock" ] || continue
        timeout 60 flock -s "$lock" true || kill -9 "$(cat "$lock")"
    done
    rm -rf "$work"
}
trap leave_nothing EXIT

if [ ! -c /dev/fuse ] || ! command -v fusermount3 >/dev/null; then
    echo "FAIL there is no /dev/fuse, or no fusermount3: nothing can be mounted here"
    exit 1
fi

new_store()
{
    cd "$work" && rm -rf "$store" && pagectl init "$store" "$@" && mkdir -p "$mnt"
}

mounted()
{
    pagefs "$@" "$store" "$mnt"
}

unmounted()
{
    cd "$work" && umount.fuse.pagefs "$mnt"
}

remounted()
{
    unmounted && mounted "$@" && cd "$mnt"
}

# The one process that runs COMMANDS is also the one that has to leave before an unmount.
sh()
{
    bash -o pipefail -c "cd '$mnt' 2>/dev/null; { $1
    }"
}

python_head='
import ctypes, errno, fcntl, hashlib, mmap, os, random, signal, stat, subprocess, sys, threading, time
try:
    os.chdir(os.environ["mnt"])
except OSError: # a dead mount, perhaps
    pass
def fd(path, flags=os.O_RDWR, mode=0o666):
    return os.open(path, flags, mode)
def read(path):
    with open(path, "rb", buffering=0) as f:
        return f.readall()
def write(path, data, off=0, flags=0):
    f = os.open(path, os.O_WRONLY | flags)
    try:
        assert os.pwrite(f, data, off) == len(data)
    finally:
        os.close(f)
def dies_at_once(run, by=signal.SIGKILL):
    start = time.monotonic()
    run.send_signal(by)
    run.wait()
    assert time.monotonic() - start < 1, time.monotonic() - start
'

true_in_python()
{
    python3 -c "$python_head$1"
}

fails_with()
{
    python3 -c "$python_head
try:
    $2
except OSError as e:
    sys.exit(0 if errno.errorcode[e.errno] == '$1' else 'errno is ' + errno.errorcode[e.errno])
sys.exit('it did not fail')"
}

number()
{
    awk -v name="$2" '$1 == name { print $2 }' "$1"
}

export -f new_store mounted unmounted remounted true_in_python fails_with number
export python_head
