"""Page writes that are durable when they return."""

import os
import subprocess

from measure import Missing
from postgres import Postgres
from stores import Mount, file_worker
from world import MIB, PAGE, run

TITLE = "Durable page writes"
METHOD = ("A random 8 KiB page is overwritten and fsynced, again and again; writers, daemons "
          "and servers on the same CPU, files on the same disk. SQLite: WAL, synchronous=FULL, "
          "a row of 8 KiB changed in each commit. LMDB: its defaults, a value of 8 KiB. "
          "PostgreSQL: its defaults, pgbench, one small row changed in each commit. Two raw "
          "flushes: an O_DIRECT overwrite with fdatasync of one file, then of another.")
TABLE = 16 * MIB
WRITERS = 4
SQLITE = "SQLite WAL FULL"


def sqlite(world, folder=None):
    return world.worker("peer_sqlite", os.path.join(folder or world.folder, "bench.sqlite"), PAGE)


def two_flushes(world):
    raw = world.file("raw", TABLE)
    world.file("raw.2", TABLE)
    return file_worker(world, "two-flushes", PAGE, raw)


def synced(world, mount, worker, measure):
    """Measures, and makes sure that each step was an fsync of the store's."""
    steps = worker.steps
    with mount.counted() as grown:
        measure()
    world.check(grown["wal_images"] + grown["wal_records"] >= worker.steps - steps,
                "each write is in the log")
    return grown, worker.steps - steps


def wal_one_writer(world):
    mount = world.opened(Mount(world, "pagefs", fsync="wal"))
    ours = file_worker(world, "write-fsync", PAGE, mount.table("t", TABLE))
    peers = [(SQLITE, lambda: sqlite(world), 1.0), ("LMDB", lambda: lmdb(world), None)]
    for name, make, aim in peers:
        try:
            theirs = make()
        except Missing as missing:
            world.leave_out(missing)
            continue
        grown, steps = synced(world, mount, ours, lambda: world.pair_rates(
            "fsync=wal, one writer", ours, name, theirs, aim=aim))
        world.check(grown["wal_flushes"] >= steps, "each fsync flushes the log")


def lmdb(world):
    folder = world.path("lmdb")
    os.mkdir(folder)
    return world.worker("peer_lmdb", folder, PAGE)


def four_files(world, mount):
    """A writer for each of four page-files: an fsync locks the file it is of."""
    mount.table("t", TABLE)
    return file_worker(world, "write-fsync", PAGE,
                       *[mount.page("t", number) for number in range(WRITERS)])


def update_script(world):
    path = world.path("update.sql")
    with open(path, "w", encoding="ascii") as f:
        f.write("\\set id random(1, 4096)\nUPDATE t SET v = v + 1 WHERE id = :id;\n")
    return path


def postgres(world):
    server = world.opened(Postgres(world, checkpoint_timeout="1h", max_wal_size="4GB"))
    server.start()
    server.sql("CREATE TABLE t (id int PRIMARY KEY, v int, pad text) WITH (fillfactor = 20)")
    server.sql("INSERT INTO t SELECT i, 0, repeat('x', 200) FROM generate_series(1, 4096) i")
    server.sql("VACUUM ANALYZE t")
    server.sql("CHECKPOINT")
    return server


def wal_four_writers(world):
    server = postgres(world)
    script = update_script(world)
    mount = world.opened(Mount(world, "pagefs", fsync="wal"))
    ours = four_files(world, mount)
    transactions = max(50, int(world.seconds * 1000))
    server.commits(script, WRITERS, 4096)  # every page has its image in the log
    synced(world, mount, ours, lambda: world.pair(
        f"fsync=wal, {WRITERS} writers of {WRITERS} page-files", "1/s",
        lambda: ours.rate(world.seconds), f"PostgreSQL's commits, {WRITERS} clients",
        lambda: server.commits(script, WRITERS, transactions), aim=2.0))


def checkpoint_one_writer(world):
    mount = world.opened(Mount(world, "pagefs"))
    ours = file_worker(world, "write-fsync", PAGE, mount.table("t", TABLE))
    theirs = two_flushes(world)
    grown, steps = synced(world, mount, ours, lambda: world.pair_rates(
        "fsync=checkpoint, one writer", ours, "two raw flushes", theirs, aim=0.95))
    world.check(grown["pool_pages_written"] >= steps, "each fsync writes a page to its file")


def checkpoint_four_writers(world):
    mount = world.opened(Mount(world, "pagefs"))
    ours = four_files(world, mount)
    theirs = sqlite(world)
    synced(world, mount, ours, lambda: world.pair_rates(
        f"fsync=checkpoint, {WRITERS} writers of {WRITERS} page-files", ours,
        SQLITE + ", one client", theirs, aim=1.0))


class LoopExt4:
    """ext4 on a loop device on a file."""

    def __init__(self, world, path):
        if os.geteuid() != 0:
            raise Missing("only root makes loop devices")
        self.at = world.path("loop-ext4")
        os.mkdir(self.at)
        run(["mkfs.ext4", "-q", "-F", path])
        made = subprocess.run(["losetup", "--find", "--show", path], capture_output=True, text=True,
                              check=False)
        if made.returncode != 0:
            raise Missing(f"no loop device: {made.stderr.strip()}")
        self.device = made.stdout.strip()
        run(["mount", self.device, self.at])

    def close(self):
        run(["umount", self.at])
        run(["losetup", "-d", self.device])


def sqlite_on_top(world):
    for mode in ("checkpoint", "wal"):
        with world.part(mode):
            mount = world.opened(Mount(world, "pagefs", fsync=mode))
            os.mkdir(mount.at + "/t")
            payload = os.path.join(mount.at, "t/views/payload")
            os.truncate(payload, 256 * MIB)
            above = world.opened(LoopExt4(world, payload)).at
            beside = world.path("beside")
            os.mkdir(beside)
            world.pair_rates(f"SQLite on ext4 on a loop device on payload, fsync={mode}",
                             sqlite(world, above), "SQLite on ext4", sqlite(world, beside))


PARTS = [wal_one_writer, wal_four_writers, checkpoint_one_writer, checkpoint_four_writers,
         sqlite_on_top]
