#!/bin/bash
# Clients that are killed, or interrupted, while they wait.
. "$(dirname "$0")/lib.sh"

new_store || exit 1
mounted || exit 1
sh 'mkdir t && truncate -s 4G t/views/image' || exit 1

check "a client killed in a long view dies at once" \
    true_in_python '
run = subprocess.Popen(["cat", "t/views/checksums"], stdout=subprocess.DEVNULL)
time.sleep(0.3)
assert run.poll() is None, "it was too quick to be killed"
dies_at_once(run)'
check "SIGTERM ends it as well" \
    true_in_python '
run = subprocess.Popen(["cat", "t/views/checksums"], stdout=subprocess.DEVNULL)
time.sleep(0.3)
dies_at_once(run, signal.SIGTERM)'
check "a signal that the client handles does not end its call" \
    true_in_python '
code = """
import os, signal, sys
hits = []
signal.signal(signal.SIGALRM, lambda *a: hits.append(1))
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for i in range(200):
    f = libc.open(b"t/views/payload", os.O_RDWR)
    assert f >= 0, ctypes.get_errno()
    data = os.urandom(1 << 16)
    assert libc.pwrite(f, data, len(data), ctypes.c_long(i << 16)) == len(data), ctypes.get_errno()
    assert libc.fsync(f) == 0, ctypes.get_errno()
    libc.close(f)
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(hits) > 3
"""
subprocess.check_call([sys.executable, "-c", code])'
check "reads and writes under a storm of signals that the client handles are whole" \
    true_in_python '
code = """
import os, signal, time
hits = []
f = os.open("t/views/image", os.O_RDWR)
pages = [os.urandom(8192) for i in range(8)]
assert os.pwrite(f, b"".join(pages), 0) == 8 * 8192
signal.signal(signal.SIGALRM, lambda *a: hits.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
end = time.monotonic() + 1
while time.monotonic() < end:
    for i, page in enumerate(pages):
        assert os.pread(f, 8192, i * 8192)[32:] == page[32:]
        assert os.pwrite(f, page[4096:], i * 8192 + 4096) == 4096
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(hits) > 100, len(hits)
"""
subprocess.check_call([sys.executable, "-c", code])'
check "a deadly signal after a harmless one still ends the wait" \
    true_in_python '
code = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *a: None)
print("ready", flush=True)
os.open("t/views/checksums", os.O_RDONLY)
"""
run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
run.stdout.readline()
time.sleep(0.2)
run.send_signal(signal.SIGUSR1)
time.sleep(0.3)
assert run.poll() is None, "the handled signal ended it"
dies_at_once(run)'
# with_slow_syncs CODE: runs it while each sync of the daemon's takes five seconds longer.
with_slow_syncs()
{
    local pid tracer status

    pid=$(cat "$store/lock")
    strace -f -qq -o /dev/null -e trace=fdatasync,fsync,pwritev2 \
        -e inject=fdatasync,fsync,pwritev2:delay_enter=5000000 -p "$pid" &
    tracer=$!
    while ! grep -q "^TracerPid:[[:blank:]]*[1-9]" "/proc/$pid/status"; do :; done
    true_in_python "$1"
    status=$?
    kill "$tracer"
    wait "$tracer"
    return $status
}
# A file each: the kernel itself lets only one process at a time write or sync one.
sh 'touch t/{1,2,3}{0,1,2,3,4,5,6,7,8,9}' || exit 1
clients='
code = """
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
os.pwrite(f, b"x", 100)
g = os.open(sys.argv[1], os.O_RDWR | int(sys.argv[2]))
print("written", flush=True)
if int(sys.argv[2]):
    os.pwrite(g, b"y", 100)
else:
    os.fsync(g)
print("synced", flush=True)
"""
def clients(names, flags=0):
    runs = [subprocess.Popen([sys.executable, "-c", code, name, str(flags)], stdout=subprocess.PIPE)
            for name in names]
    for run in runs:
        assert run.stdout.readline() == b"written\n"
    time.sleep(0.5)
    for run in runs:
        assert run.poll() is None, "the disk was not slow"
    return runs
def kill(runs):
    for run in runs:
        dies_at_once(run)
        assert run.stdout.read() == b""
'
export clients
check "a client killed in an fsync behind a slow disk dies at once" \
    with_slow_syncs "$clients"'kill(clients(["t/10", "t/11", "t/12"]))'
check "a client killed in an O_SYNC write behind a slow disk dies at once" \
    with_slow_syncs "$clients"'kill(clients(["t/13", "t/14", "t/15"], os.O_SYNC))'
check "a client killed in a checkpoint behind a slow disk dies at once" \
    with_slow_syncs "$clients"'
code = """
import os
f = os.open(".pagefs/checkpoint", os.O_WRONLY)
print("written", flush=True)
os.write(f, b"now")
print("synced", flush=True)
"""
kill(clients(["-"]))'
check "clients that wait for a slow disk, more than there are threads, keep nobody else waiting" \
    with_slow_syncs "$clients"'
runs = clients(["t/2%d" % i for i in range(10)]) + clients(["t/3%d" % i for i in range(10)])
start = time.monotonic()
assert len(read("t/10")) == 8192
os.listdir("t/views")
assert time.monotonic() - start < 1, time.monotonic() - start
kill(runs)'
sh 'echo "fsync wal" >.pagefs/config' || exit 1
check "a client killed in an fsync of the log behind a slow disk dies at once" \
    with_slow_syncs "$clients"'kill(clients(["t/16", "t/17", "t/18"]))'
check "what killed clients wrote is there, and fsync works" \
    sh '[ "$(head -c 101 t/10 | tail -c 1)$(head -c 101 t/13 | tail -c 1)" = xy ] && sync t/10 &&
        echo "fsync checkpoint" >.pagefs/config && sync t/10'
check "the mount works on" sh 'touch t/1000000 && cat t/5 >/dev/null && sync t'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
