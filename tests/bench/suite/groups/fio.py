"""fio, an instrument that is not ours, on the mount and on the file systems of the kernel."""

import json
import os
import tempfile

from measure import ONE_CPU, Missing, Wrong
from stores import Mount
from world import MIB, run

TITLE = "fio"
METHOD = ("fio, psync, 8 KiB, direct=1, one job on the daemon's CPU. tmpfs and the page cache "
          "have no daemon to ask: what they are ahead is what a file system in a process of its "
          "own costs.")
TABLE = 64 * MIB


def iops(world, path, mode, *options):
    said = json.loads(run(ONE_CPU + [
        world.command("fio"), "--name=bench", "--filename=" + path, "--bs=8k", "--direct=1",
        "--ioengine=psync", "--rw=" + mode, f"--size={TABLE}", "--time_based",
        f"--runtime={int(world.seconds * 1000)}ms", "--output-format=json", "--overwrite=1",
        "--randseed=42", "--allow_file_create=0", *options], cwd=world.folder))
    job = said["jobs"][0]
    if job["error"]:
        raise Wrong(f"fio failed on {path}")
    return job["read" if "read" in mode else "write"]["iops"]


class TmpfsFile:
    def __init__(self):
        if not os.path.ismount("/dev/shm"):
            raise Missing("no tmpfs at /dev/shm")
        file, self.path = tempfile.mkstemp(prefix="bench-", dir="/dev/shm")
        os.write(file, os.urandom(TABLE))
        os.close(file)

    def close(self):
        os.unlink(self.path)


def reads(world):
    mount = world.opened(Mount(world, "pagefs"))
    image = mount.table("t", TABLE)
    tmpfs = world.opened(TmpfsFile()).path
    ext4 = world.file("file", TABLE)
    rounds = min(world.rounds, 9)
    for path, peer in ((tmpfs, "tmpfs"), (ext4, "ext4, from the disk")):
        with mount.counted() as grown:
            world.pair("random reads of resident pages", "1/s",
                       lambda: iops(world, image, "randread"), peer,
                       lambda path=path: iops(world, path, "randread"), rounds=rounds)
        world.check(grown["pool_misses"] == 0, "every read is a hit")


def synced_writes(world):
    ext4 = world.file("file", TABLE)
    for mode in ("wal", "checkpoint"):
        with world.part(mode):
            mount = world.opened(Mount(world, "pagefs", fsync=mode))
            image = mount.table("t", TABLE)
            world.pair(f"random writes, fdatasync after each, fsync={mode}", "1/s",
                       lambda: iops(world, image, "randwrite", "--fdatasync=1"), "ext4",
                       lambda: iops(world, ext4, "randwrite", "--fdatasync=1"),
                       rounds=min(world.rounds, 9))


PARTS = [reads, synced_writes]
