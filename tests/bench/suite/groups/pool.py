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


def side_by_side(world, workers):
    """Of one pin, while all of these processes pin."""
    def measure():
        for worker in workers:
            worker.begin(world.seconds)
        rates = [worker.end(stop=False)[0] for worker in workers]
        return 1e9 * len(rates) / (sum(rates) * PINS_A_STEP)
    return measure


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
               nanoseconds(world, apart, 2), "two processes", side_by_side(world, half),
               times=True, aim=0.95, aim_words="no loss: 0.95")
    world.pair("pin + unpin, two threads on two CPUs, the same pages, per thread", "ns",
               nanoseconds(world, same, 2), "two processes", side_by_side(world, whole),
               times=True, aim=0.95, aim_words="no loss: 0.95")


def two_threads_bare(world):
    if os.cpu_count() < 2:
        return
    pages = resident(world)
    alone = world.worker("bench_pin", "words", pages, 1, prefix=["taskset", "-c", "0"])
    both = world.worker("bench_pin", "words", pages, 2, prefix=["taskset", "-c", "0,1"])
    world.pair(f"no pool: two atomic changes of a random word among {pages:,}, two threads, per "
               "thread", "ns", nanoseconds(world, both, 2), "one thread",
               nanoseconds(world, alone), times=True)


PARTS = [pin, optimistic, two_threads, two_threads_bare]
