#!/usr/bin/env python3
"""`pagectl recover` killed half-way, again and again, makes the same tables as in one go.

Usage: recover_killed.py PROGRAMS ROUNDS

In each round a daemon is killed with a long log behind it. One copy of the store is recovered in
one go; in the other recovery is killed at random moments of the time that this took, then left to
end. The tables' files of both are compared byte by byte, and the payload with what was written.
"""
import os
import shutil
import subprocess
import sys
import time

import mounted

PAGES = 6000
UNIT = 8192 - 32
LOG_BYTES = 96 << 20
KILLS = 6


def write_log(mount, rng):
    """Writes and frees all over a table, made durable in the log alone; returns the payload."""
    mount.start("fsync=wal,max_wal=1G,pool=16M")
    os.mkdir(mount.path("t"))
    model = bytearray(PAGES * UNIT)
    fd = os.open(mount.path("t", "views", "payload"), os.O_WRONLY)
    logged = 0
    while logged < LOG_BYTES:
        data = rng.randbytes(int(2 ** rng.uniform(8, 18)))
        offset = rng.randrange(len(model) - len(data))
        os.pwrite(fd, data, offset)
        model[offset:offset + len(data)] = data
        logged += len(data)
        if rng.random() < 0.02: # the end is cut off, and grows anew
            cut = len(model) - rng.randrange(UNIT * 50)
            os.ftruncate(fd, cut)
            model[cut:] = bytes(len(model) - cut)
            os.ftruncate(fd, len(model))
    os.fsync(fd)
    mount.kill()
    os.close(fd)
    return model


def copy_of(mount):
    copy = mount.store + ".copy"
    mounted.run("cp", "-a", "--sparse=always", mount.store, copy)
    return copy


def recover_in_pieces(mount, store, whole_time, rng):
    """Returns how often recovery was killed before its end."""
    killed = 0
    for _ in range(KILLS):
        child = subprocess.Popen([os.path.join(mount.programs, "pagectl"), "recover", store],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            child.wait(whole_time * rng.uniform(0.05, 0.6))
            break
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            killed += 1
    mount.pagectl("recover", store)
    return killed


def compare_tables(store, copy):
    names = sorted(os.listdir(os.path.join(store, "tables")))
    assert names == sorted(os.listdir(os.path.join(copy, "tables")))
    for name in names:
        mounted.run("cmp", os.path.join(store, "tables", name), os.path.join(copy, "tables", name))


def one_round(programs, rng):
    with mounted.Mount(programs) as mount:
        model = write_log(mount, rng)
        copy = copy_of(mount)
        began = time.monotonic()
        mount.pagectl("recover", copy)
        killed = recover_in_pieces(mount, mount.store, time.monotonic() - began, rng)
        for store in (mount.store, copy):
            mount.pagectl("verify", store)
        compare_tables(mount.store, copy)
        shutil.rmtree(copy)
        mount.start()
        with open(mount.path("t", "views", "payload"), "rb") as payload:
            assert payload.read() == model, "the payload is not what was written"
        mount.stop()
    return killed


def main(programs, rounds):
    rng = mounted.seeded()
    killed = [one_round(programs, rng) for _ in range(rounds)]
    print(f"recovery was killed {killed} times")
    assert sum(killed) > 0, "recovery was never killed before its end"


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
