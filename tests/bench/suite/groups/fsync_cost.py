"""What an fsync costs, and what it does not depend on."""

import os

from measure import spread
from plots import Curve, Panel
from stores import HUGE_DELAY, Mount, file_worker
from world import MIB, PAGE

TITLE = "Cost of an fsync"
METHOD = ("The time of the fsync alone, after so many random pages were overwritten. Nothing "
          "else flushes meanwhile (wal_delay is an hour), and the pages are in the log's buffer "
          "or behind it. The table below and the plot have the same figures.")
MODES = ("checkpoint", "wal")


def median_ms(world, worker):
    """Of as many fsyncs as fit into some rounds; a round is one fsync at least."""
    return spread([worker.run(world.seconds / 2, 50)[1] / 1e3
                   for _ in range(min(world.rounds, 7))])


def raw_level(world):
    """What two device flushes take without us."""
    raw = world.file("raw", 16 * MIB)
    world.file("raw.2", 16 * MIB)
    worker = file_worker(world, "two-flushes", PAGE, raw)
    return ("two raw writes, each flushed", median_ms(world, worker).middle)


def against_dirty(world):
    most = world.size(10000, 1000)
    counts = [n for n in (1, 10, 100, 1000, 10000) if n <= most]
    curves = []
    for mode in MODES:
        mount = world.opened(Mount(world, mode, fsync=mode, wal_delay=HUGE_DELAY))
        image = mount.table("t", 128 * MIB)
        points = []
        for count in counts:
            mount.checkpoint()
            points.append((count, median_ms(world, file_worker(world, f"sync-{count}", PAGE,
                                                               image))))
        curves.append(Curve("fsync=" + mode, points))
    add(world, Panel("dirty pages", curves, raw_level(world)))


def against_pool(world):
    sizes = [16, 64, 256, 1024] if not world.quick else [16, 64]
    curves = []
    for mode in MODES:
        points = []
        for size in sizes:
            with world.part(f"{mode}-{size}"):
                mount = world.opened(Mount(world, "pagefs", fsync=mode, pool=size * MIB,
                                           wal_delay=HUGE_DELAY))
                mount.table("t", size * MIB)  # leaves the pool full
                mount.checkpoint()
                worker = file_worker(world, "sync-1", PAGE, mount.page("t", 1))
                points.append((size * MIB, median_ms(world, worker)))
        curves.append(Curve("fsync=" + mode, points))
    add(world, Panel("size of the pool", curves, raw_level(world), in_bytes=True))


def against_table(world):
    sizes = [8 * MIB, 512 * MIB, 32 << 30, 1 << 40]
    curves = []
    for mode in MODES:
        mount = world.opened(Mount(world, mode, fsync=mode, wal_delay=HUGE_DELAY))
        points = []
        for size in sizes:
            name = str(size)
            os.mkdir(os.path.join(mount.at, name))
            os.truncate(mount.image(name), size)
            mount.checkpoint()
            worker = file_worker(world, "sync-1", PAGE, mount.page(name, size // PAGE // 2))
            points.append((size, median_ms(world, worker)))
        curves.append(Curve("fsync=" + mode, points))
    add(world, Panel("size of the table (sparse)", curves, raw_level(world), in_bytes=True))


def add(world, panel):
    world.curves.setdefault("fsync-cost", []).append(panel)


PARTS = [against_dirty, against_pool, against_table]
