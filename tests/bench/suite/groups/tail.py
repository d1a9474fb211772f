"""Reads while a checkpoint runs."""

import time

from stores import Mount, file_worker
from world import MIB, PAGE

TITLE = "Tail latency"
METHOD = ("p99.9 of 8 KiB reads of resident pages from the moment a full checkpoint of so many "
          "dirty pages is asked for until it is done, against that of a like time without one.")


def during_checkpoint(world):
    dirty = world.size(10000, 1000)
    mount = world.opened(Mount(world, "pagefs", pool=512 * MIB))
    reader = file_worker(world, "read", PAGE, mount.table("read", 64 * MIB))
    written = mount.table("written", dirty * PAGE // MIB * MIB + MIB)
    writer = file_worker(world, "fill", PAGE, written)
    took = [world.seconds]
    mount.checkpoint()

    def while_it_runs():
        with mount.counted() as grown:
            writer.run(0, dirty)
            start = time.perf_counter()
            reader.begin()
            mount.checkpoint()
            p999 = reader.end()[2]
        took.append(time.perf_counter() - start)
        world.check(grown["checkpoints"] >= 1 and grown["pool_pages_written"] >= 0.9 * dirty,
                    f"the checkpoint wrote {grown['pool_pages_written']} of {dirty} pages")
        return p999

    with mount.counted() as grown:
        world.pair(f"p99.9 of reads during a checkpoint of {dirty:,} dirty pages", "us",
                   while_it_runs, "the same without one", lambda: reader.run(took[-1])[2], times=True,
                   aim=0.20, aim_words="at most 5 times: 0.20")
    world.check(grown["pool_pages_loaded"] == 0, "every read is a hit")


PARTS = [during_checkpoint]
