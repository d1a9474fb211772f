"""Reads and writes of resident pages through the mount."""

from stores import Memfs, Mount, file_worker
from world import MIB, PAGE

TITLE = "Through the mount"
METHOD = ("O_DIRECT, one client, client and daemon on the same CPU, every page resident (the "
          "pool's counters are checked). The in-memory daemon keeps one file in memory and logs "
          "nothing. The raw log is a file that is overwritten from front to back, in requests "
          "of 1 MiB.")
TABLE = 64 * MIB
MEMFS = "in-memory daemon"


def all_hits(world, mount, worker, pages_a_step, measure):
    """Measures, and makes sure that each step went through the pool, which had every page."""
    steps = worker.steps
    with mount.counted() as grown:
        measure()
    wanted = (worker.steps - steps) * pages_a_step
    world.check(grown["pool_hits"] >= wanted and grown["pool_misses"] == 0,
                f"{wanted} accesses of resident pages were {grown['pool_hits']} hits, "
                f"{grown['pool_misses']} misses")


def reads(world):
    mount = world.opened(Mount(world, "pagefs"))
    memfs = world.opened(Memfs(world, TABLE))
    image = mount.table("t", TABLE)
    for block, words in ((PAGE, "8 KiB"), (MIB, "1 MiB")):
        ours = file_worker(world, "read", block, image)
        theirs = file_worker(world, "read", block, memfs.data)
        all_hits(world, mount, ours, block // PAGE, lambda: world.pair_rates(
            f"{words} reads", ours, MEMFS, theirs, aim=0.95))


def logged(world, mount, worker, block, measure):
    """Measures, and makes sure that each byte that was written went to the log."""
    steps = worker.steps
    with mount.counted() as grown:
        all_hits(world, mount, worker, block // PAGE, measure)
    wanted = (worker.steps - steps) * block
    world.check(grown["wal_bytes_appended"] >= 0.95 * wanted, # unused ends of pages are not logged
                f"of {wanted} bytes written {grown['wal_bytes_appended']} were logged")


def bursts(world, block, words, bytes_a_burst, peers, **how):
    """Rounds of so many bytes, less than half of max_wal; a full checkpoint before each."""
    mount = world.opened(Mount(world, "pagefs"))
    image = mount.table("t", TABLE)
    ours = file_worker(world, "write", block, image)
    steps = bytes_a_burst // block

    def burst():
        mount.checkpoint()
        return ours.rate(world.seconds * 2, steps)

    def rate_of(worker):
        return lambda: worker.rate(world.seconds * 2, steps)

    if not world.quick:
        mount.warm_log(burst)
    logged(world, mount, ours, block, lambda: world.pair(
        words, "1/s", burst, " or ".join(name for name, _ in peers),
        [rate_of(worker) for _, worker in peers], **how))


def small_writes(world):
    memfs = world.opened(Memfs(world, TABLE))
    bursts(world, PAGE, "8 KiB writes, logged", 256 * MIB,
           [(MEMFS, file_worker(world, "write", PAGE, memfs.data))], aim=0.85)


def slower_peers(world):
    memfs = world.opened(Memfs(world, TABLE))
    raw = world.file("raw-log", world.size(256 * MIB, 64 * MIB))
    return [(MEMFS, file_worker(world, "write", MIB, memfs.data)),
            ("raw log", file_worker(world, "fill", MIB, raw))]


def large_writes(world):
    bursts(world, MIB, "1 MiB writes, bursts below half of max_wal (the slower peer counts)",
           256 * MIB, slower_peers(world), aim=0.80)


def sustained_writes(world):
    mount = world.opened(Mount(world, "pagefs", max_wal="256M"))
    image = mount.table("t", TABLE)
    ours = file_worker(world, "write", MIB, image)
    peers = slower_peers(world)
    seconds = world.seconds * 4
    ours.rate(seconds)  # until the log is as full as it gets
    with mount.counted() as grown:
        logged(world, mount, ours, MIB, lambda: world.pair_rates(
            "1 MiB writes, going on, max_wal=256M (the slower peer counts)", ours,
            " or ".join(name for name, _ in peers), [worker for _, worker in peers],
            seconds=seconds, aim=0.50))
    world.check(world.quick or grown["checkpoints"] >= world.rounds,
                "checkpoints ran while it was measured")


PARTS = [reads, small_writes, large_writes, sustained_writes]
