#!/usr/bin/env python3
"""Kills the daemon with SIGKILL at random moments, under writers that know what was acknowledged.

Usage: kill9.py PROGRAMS KILLS [PAGE_SIZE]

Six writers work at once: on page-files, on views/image (several pages a request), on
views/payload, and on views/items; one makes and removes page-files, one makes, renames and drops
tables. A writer's requests are numbered, and each leaves its number in every cell that it changes:
a part of a page, a page, 64 bytes, a line, a name. The log holds them in the order of their
numbers, so that after a crash there is a last one, V: every request up to V is there whole, none
after V left anything, and V is not before what an fsync of anybody or a write on an O_DSYNC
descriptor acknowledged.

The daemon dies of a signal out of the blue, or (under strace) as it enters its n-th write;
recovery, by mounting or by `pagectl recover`, dies now and then, too. Before recovery `pagectl
verify` finds the store in need of recovery and without faults; after it, sound.
PS_SEED in the environment repeats a run's choices, though not its races.
"""
import collections
import contextlib
import errno
import mmap
import os
import random
import signal
import struct
import subprocess
import sys
import threading
import time

import mounted

PAGE_SIZE = int(sys.argv[3]) if len(sys.argv) > 3 else 8192
REQUEST_MAX = 1 << 20 # of an aligned buffer: what one request to the daemon takes
HEADER = 32
STAMP = struct.Struct("<QQ")
LINES_MAX = 20000


def pwrite(fd, data, off):
    """From a page-aligned buffer."""
    with mmap.mmap(-1, len(data)) as buf:
        buf[:] = data
        assert os.pwrite(fd, buf, off) == len(data)


class Writer(threading.Thread):
    """Numbered requests on one table; acknowledged and issued are the bounds of V."""

    def __init__(self, table, mount, seed):
        super().__init__()
        self.table = table
        self.mount = mount
        self.rng = random.Random(seed)
        self.history = []  # request n changed the cells of history[n - 1]
        self.done = 0  # the last request that returned
        self.acknowledged = 0
        self.others = []
        self.error = None

    def path(self, *names):
        return self.mount.path(self.table, *names)

    def run(self):
        """Until the daemon is gone."""
        try:
            while True:
                self.request()
                if self.rng.random() < 0.02:
                    self.sync()
        except OSError as error:
            if self.mount.answers():
                self.error = error

    def request(self):
        durable = self.rng.random() < 0.02
        cells = self.choose()
        self.history.append(cells)
        with self.opened(cells, os.O_DSYNC if durable else 0) as fd:
            self.write(fd, len(self.history), cells)
            self.done = len(self.history)
        if durable:
            self.acknowledged = self.done

    def sync(self):
        """An fsync of any file is one of all that came before it."""
        covers = [(writer, writer.done) for writer in self.others]
        with self.opened(range(1), 0) as fd:
            os.fsync(fd)
        for writer, done in covers:
            writer.acknowledged = max(writer.acknowledged, done)

    @contextlib.contextmanager
    def opened(self, cells, flags):
        fd = os.open(self.file_of(cells), os.O_WRONLY | flags)
        try:
            yield fd
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)

    def compare_checksums(self):
        table = self.path()
        if os.stat(self.path("views", "checksums")).st_size > 0:
            mounted.run("sh", "-c", f"cd {table} && xxhsum -c -q views/checksums")

    def resume(self, last):
        """After a crash: goes on behind V."""
        del self.history[last:]
        self.done = self.acknowledged = last

    def copy(self):
        """The same writer as a new thread."""
        twin = type(self)(self.table, self.mount, self.rng.randrange(1 << 32))
        twin.history, twin.done, twin.acknowledged = self.history, self.done, self.acknowledged
        return twin


