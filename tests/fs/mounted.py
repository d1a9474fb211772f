"""A pagefs under the control of a test: started, stopped, killed.

The programs of tests/fs that are written in Python share it. A Mount is a context manager: however
its block is left, no daemon, no mount (also no dead one) and no folder stays behind.
"""
import contextlib
import fcntl
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile


def seed_asked_for():
    """$PS_SEED, None where it is not set."""
    text = os.environ.get("PS_SEED")
    if text is None:
        return None
    seed = -1
    if re.fullmatch("[0-9]+", text, re.ASCII):
        seed = int(text)
    elif re.fullmatch("0x[0-9a-fA-F]+", text, re.ASCII):
        seed = int(text, 16)
    if not 0 <= seed < 1 << 63:
        sys.exit(f"PS_SEED={text}: is no number below 2^63, decimal or with 0x in front")
    return seed


def seeded():
    """The generator of this run; $PS_SEED repeats an earlier one. Prints its seed."""
    seed = seed_asked_for()
    if seed is None:
        seed = random.SystemRandom().randrange(1 << 32)
    print(f"PS_SEED={seed}", flush=True)
    return random.Random(seed)


def run(*command, status=0):
    """Runs a command; returns what it printed. Any other exit status is an AssertionError."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    assert done.returncode == status, \
        f"{' '.join(command)}: exit status {done.returncode}, not {status}:\n{done.stdout}"
    return done.stdout


class Mount:
    """A store in a folder of its own, and the place where it is mounted."""

    def __init__(self, programs, page_size=8192):
        self.programs = programs
        self.work = tempfile.mkdtemp(prefix="pagefs-test.")
        self.store = os.path.join(self.work, "store")
        self.dir = os.path.join(self.work, "mnt")
        self.child = None
        os.mkdir(self.dir)
        self.pagectl("init", self.store, "--page-size", str(page_size))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.work)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def pagectl(self, *arguments, status=0):
        return run(os.path.join(self.programs, "pagectl"), *arguments, status=status)

    def is_mounted(self):
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as mounts:
            return any(line.split()[1] == self.dir for line in mounts)

    def start(self, options=""):
        run(os.path.join(self.programs, "pagefs"), *(("-o", options) if options else ()),
            self.store, self.dir)

    def stop(self):
        run(os.path.join(self.programs, "umount.fuse.pagefs"), self.dir)

    def daemon(self):
        """The daemon's process id, which holds the store's lock."""
        with open(os.path.join(self.store, "lock"), encoding="ascii") as lock:
            return int(lock.read())

    def wait_unlocked(self):
        with open(os.path.join(self.store, "lock"), "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    def kill(self):
        """SIGKILL to the daemon; the dead mount is taken away."""
        if self.is_mounted():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.daemon(), signal.SIGKILL)
        self.forget()

    def forget(self):
        """After the daemon's death: waits until it is gone, takes its mount away."""
        self.wait_unlocked()
        if self.is_mounted():
            run("umount", "-l", self.dir)

    def stats(self):
        with open(self.path(".pagefs", "stats"), encoding="utf-8") as stats:
            return dict(line.split(None, 1) for line in stats.read().splitlines())
