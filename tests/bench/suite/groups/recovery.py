"""How fast a log is replayed after a crash."""

import os
import re
import shutil

from measure import Limit, Missing, ONE_CPU, Wrong, pair, spread, turns
from postgres import Postgres
from stores import Mount, drop_cached, file_once
from world import MIB, PAGE, run

TITLE = "Recovery"
METHOD = ("The daemon is killed, PostgreSQL stopped in immediate mode; each round recovers a new copy, "
          "in a pool that holds all pages that changed. Redo counts as each of the two says itself "
          "how long it took; all of it is what pagectl says of analysis, redo and the checkpoint "
          "after it. One CPU each.")


def copy_of(world, folder):
    """Durable and out of the page cache, so that each round begins with the same."""
    copy = world.path("copy")
    shutil.rmtree(copy, ignore_errors=True)
    run(["cp", "-a", folder, copy])
    drop_cached(copy)
    return copy


def recover_seconds(world, store, pool):
    """Of redo, and of all of it."""
    said = run(ONE_CPU + [world.program("pagectl"), "recover", copy_of(world, store), "--pool",
                          str(pool)])
    took = re.search(r"analysis took ([0-9.]+) s, redo ([0-9.]+) s, the checkpoint ([0-9.]+) s",
                     said)
    if not took:
        raise Wrong(f"pagectl recover says: {said}")
    parts = [float(part) for part in took.groups()]
    return parts[1], sum(parts)


def redo_between(world, store, pool):
    """Recovers it once more; returns when redo began and ended."""
    said = run(ONE_CPU + [world.program("bench_redo"), "time", copy_of(world, store),
                          str(pool // MIB)])
    return [float(moment) for moment in re.search(r"redo ran from (\S+) to (\S+)", said).groups()]


def crashed_with_images(world, size):
    """Every page of a table changed once since the redo point."""
    mount = world.opened(Mount(world, "pagefs", max_wal="4G", fsync="wal", pool=2 * size))
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


def crashed_postgres(world, statements, pool, **settings):
    """Runs statements from a checkpoint on, then stops the hard way. Returns the number of records
    in the log, too."""
    server = world.opened(Postgres(world, checkpoint_timeout="1h", max_wal_size="16GB",
                                   autovacuum="off", shared_buffers=f"{pool // MIB}MB",
                                   **settings))
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


def compare(world, what, unit, store, pool, amount, make_server, amount_of_server, floor):
    """Redo's rate against the floor, and beside PostgreSQL's where that is there; then the rate of
    all of recovery."""
    measures, whole = [], []

    def our_redo():
        redo, everything = recover_seconds(world, store, pool)
        whole.append(amount / everything)
        return amount / redo

    def their_redo():
        bytes_done, seconds = redo_of(world, server)
        return amount_of_server(bytes_done, records) / seconds

    measures.append(our_redo)
    try:
        server, records = make_server()
        measures.append(their_redo)
    except Missing as missing:
        world.leave_out(missing)
    figures = turns(min(world.rounds, 5), measures)
    row = Limit(f"{what}: redo", unit, spread(figures[0]), aim=floor, at_most=False)
    world.add(row)
    world.look_if_missed(row, lambda: redo_between(world, store, pool), says_when=True)
    if len(figures) > 1:
        world.add(pair(f"{what}: redo", unit, figures[0], "PostgreSQL", figures[1:]))
    world.add(Limit(f"{what}: all of recovery", unit, spread(whole)))


def with_images(world):
    size = world.size(1024 * MIB, 64 * MIB)
    store, log_bytes = crashed_with_images(world, size)
    compare(world, "log of page images", "GB/s", store, 2 * size, log_bytes / 1e9,
            lambda: crashed_postgres(world, ["UPDATE t SET v = v + 1"], 2 * size),
            lambda log, _: log / 1e9, 1.0)


def with_records(world):
    store, records = crashed_with_records(world, world.size(1000000, 20000))
    statements = ["UPDATE t SET v = v + 1"] * world.size(3, 1)
    pool = world.size(1024 * MIB, 64 * MIB)
    compare(world, "log of small changes, no images", "records/s", store, pool, records,
            lambda: crashed_postgres(world, statements, pool, full_page_writes="off"),
            lambda _, count: count, 1e6)


PARTS = [with_images, with_records]
