"""Pages that are not in the pool: reads from the disk, and a table written whole."""

import mmap
import os
import subprocess
import time

from measure import ONE_CPU
from stores import Memfs, Mount, file_worker
from world import MIB, PAGE, run

TITLE = "Cold"
METHOD = ("A table that is far larger than the pool (pool=8M), so that reads miss (the pool's "
          "counters are checked). The peer reads the table's own page file, O_DIRECT, at the "
          "same places of the disk; both on the same CPU. How much of what is missing is FUSE's "
          "own shows a daemon that does nothing but that read. A table is written once with all "
          "on that CPU, and once where nothing is bound to one: copies, checksums and two writes "
          "of each byte are what a second CPU helps with.")
POOL = 8 * MIB


def table(world):
    """Mount, image, page file, size; every block was read from the disk once."""
    mount = world.opened(Mount(world, "pagefs", pool=POOL))
    size = world.size(2048 * MIB, 256 * MIB)
    image = mount.table("t", size)
    raw = mount.page_file("t")
    run(direct_read(raw))
    return mount, image, raw, size


def direct_read(path):
    return ["dd", "if=" + path, "of=/dev/null", "bs=1M", "iflag=direct", "status=none"]


def misses_only(world, mount, worker, measure):
    steps = worker.steps
    with mount.counted() as grown:
        measure()
    steps = worker.steps - steps
    world.check(grown["pool_pages_loaded"] >= steps * (0.98 if not world.quick else 0.9),
                f"of {steps} reads {grown['pool_pages_loaded']} came from the disk")


def random_reads(world):
    mount, image, raw, _ = table(world)
    daemon = world.opened(Memfs(world, POOL, raw))
    for readers in (1, 4):
        ours = file_worker(world, "read", PAGE, *[image] * readers)
        theirs = file_worker(world, "read", PAGE, *[raw] * readers)
        words = "one reader" if readers == 1 else f"{readers} readers"
        misses_only(world, mount, ours, lambda: world.pair_rates(
            f"random 8 KiB reads, {words}", ours, "the page file, O_DIRECT", theirs, aim=0.95))
        least = file_worker(world, "read", PAGE, *[daemon.data] * readers)
        misses_only(world, mount, ours, lambda: world.pair_rates(
            f"random 8 KiB reads, {words}", ours, "a daemon that only reads that file", least,
            aim=0.95))


def seconds_of(command):
    start = time.perf_counter()
    subprocess.run(ONE_CPU + command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def sequential_read(world):
    mount, image, raw, size = table(world)
    daemon = world.opened(Memfs(world, POOL, raw))
    rounds = min(world.rounds, 9)

    def rate(command):
        return size / MIB / seconds_of(command)

    with mount.counted() as grown:
        for peer, theirs in (("dd bs=1M iflag=direct of the page file", direct_read(raw)),
                             ("cat, of a daemon that only reads that file", ["cat", daemon.data])):
            world.pair("cat image", "MiB/s", lambda: rate(["cat", image]), peer,
                       lambda: rate(theirs), rounds=rounds, aim=0.85)
    world.check(grown["pool_pages_loaded"] >= 2 * rounds * size // PAGE * 0.98,
                "cat reads every page from the disk")


def write_durably(path, size, buffer, flags=0):
    """MiB a second until all of it is durable."""
    start = time.perf_counter()
    file = os.open(path, os.O_WRONLY | os.O_DIRECT | flags, 0o600)
    for at in range(0, size, MIB):
        os.pwrite(file, buffer, at)
    os.fsync(file)
    os.close(file)
    return size / MIB / (time.perf_counter() - start)


def aligned_mebibyte():
    buffer = mmap.mmap(-1, MIB)
    buffer.write(os.urandom(MIB))
    return buffer


def write_table(world):
    write_on(world, "one CPU", {0}, ONE_CPU)
    write_on(world, "any CPU", range(os.cpu_count()), [])


def write_on(world, words, cpus, prefix):
    size = world.size(512 * MIB, 64 * MIB)
    mount = world.opened(Mount(world, words.replace(" ", "-"), cpus=prefix))
    raw = world.path("raw")
    buffer = aligned_mebibyte()

    def new_table():
        folder = os.path.join(mount.at, "t")
        os.mkdir(folder)
        rate = write_durably(mount.image("t"), size, buffer)
        os.truncate(mount.image("t"), 0)
        os.rmdir(folder)
        mount.checkpoint()
        return rate

    def new_file():
        rate = write_durably(raw, size, buffer, os.O_CREAT)
        os.unlink(raw)
        return rate

    os.sched_setaffinity(0, cpus)
    try:
        world.pair(f"a new table of {size // MIB} MiB through image, durable at the end, {words}",
                   "MiB/s", new_table, "a new file on ext4, O_DIRECT", new_file,
                   rounds=min(world.rounds, 9), aim=0.50)
    finally:
        os.sched_setaffinity(0, range(os.cpu_count()))


PARTS = [random_reads, sequential_read, write_table]
