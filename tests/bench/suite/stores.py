"""pagefs stores and the FUSE daemons beside them, mounted."""

import contextlib
import os
import signal
import subprocess
import time

from measure import ONE_CPU, Worker, Wrong
from world import MIB, PAGE, run

POOL = 256 * MIB
HUGE_DELAY = 3600000  # ms: the log is flushed when somebody asks, else not


class Shown:
    """Whatever a daemon of pagefs shows below self.at."""

    def __init__(self, at):
        self.at = at
        os.mkdir(at)

    def image(self, table):
        return os.path.join(self.at, table, "views/image")

    def lines(self, name):
        with open(os.path.join(self.at, name), encoding="utf-8") as f:
            return [line.split() for line in f]

    def counters(self):
        return {name: int(value) for name, value, *_ in self.lines(".pagefs/stats")
                if value.isdigit()}

    @contextlib.contextmanager
    def counted(self):
        """Afterwards the dictionary has what the store's counters grew by."""
        grown = {}
        before = self.counters()
        yield grown
        after = self.counters()
        grown.update({name: after[name] - before[name] for name in after if name in before})


class Mount(Shown):
    """A store, mounted by a daemon on one CPU, or on any."""

    def __init__(self, world, name, cpus=ONE_CPU, **options):
        super().__init__(world.path(name))
        self.world = world
        self.cpus = cpus
        self.options = {"pool": POOL, **options}
        self.store = world.path(name + ".store")
        self.mounted = False
        run([world.program("pagectl"), "init", self.store])
        self.mount()

    def mount(self):
        """Returns how long it took until the mount was usable, in seconds."""
        options = ",".join(f"{name}={value}" for name, value in self.options.items())
        start = time.perf_counter()
        run(self.cpus + [self.world.program("pagefs"), "-o", options, self.store, self.at])
        took = time.perf_counter() - start
        self.mounted = True
        return took

    def close(self):
        """Unmounts it and waits for the daemon; nothing stays mounted, whatever went wrong."""
        if not self.mounted:
            return
        try:
            run([self.world.program("umount.fuse.pagefs"), self.at])
        except Wrong:
            self.kill()
            raise
        self.mounted = False

    def kill(self):
        """The daemon dies as in a crash, and its mount goes."""
        os.kill(self.pid(), signal.SIGKILL)
        run(["umount", "-l", self.at] if os.geteuid() == 0 else
            ["fusermount3", "-u", "-z", self.at])
        run(["flock", self.store + "/lock", "true"])
        self.mounted = False

    def pid(self):
        with open(self.store + "/lock", encoding="ascii") as f:
            return int(f.read())

    def table(self, name, size):
        """A raw native table of that many bytes of pages, all of them on disk. Returns `image`."""
        os.mkdir(os.path.join(self.at, name))
        image = self.image(name)
        with open(image, "wb", buffering=0) as f:
            for _ in range(0, size, MIB):
                f.write(os.urandom(MIB))
            os.fsync(f.fileno())
        return image

    def page(self, table, number):
        return os.path.join(self.at, table, f"{number:010d}")

    def page_file(self, table):
        """The table's file below the mount."""
        for line in self.lines(f"{table}/stats"):
            if line[0] == "table_id":
                return os.path.join(self.store, "tables", line[1] + ".pages")
        raise KeyError("table_id")

    def checkpoint(self):
        with open(os.path.join(self.at, ".pagefs/checkpoint"), "w", encoding="ascii") as f:
            f.write("1\n")

    def memory(self):
        """The daemon's resident memory in bytes."""
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise KeyError("VmRSS")

    def warm_log(self, write):
        """Calls write() until the log needs no new segments: what stays on is what is measured."""
        for _ in range(12):
            with self.counted() as grown:
                write()
                self.checkpoint()
            if grown["wal_segments_made"] == 0:
                return


class Cluster(Shown):
    """A PostgreSQL directory that no server runs in, mounted by a daemon on one CPU."""

    def __init__(self, world, data, pool):
        super().__init__(world.path("cluster"))
        self.world = world
        self.data = data
        self.options = f"pool={pool}"
        self.mounted = False
        self.mount()

    def mount(self, more=""):
        run(ONE_CPU + [self.world.program("pagefs"), "-o", self.options + more, self.data, self.at])
        self.mounted = True

    def close(self):
        if self.mounted:
            run([self.world.program("umount.fuse.pagefs"), self.at])
        self.mounted = False

    def cool(self):
        """Nothing is in the pool then, nor in the page cache."""
        self.close()
        drop_cached(self.data)
        self.mount()

    def rows(self, table):
        return os.path.join(self.at, table, "views/rows.csv")


class Memfs:
    """The in-memory daemon: `data`, one file, and `files`, the same bytes as files of 8 KiB. With
    the path of a file, `data` is that file, which it reads into so many bytes of memory."""

    def __init__(self, world, size, *file):
        self.at = world.path("memfs")
        os.mkdir(self.at)
        self.process = subprocess.Popen(
            ONE_CPU + [world.program("peer_memfs"), self.at, str(size), *file],
            stdout=subprocess.PIPE, text=True)
        world.check(self.process.stdout.readline() == "ready\n", "peer_memfs mounts")
        self.data = os.path.join(self.at, "data")
        self.files = os.path.join(self.at, "files")

    def close(self):
        run(["fusermount3", "-u", self.at])
        self.process.wait()


class Passthrough:
    """libfuse's example, showing a folder; what the kernel knows of names it may keep."""

    def __init__(self, world, source):
        self.at = world.path("passthrough")
        os.mkdir(self.at)
        run(ONE_CPU + [world.program("peer_passthrough"), "-o",
                       f"source={source},timeout=3600,cache=auto", self.at])

    def close(self):
        run(["fusermount3", "-u", self.at])


def drop_cached(folder):
    """The kernel forgets what its page cache has of larger files, all of which is durable."""
    run(["sync", "-f", folder])
    run(["find", folder, "-type", "f", "-size", "+100k", "-exec", "dd", "if={}", "iflag=nocache",
         "count=0", "status=none", ";"])


def page_folder(world, name, count):
    """A folder of files as the page-files of a table, not opened through pagefs."""
    folder = world.path(name)
    page = os.urandom(PAGE)
    os.mkdir(folder)
    for number in range(count):
        with open(os.path.join(folder, f"{number:010d}"), "wb", buffering=0) as f:
            f.write(page)
    return folder


def file_once(world, kind, block, path, steps):
    """That many steps, after which nobody has the file open."""
    worker = Worker([world.program("bench_file"), kind, str(block), path])
    worker.run(0, steps)
    worker.close()


def file_worker(world, kind, block, *paths, **options):
    return world.worker("bench_file", kind, block, *paths, **options)

