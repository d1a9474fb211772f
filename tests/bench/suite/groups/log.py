"""The log as a library: what two threads that append lose to each other."""

import os

TITLE = "Log"
METHOD = ("Time to reserve room for a group of one record and to append it, in one process, without "
          "a mount; who finds the buffer full writes it out, to a device that takes everything at "
          "once. What two threads lose to each other shows beside two processes, each with a log of "
          "its own on a CPU of its own.")
GROUPS_A_STEP = 1000


def two_threads(world):
    if os.cpu_count() < 2:
        return
    for size, words in ((100, "100 bytes"), (8192, "8 KiB")):
        both = world.worker("bench_append", size, 2, prefix=["taskset", "-c", "0,1"])
        apart = [world.worker("bench_append", size, 1, prefix=["taskset", "-c", cpu])
                 for cpu in "01"]
        world.pair(f"append a change of {words}, two threads on two CPUs, per thread", "ns",
                   world.nanoseconds([both], GROUPS_A_STEP, 2), "two processes",
                   world.nanoseconds(apart, GROUPS_A_STEP, 2), times=True)


PARTS = [two_threads]
