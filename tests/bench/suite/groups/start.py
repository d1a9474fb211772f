"""Start and memory of a huge store."""

import os

from measure import Limit, spread
from stores import POOL, Mount, file_once
from world import MIB, PAGE

TITLE = "Start and memory"
METHOD = ("A store with a table of 1 TiB, sparse, that was unmounted cleanly. Memory is the "
          "daemon's resident set without its pool, once the pool is full and pages all over the "
          "table were read and written.")
TABLE = 1 << 40


def mount_time(world):
    mount = world.opened(Mount(world, "pagefs"))
    os.mkdir(mount.at + "/t")
    os.truncate(mount.image("t"), TABLE)
    file_once(world, "write", PAGE, mount.image("t"), world.size(1000, 100))
    took = []
    for _ in range(world.rounds):
        mount.close()
        took.append(mount.mount() * 1e3)
        world.check(os.stat(mount.image("t")).st_size == TABLE, "the table is 1 TiB long")
    world.add(Limit("mounting 1 TiB after a clean stop", "ms", spread(took), aim=50))


def memory(world):
    pool = world.size(POOL, 32 * MIB)
    beside = []
    for number in range(min(world.rounds, 3)):
        with world.part(str(number)):
            mount = world.opened(Mount(world, "pagefs", pool=pool))
            os.mkdir(mount.at + "/t")
            os.truncate(mount.image("t"), TABLE)
            file_once(world, "write", PAGE, mount.image("t"), world.size(2000, 200))
            file_once(world, "read", PAGE, mount.image("t"), pool // PAGE)
            file_once(world, "scan", MIB, mount.image("t"), 2 * pool // MIB)
            counters = mount.counters()
            world.check(counters["pool_valid"] >= 0.95 * counters["pool_frames"],
                        "the pool is full")
            beside.append((mount.memory() - pool) / MIB)
    world.add(Limit(f"memory beside the pool of {pool // MIB} MiB", "MiB", spread(beside), aim=32))


PARTS = [mount_time, memory]
