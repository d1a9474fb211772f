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
start = time.monotonic()
run.kill()
run.wait()
assert time.monotonic() - start < 1, time.monotonic() - start'
check "SIGTERM ends it as well" \
    true_in_python '
run = subprocess.Popen(["cat", "t/views/checksums"], stdout=subprocess.DEVNULL)
time.sleep(0.3)
start = time.monotonic()
run.terminate()
run.wait()
assert time.monotonic() - start < 1, time.monotonic() - start'
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
start = time.monotonic()
run.kill()
run.wait()
assert time.monotonic() - start < 1, time.monotonic() - start'
# A file each: the kernel itself lets only one process at a time write or sync one.
killed_in_fsync()
{
    local pid tracer status

    sh 'touch t/9 t/10 t/11' || return 1
    pid=$(cat "$store/lock")
    strace -f -qq -o /dev/null -e trace=fdatasync,fsync,pwritev2 \
        -e inject=fdatasync,fsync,pwritev2:delay_enter=5000000 -p "$pid" &
    tracer=$!
    while ! grep -q "^TracerPid:[[:blank:]]*[1-9]" "/proc/$pid/status"; do :; done
    true_in_python '
code = """
import os, sys
f = os.open(sys.argv[1], os.O_RDWR)
os.write(f, b"x")
print("written", flush=True)
os.fsync(f)
print("synced", flush=True)
"""
runs = [subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE)
        for name in ("t/9", "t/10", "t/11")]
for run in runs:
    assert run.stdout.readline() == b"written\n"
time.sleep(0.5)
for run in runs:
    assert run.poll() is None, "the disk was not slow"
    start = time.monotonic()
    run.kill()
    run.wait()
    assert time.monotonic() - start < 1, time.monotonic() - start
    assert run.stdout.read() == b""'
    status=$?
    kill "$tracer"
    wait "$tracer"
    return $status
}
check "a client killed in an fsync behind a slow disk dies at once" killed_in_fsync
check "the mount works on" sh 'touch t/1000000 && cat t/5 >/dev/null && sync t'
check "unmounting leaves a sound store" sh 'unmounted && pagectl verify "$store"'
finish
