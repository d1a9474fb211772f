"""Names: opening page-files, listing tables."""

import os
import subprocess
import time

from measure import Limit, ONE_CPU, Missing, spread
from stores import Memfs, Mount, Passthrough, file_worker, page_folder
from world import MIB, PAGE

TITLE = "Names"
METHOD = ("Client and daemons on the same CPU, names warm. libfuse's passthrough_ll shows a "
          "folder of the same files.")


def open_read_close(world):
    count = world.size(4096, 512)
    mount = world.opened(Mount(world, "pagefs"))
    mount.table("t", count * PAGE)
    try:
        folder = world.opened(Passthrough(world, page_folder(world, "files", count))).at
        peer = "libfuse's passthrough_ll"
    except Missing:
        folder = world.opened(Memfs(world, count * PAGE)).files
        peer = "in-memory daemon"
    ours = file_worker(world, "open-read", PAGE, os.path.join(mount.at, "t"))
    theirs = file_worker(world, "open-read", PAGE, folder)
    for worker in (ours, theirs):
        worker.rate(world.seconds)  # names become warm
    with mount.counted() as grown:
        steps = ours.steps
        world.pair_rates("open + read + close of a page-file", ours, peer, theirs)
    world.check(grown["pool_hits"] >= ours.steps - steps and grown["pool_misses"] == 0,
                "every read of a page-file is a hit")


def list_seconds(folder):
    start = time.perf_counter()
    subprocess.run(ONE_CPU + ["ls", "-l", folder], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "LC_ALL": "C"})
    return time.perf_counter() - start


def long_listing(world):
    count = world.size(100000, 5000)
    mount = world.opened(Mount(world, "pagefs"))
    os.mkdir(mount.at + "/t")
    os.truncate(mount.image("t"), count * PAGE)
    folder = world.path("files")
    os.mkdir(folder)
    for number in range(count):
        path = os.path.join(folder, f"{number:010d}")
        with open(path, "wb"):
            os.truncate(path, PAGE)
    table = os.path.join(mount.at, "t")
    list_seconds(table), list_seconds(folder)
    rounds = min(world.rounds, 9)
    world.pair(f"ls -l of {count:,} pages, warm", "ms", lambda: list_seconds(table) * 1e3, "ext4",
               lambda: list_seconds(folder) * 1e3, rounds=rounds, times=True)


def list_names(folder):
    listed = subprocess.run(["ls", "-U", folder], check=True, stdout=subprocess.PIPE)
    return listed.stdout.count(b"\n")


def memory_of_listing(world):
    count = world.size(1000000, 50000)
    mount = world.opened(Mount(world, "pagefs"))
    for name, pages in (("few", 1000), ("many", count)):
        os.mkdir(os.path.join(mount.at, name))
        os.truncate(mount.image(name), pages * PAGE)
    list_names(mount.at + "/few")
    grown = []
    for _ in range(min(world.rounds, 5)):
        before = mount.memory()
        names = list_names(mount.at + "/many")
        world.check(names >= count, f"{names} of {count} pages were listed")
        grown.append(max(0, mount.memory() - before) / MIB)
    world.add(Limit(f"memory that the daemon takes to list {count:,} pages", "MiB", spread(grown),
                    aim=4))


PARTS = [open_read_close, long_listing, memory_of_listing]