class CellWriter(Writer):
    """Requests change runs of cells, in place."""

    cell_len = 0
    cell_count = 0
    run_max = 0

    def choose(self):
        first = self.rng.randrange(self.cell_count)
        return range(first, min(first + self.rng.randint(1, self.run_max), self.cell_count))

    def cell(self, version, index):
        """No two cells are the same, nor two parts of one that are mixed."""
        stamp = STAMP.pack(version, index)
        return (stamp * (self.cell_len // len(stamp) + 1))[:self.cell_len]

    def bytes(self, version, cells):
        return b"".join(self.cell(version, index) for index in cells)

    def check(self):
        found = self.read_cells()
        versions = [STAMP.unpack_from(cell)[0] if any(cell) else 0 for cell in found]
        last = max(versions)
        expected = [0] * self.cell_count
        for version, cells in enumerate(self.history[:last], 1):
            for index in cells:
                expected[index] = version
        assert self.acknowledged <= last <= len(self.history), \
            f"{self.table}: request {last} is the last, {self.acknowledged} were acknowledged"
        for index, version in enumerate(expected):
            whole = self.cell(version, index) if version else bytes(self.cell_len)
            assert found[index] == whole, \
                f"{self.table}: cell {index} is of request {versions[index]}, not {version}"
        return last


class PageFileWriter(CellWriter):
    """A request changes one to four quarters of one page-file."""

    page_count = min(96, (12 << 20) // PAGE_SIZE)
    cell_len = (PAGE_SIZE - HEADER) // 4
    cell_count = 4 * page_count

    def choose(self):
        page = 4 * self.rng.randrange(self.page_count)
        first = self.rng.randrange(4)
        return range(page + first, page + self.rng.randint(first, 3) + 1)

    def file_of(self, cells):
        return self.path(f"{cells[0] // 4:010d}")

    def make(self):
        with open(self.path("views", "image"), "wb") as image:
            image.truncate(self.page_count * PAGE_SIZE)

    def write(self, fd, version, cells):
        data = self.bytes(version, cells)
        pwrite(fd, data, HEADER + cells[0] % 4 * self.cell_len)

    def read_cells(self):
        cells = []
        for number in range(self.page_count):
            with open(self.path(f"{number:010d}"), "rb") as page:
                payload = page.read()[HEADER:]
            cells += [payload[at:at + self.cell_len]
                      for at in range(0, len(payload), self.cell_len)]
        return cells


class ImageWriter(CellWriter):
    """A request changes as many whole pages as it can, up to 100."""

    cell_len = PAGE_SIZE - HEADER
    cell_count = min(256, (32 << 20) // PAGE_SIZE)
    run_max = min(100, REQUEST_MAX // PAGE_SIZE)

    def file_of(self, _cells):
        return self.path("views", "image")

    def make(self):
        with open(self.file_of(None), "wb") as image:
            image.truncate(self.cell_count * PAGE_SIZE)

    def write(self, fd, version, cells):
        data = b"".join(bytes(HEADER) + self.cell(version, index) for index in cells)
        pwrite(fd, data, cells[0] * PAGE_SIZE)

    def read_cells(self):
        with open(self.file_of(None), "rb") as image:
            data = image.read()
        return [data[at + HEADER:at + PAGE_SIZE] for at in range(0, len(data), PAGE_SIZE)]


class PayloadWriter(CellWriter):
    """A request changes up to 128 KiB at places that lie across pages."""

    cell_len = 64
    cell_count = 32768
    run_max = 2048

    def file_of(self, _cells):
        return self.path("views", "payload")

    def make(self):
        with open(self.file_of(None), "wb") as payload:
            payload.truncate(self.cell_count * self.cell_len)

    def choose(self):
        run_max = self.run_max if self.rng.random() < 0.1 else 64
        first = self.rng.randrange(self.cell_count)
        return range(first, min(first + self.rng.randint(1, run_max), self.cell_count))

    def write(self, fd, version, cells):
        data = self.bytes(version, cells)
        assert os.pwrite(fd, data, cells[0] * self.cell_len) == len(data)

    def read_cells(self):
        with open(self.file_of(None), "rb") as payload:
            data = payload.read()
        return [data[at:at + self.cell_len] for at in range(0, len(data), self.cell_len)]


class ItemWriter(Writer):
    """A request is a line; every line up to V is there once and whole, none after it."""

    def choose(self):
        return range(self.rng.choice((0, 10, 100, 1000, min(5000, PAGE_SIZE - 200))))

    def file_of(self, _cells):
        return self.path("views", "items")

    def make(self):
        pass

    @staticmethod
    def line(version, length):
        return f"{version} ".encode() + b"x" * length + b"\n"

    def opened(self, cells, flags):
        return super().opened(cells, flags | os.O_APPEND)

    def write(self, fd, version, cells):
        data = self.line(version, len(cells))
        assert os.write(fd, data) == len(data)

    def check(self):
        with open(self.file_of(None), "rb") as items:
            found = items.read().splitlines(keepends=True)
        last = len(found)
        assert self.acknowledged <= last <= len(self.history), \
            f"{self.table}: {last} lines, {self.acknowledged} were acknowledged"
        found.sort(key=lambda line: int(line.split(None, 1)[0]))
        for version, line in enumerate(found, 1):
            assert line == self.line(version, len(self.history[version - 1])), \
                f"{self.table}: line {version} is {line[:40]}"
        return last

    def resume(self, last):
        super().resume(last)
        if last > LINES_MAX:
            mounted.run("rm", "-r", self.path())
            os.mkdir(self.path())
            super().resume(0)


class NameWriter(Writer):
    """What has requests on names instead: they are issued and done, never O_DSYNC."""

    def request(self):
        name = self.choose()
        self.history.append(name)
        self.write(name, len(self.history))
        self.done = len(self.history)

    @contextlib.contextmanager
    def opened(self, _cells, _flags):
        """For fsync, which works on folders, too."""
        fd = os.open(self.mount.dir, os.O_RDONLY)
        try:
            yield fd
        finally:
            os.close(fd)


class PageNameWriter(NameWriter):
    """A request makes or removes a page-file. Any V with the pages that are found is good."""

    page_count = 60

    def make(self):
        pass

    def choose(self):
        return self.rng.randrange(self.page_count)

    def write(self, name, version):
        path = self.path(f"{name:010d}")
        if name in self.pages_after(version - 1):
            os.unlink(path)
        else:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))

    def pages_after(self, version):
        counts = collections.Counter(self.history[:version])
        return {page for page, count in counts.items() if count % 2 == 1}

    def check(self):
        found = {int(name) for name in os.listdir(self.path()) if name.isdigit()}
        for version in range(len(self.history), self.acknowledged - 1, -1):
            if self.pages_after(version) == found:
                return version
        raise AssertionError(f"{self.table}: the pages are {sorted(found)}, which they never were "
                             f"after request {self.acknowledged}")

    def resume(self, last):
        """The history so far, in as few requests."""
        pages = self.pages_after(last)
        super().resume(last)
        self.history[:] = pages
        self.done = self.acknowledged = len(pages)


class TableNameWriter(NameWriter):
    """Request n replaces table n - 1 by table n: renames it, or makes one and drops the other."""

    def name(self, version):
        return f"{self.path()}-{version}"

    def make(self):
        os.rename(self.path(), self.name(0))

    def choose(self):
        return self.rng.choice(("rename", "make and drop"))

    def write(self, name, version):
        if name == "rename":
            os.rename(self.name(version - 1), self.name(version))
        else:
            os.mkdir(self.name(version))
            os.rmdir(self.name(version - 1))

    def check(self):
        prefix = self.table + "-"
        found = sorted(int(name[len(prefix):]) for name in os.listdir(self.mount.dir)
                       if name.startswith(prefix))
        last = found[0]
        assert found in ([last], [last, last + 1]), f"the tables are {found}"
        assert len(found) == 1 or self.history[last] == "make and drop"
        assert self.acknowledged <= last <= len(self.history), \
            f"{self.table}: request {last} is the last, {self.acknowledged} were acknowledged"
        return last

    def compare_checksums(self):
        """There are no pages."""

    def resume(self, last):
        super().resume(last)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(self.name(last + 1))


class Victim(mounted.Mount):
    """A mount whose daemon dies."""

    def answers(self):
        """Which no thread of a dying daemon does. (A request that it was about to read when the
        signal came ends in EIO, all others in ENOTCONN and ECONNABORTED.)"""
        try:
            self.stats()
        except OSError as error:
            return error.errno not in (errno.ENOTCONN, errno.ECONNABORTED)
        return True

    def start_doomed(self, options, nth):
        """Dies as it enters its nth write (of any thread)."""
        run = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwritev2",
               "-e", f"inject=pwritev2:signal=SIGKILL:when={nth}",
               os.path.join(self.programs, "pagefs"), "-f", "-o", options, self.store, self.dir]
        self.child = subprocess.Popen(run, stderr=subprocess.PIPE)
        while self.child.poll() is None and not self.is_mounted():
            time.sleep(0.005)

    def strike(self, delay):
        """SIGKILL after a while, or as soon as the doomed one's time has come. A doomed one may be
        spared, if there are not so many writes."""
        if not self.child:
            time.sleep(delay)
            os.kill(self.daemon(), signal.SIGKILL)
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(5 * delay)
        if self.child.poll() is None:
            os.kill(self.daemon(), signal.SIGKILL)
            self.child.wait()
        self.child.stderr.close()
        self.child = None


class Campaign:
    def __init__(self, mount, rng):
        self.mount = mount
        self.rng = rng
        self.needed_recovery = 0
        classes = {"pages": PageFileWriter, "image": ImageWriter, "payload": PayloadWriter,
                   "items": ItemWriter, "names": PageNameWriter, "tables": TableNameWriter}
        self.writers = [kind(table, mount, rng.randrange(1 << 32))
                        for table, kind in classes.items()]

    def options(self):
        """Small pools evict, little log means many checkpoints. Eight pages, four segments are the
        least that there can be."""
        pools = [max(size << 20, 8 * PAGE_SIZE) for size in (4, 8, 64)]
        logs = [max(size << 20, 4 * 32 * PAGE_SIZE) for size in (64, 1024)]
        return ",".join((f"pool={self.rng.choice(pools)}", f"max_wal={self.rng.choice(logs)}",
                         self.rng.choice(("wal_delay=1", "wal_delay=20", "wal_delay=200"))))

    def make(self):
        self.mount.start()
        for writer in self.writers:
            os.mkdir(writer.path())
            writer.make()
        self.mount.stop()

    def crash(self):
        """Mounts, lets the writers work, kills. Only the crash may be an error to them."""
        if self.rng.random() < 0.4:
            self.mount.start_doomed(self.options(), self.rng.choice((3, 30, 300)) +
                                    self.rng.randrange(30))
        else:
            self.mount.start(self.options())
        writers = self.writers if self.mount.is_mounted() else [] # it may be dead already
        for writer in writers:
            writer.others = self.writers
            writer.start()
        self.mount.strike(self.rng.uniform(0, 0.8))
        for writer in writers:
            writer.join()
            assert not writer.error, f"{writer.table}: {writer.error}"
        self.mount.forget()

    def kill_recovery(self):
        """SIGKILL to a recovery, while it works or a little too late."""
        pagectl = os.path.join(self.mount.programs, "pagectl")
        child = subprocess.Popen([pagectl, "recover", self.mount.store],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.rng.uniform(0, 0.05))
        child.kill()
        child.wait()

    def recover(self):
        said = self.mount.pagectl("verify", self.mount.store)
        if "needs recovery" not in said:
            return
        self.needed_recovery += 1
        while self.rng.random() < 0.3:
            self.kill_recovery()
        if self.rng.random() < 0.5:
            self.mount.pagectl("recover", self.mount.store)
            said = self.mount.pagectl("verify", self.mount.store)
            assert "needs recovery" not in said, said

    def check(self):
        self.mount.start()
        for writer in self.writers:
            last = writer.check()
            writer.compare_checksums()
            writer.resume(last)
        self.mount.stop()
        self.mount.pagectl("verify", self.mount.store)
        self.writers = [writer.copy() for writer in self.writers]

    def work(self, kills):
        for _ in range(kills):
            self.crash()
            self.recover()
            self.check()


def main(programs, kills):
    with Victim(programs, PAGE_SIZE) as mount:
        campaign = Campaign(mount, mounted.seeded())
        campaign.make()
        campaign.work(kills)
    print(f"{kills} kills, {campaign.needed_recovery} stores in need of recovery")
    assert campaign.needed_recovery > kills // 2


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
