"""How fast a log is replayed after a crash."""

import os
import shutil
import time

from measure import Limit, Missing, ONE_CPU, pair, spread, turns
from postgres import Postgres
from stores import Mount, file_once
from world import MIB, PAGE, run

TITLE = "Recovery"
METHOD = ("The daemon is killed; `pagectl recover` works on a new copy of the store each time, "
          "and is timed from start to end, with the checkpoint that it ends in. Of PostgreSQL, "
          "stopped in immediate mode, the time of its redo alone counts, as its log has it. One "
          "CPU each.")


def copy_of(world, folder):
    """Durable and out of the page cache, so that each round begins with the same."""
    copy = world.path("copy")
    shutil.rmtree(copy, ignore_errors=True)
    run(["cp", "-a", folder, copy])
    run(["sync", "-f", copy])
    run(["find", copy, "-type", "f", "-size", "+1M", "-exec", "dd", "if={}", "iflag=nocache",
         "count=0", "status=none", ";"])
    return copy


def recover_seconds(world, store):
    copy = copy_of(world, store)
    start = time.perf_counter()
    said = run(ONE_CPU + [world.program("pagectl"), "recover", copy])
    took = time.perf_counter() - start
    world.check("recovered" in said, f"pagectl recover says: {said}")
    return took


def crashed_with_images(world, size):
    """Every page of a table changed once since the redo point."""
    mount = world.opened(Mount(world, "pagefs", max_wal="4G", fsync="wal", pool=size * 2))
    image = mount.table("t", size)
    mount.checkpoint()
    with mount.counted() as grown:
        file_once(world, "fill", MIB, image, size // MIB)
        sync(image)
    world.check(grown["wal_images"] >= size // PAGE, "each page has its image in the log")
    mount.kill()
    return mount.store, grown["wal_bytes_appended"]


def crashed_with_records(world, count):
    """Small changes of pages whose images come before."""
    mount = world.opened(Mount(world, "pagefs", max_wal="4G", fsync="wal"))
    os.mkdir(mount.at + "/t")
    payload = os.path.join(mount.at, "t/views/payload")
    with open(payload, "wb", buffering=0) as f:
        f.write(os.urandom(MIB))
    mount.checkpoint()
    with mount.counted() as grown:
        file_once(world, "write", 64, payload, count)
        sync(payload)
    world.check(grown["wal_records"] >= count and grown["wal_images"] <= count // 100,
                f"{count} writes are {grown['wal_records']} records, {grown['wal_images']} images")
    mount.kill()
    return mount.store, grown["wal_records"]


def sync(path):
    file = os.open(path, os.O_RDWR)
    os.fsync(file)
    os.close(file)


def crashed_postgres(world, statements, **settings):
    """Runs statements from a checkpoint on, then stops the hard way. Returns the number of records
    in the log, too."""
    server = world.opened(Postgres(world, checkpoint_timeout="1h", max_wal_size="16GB",
                                   autovacuum="off", **settings))
    server.start()
    server.sql("CREATE TABLE t (id int, v int, pad text) WITH (fillfactor = 40)")
    rows = world.size(400000, 20000)
    server.sql(f"INSERT INTO t SELECT i, 0, repeat('x', 400) FROM generate_series(1, {rows}) i")
    server.sql("VACUUM t")
    server.sql("CHECKPOINT")
    before = int(server.sql("SELECT wal_records FROM pg_stat_wal"))
    records = int(server.sql(*statements, "SELECT pg_stat_force_next_flush()",
                             "SELECT wal_records FROM pg_stat_wal")) - before
    server.stop("immediate")
    return server, records


def redo_of(world, server):
    """Replays the log of a copy; returns bytes and seconds."""
    kept, server.data = server.data, copy_of(world, server.data)
    server.start()
    server.stop("immediate")
    server.data = kept
    return server.redo()


def compare(world, what, unit, store, amount, make_server, amount_of_server, floor):
    """A row beside PostgreSQL where it is there; else the rate alone, against the floor."""
    rounds = min(world.rounds, 5)

    def ours():
        return amount / recover_seconds(world, store)

    try:
        server, records = make_server()
    except Missing as missing:
        world.leave_out(missing)
        world.add(Limit(what, unit, spread([ours() for _ in range(rounds)]), aim=floor,
                        at_most=False))
        return

    def theirs():
        bytes_done, seconds = redo_of(world, server)
        return amount_of_server(bytes_done, records) / seconds

    figures = turns(rounds, [ours, theirs])
    world.add(Limit(what, unit, spread(figures[0]), aim=floor, at_most=False))
    world.add(pair(what, unit, figures[0], "PostgreSQL's redo", figures[1:]))


def with_images(world):
    store, log_bytes = crashed_with_images(world, world.size(1024 * MIB, 64 * MIB))
    compare(world, "log of page images", "GB/s", store, log_bytes / 1e9,
            lambda: crashed_postgres(world, ["UPDATE t SET v = v + 1"]),
            lambda log, _: log / 1e9, 1.0)


def with_records(world):
    store, records = crashed_with_records(world, world.size(1000000, 20000))
    statements = ["UPDATE t SET v = v + 1"] * world.size(3, 1)
    compare(world, "log of small changes, no images", "records/s", store, records,
            lambda: crashed_postgres(world, statements, full_page_writes="off"),
            lambda _, count: count, 1e6)


PARTS = [with_images, with_records]
