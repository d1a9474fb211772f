"""The buffer pool as a library: what a pin of a resident page costs."""

import os

from world import PAGE

TITLE = "Buffer pool"
METHOD = ("CPU time of a pin and unpin of a random page among those that are resident, in one "
          "process, without a mount. What two threads lose to each other shows beside two processes, "
          "each with a pool of its own on a CPU of its own. Where they pin the same pages, each "
          "second time the page's state word is in the other CPU's cache; what fetching it from "
          "there costs shows in an array of bare words.")
FULL_PAGES = 131072
PINS_A_STEP = 100000


def of_one(world, *workers, threads=1):
    return world.nanoseconds(workers, PINS_A_STEP, threads)


def resident(world):
    return world.size(FULL_PAGES, FULL_PAGES // 16)


def pin(world):
    pages = resident(world)
    ours = world.worker("bench_pin", "shared", pages, 1)
    theirs = world.worker("peer_bdb", pages)
    world.pair(f"pin + unpin, shared, random among {pages:,} resident pages of {PAGE // 1024} KiB",
               "ns", of_one(world, ours), "Berkeley DB mpool", of_one(world, theirs),
               times=True)


def optimistic(world):
    pages = resident(world)
    peek = world.worker("bench_pin", "optimistic", pages, 1)
    shared = world.worker("bench_pin", "shared", pages, 1)
    world.pair("an optimistic read of one of these pages", "ns", of_one(world, peek),
               "pin + unpin, shared", of_one(world, shared), times=True)


def two_threads(world):
    if os.cpu_count() < 2:
        return
    pages = resident(world)
    both = ["taskset", "-c", "0,1"]
    same = world.worker("bench_pin", "shared", pages, 2, prefix=both)
    apart = world.worker("bench_pin", "apart", pages, 2, prefix=both)
    # Each with pages of its own has half as many of them: so have the processes beside it.
    whole, half = ([world.worker("bench_pin", "shared", pages // parts, 1,
                                 prefix=["taskset", "-c", cpu]) for cpu in "01"]
                   for parts in (1, 2))
    world.pair("pin + unpin, two threads on two CPUs, each with pages of its own, per thread", "ns",
               of_one(world, apart, threads=2), "two processes", of_one(world, *half, threads=2),
               times=True, aim=0.95, aim_words="no loss: 0.95")
    world.pair("pin + unpin, two threads on two CPUs, the same pages, per thread", "ns",
               of_one(world, same, threads=2), "two processes", of_one(world, *whole, threads=2),
               times=True, aim=0.95, aim_words="no loss: 0.95")


def two_threads_bare(world):
    if os.cpu_count() < 2:
        return
    pages = resident(world)
    alone = world.worker("bench_pin", "words", pages, 1, prefix=["taskset", "-c", "0"])
    both = world.worker("bench_pin", "words", pages, 2, prefix=["taskset", "-c", "0,1"])
    world.pair(f"no pool: two atomic changes of a random word among {pages:,}, two threads, per "
               "thread", "ns", of_one(world, both, threads=2), "one thread",
               of_one(world, alone), times=True)


PARTS = [pin, optimistic, two_threads, two_threads_bare]
