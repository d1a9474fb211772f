"""The buffer pool as a library: what a pin of a resident page costs."""

import os

from world import PAGE

TITLE = "Buffer pool"
METHOD = ("CPU time of a pin and unpin of a random page among those that are resident, in one "
          "process, without a mount.")
FULL_PAGES = 131072
PINS_A_STEP = 100000


def nanoseconds(world, worker, threads=1):
    """Of one pin: the threads' rates are summed up in what the worker says."""
    return lambda: 1e9 * threads / (worker.rate(world.seconds) * PINS_A_STEP)


def resident(world):
    return world.size(FULL_PAGES, FULL_PAGES // 16)


def pin(world):
    pages = resident(world)
    ours = world.worker("bench_pin", "shared", pages, 1)
    theirs = world.worker("peer_bdb", pages)
    world.pair(f"pin + unpin, shared, random among {pages:,} resident pages of {PAGE // 1024} KiB",
               "ns", nanoseconds(world, ours), "Berkeley DB mpool", nanoseconds(world, theirs),
               times=True)


def optimistic(world):
    pages = resident(world)
    peek = world.worker("bench_pin", "optimistic", pages, 1)
    shared = world.worker("bench_pin", "shared", pages, 1)
    world.pair("an optimistic read of one of these pages", "ns", nanoseconds(world, peek),
               "pin + unpin, shared", nanoseconds(world, shared), times=True)


def two_threads(world):
    if os.cpu_count() < 2:
        return
    pages = resident(world)
    alone = world.worker("bench_pin", "shared", pages, 1, prefix=["taskset", "-c", "0"])
    both = world.worker("bench_pin", "shared", pages, 2, prefix=["taskset", "-c", "0,1"])
    world.pair("pin + unpin, two threads on two CPUs, per thread", "ns", nanoseconds(world, both, 2),
               "one thread", nanoseconds(world, alone), times=True, aim=0.95,
               aim_words="no loss: 0.95")


PARTS = [pin, optimistic, two_threads]
