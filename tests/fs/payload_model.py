#!/usr/bin/env python3
"""Random work on views/payload, compared with a model in memory.

Usage: payload_model.py PROGRAMS PAGE_SIZE OPERATIONS

Reads, writes of 1 byte to 1 MiB, appends, truncates, fallocate's modes, SEEK_DATA and SEEK_HOLE,
each followed by a comparison of what it touched; at intervals all of the payload, the payload
parts of views/image and of every page-file, and views/checksums; also after clean remounts and
after fsync and SIGKILL. PS_SEED in the environment repeats a run.
"""
import ctypes
import errno
import mmap
import os
import sys

import mounted

SIZE_MAX = 12 << 20
REQUEST_MAX = 1 << 20
HEADER = 32
KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def fallocate(fd, mode, offset, length):
    if libc.fallocate(fd, mode, offset, length) != 0:
        raise OSError(ctypes.get_errno(), f"fallocate mode {mode} at {offset}, {length} bytes")


def read_all(path):
    with open(path, "rb", buffering=0) as file:
        pieces = []
        while piece := file.read(REQUEST_MAX):
            pieces.append(piece)
    return b"".join(pieces)


def read_exactly(fd, length, offset):
    """Short reads happen only at the end of the file."""
    pieces = []
    while length > 0 and (piece := os.pread(fd, length, offset)):
        pieces.append(piece)
        offset += len(piece)
        length -= len(piece)
    return b"".join(pieces)


class Payload:
    """The table, and what it has to hold."""

    def __init__(self, mount, page_size, rng):
        self.mount = mount
        self.rng = rng
        self.unit = page_size - HEADER
        self.page_size = page_size
        self.model = bytearray()
        self.aligned = mmap.mmap(-1, REQUEST_MAX)
        self.noise = rng.randbytes(2 * REQUEST_MAX)
        self.fd = self.fd_append = -1
        self.last = "nothing"
        self.length_max = 0

    # --- mounting

    def open(self):
        path = self.mount.path("t", "views", "payload")
        self.fd = os.open(path, os.O_RDWR)
        self.fd_append = os.open(path, os.O_WRONLY | os.O_APPEND)

    def close(self):
        os.close(self.fd)
        os.close(self.fd_append)

    def remount(self):
        self.close()
        self.mount.stop()
        self.mount.start()
        self.open()

    def crash(self):
        os.fsync(self.fd)
        self.mount.kill()
        self.close()
        self.mount.start()
        self.open()

    # --- what to do where

    def length(self):
        """Mostly small, up to 1 MiB, now and then whole pages' payloads."""
        length = int(2 ** self.rng.uniform(0, 20 if self.rng.random() < 0.25 else 13))
        if self.rng.random() < 0.2:
            length = max(1, length // self.unit) * self.unit
        return min(length, REQUEST_MAX)

    def offset(self, beyond=0):
        """Anywhere, often at a page's payload's edge; up to beyond bytes past the end."""
        offset = self.rng.randrange(len(self.model) + beyond + 1)
        if self.rng.random() < 0.4:
            offset = offset // self.unit * self.unit + self.rng.randrange(-2, 3)
        return min(max(offset, 0), SIZE_MAX - REQUEST_MAX)

    def bytes(self, length):
        """Never zeros, so that a lost write shows; half of them in a page-aligned buffer."""
        start = self.rng.randrange(len(self.noise) - length + 1)
        data = self.noise[start:start + length]
        if self.rng.random() < 0.5:
            return data
        self.aligned[:length] = data
        return memoryview(self.aligned)[:length]

    # --- the model's side

    def grow(self, size):
        if size > len(self.model):
            self.model.extend(bytes(size - len(self.model)))

    def put(self, offset, data):
        self.grow(offset + len(data))
        self.model[offset:offset + len(data)] = data

    def zero(self, offset, length):
        length = max(0, min(length, len(self.model) - offset))
        self.model[offset:offset + length] = bytes(length)

    # --- operations

    def do_write(self):
        offset, data = self.offset(beyond=4 * self.unit), self.bytes(self.length())
        self.last = f"write of {len(data)} bytes at {offset}"
        assert os.pwrite(self.fd, data, offset) == len(data)
        self.put(offset, data)
        self.compare_range(offset - 16, len(data) + 32)

    def do_append(self):
        data = self.bytes(self.length())
        if len(self.model) + len(data) > SIZE_MAX:
            return
        self.last = f"append of {len(data)} bytes to {len(self.model)}"
        assert os.write(self.fd_append, data) == len(data)
        self.put(len(self.model), data)
        self.compare_range(len(self.model) - len(data) - 16, len(data) + 32)

    def do_read(self):
        self.compare_range(self.offset(beyond=self.unit), self.length())

    def do_truncate(self):
        size = self.offset(beyond=8 * self.unit)
        if self.rng.random() < 0.7:
            size = max(size, len(self.model) - 8 * self.unit)
        self.last = f"truncate of {len(self.model)} to {size}"
        os.ftruncate(self.fd, size)
        del self.model[size:]
        self.grow(size)
        self.compare_range(size - 64, 128)

    def do_open_trunc(self):
        self.last = "open with O_TRUNC"
        os.close(os.open(self.mount.path("t", "views", "payload"), os.O_WRONLY | os.O_TRUNC))
        self.model.clear()

    def do_fallocate(self):
        mode = self.rng.choice([0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE,
                                ZERO_RANGE, ZERO_RANGE | KEEP_SIZE])
        offset, length = self.offset(beyond=2 * self.unit), self.length()
        self.last = f"fallocate mode {mode} of {length} bytes at {offset}"
        fallocate(self.fd, mode, offset, length)
        if not mode & KEEP_SIZE:
            self.grow(offset + length)
        if mode & (PUNCH_HOLE | ZERO_RANGE):
            self.zero(offset, length)
        self.compare_range(offset - 16, length + 32)

    def do_seek(self):
        """From one place: what is said to be a hole reads as zeros in the model."""
        offset = self.offset()
        if offset >= len(self.model):
            for whence in (os.SEEK_DATA, os.SEEK_HOLE):
                try:
                    os.lseek(self.fd, offset, whence)
                    raise AssertionError(f"a seek to {offset}, at the end, succeeded")
                except OSError as error:
                    assert error.errno == errno.ENXIO, error
            return
        try:
            data = os.lseek(self.fd, offset, os.SEEK_DATA)
        except OSError as error:
            assert error.errno == errno.ENXIO, error
            data = len(self.model)
        hole = os.lseek(self.fd, offset, os.SEEK_HOLE)
        assert offset <= data <= len(self.model) and offset <= hole <= len(self.model)
        assert (data == offset) != (hole == offset), f"at {offset}: data {data}, hole {hole}"
        assert not any(self.model[offset:data]), f"bytes in the hole from {offset} to {data}"

    # --- comparisons

    def compare_range(self, offset, length):
        offset = max(offset, 0)
        found = read_exactly(self.fd, length, offset)
        if found != self.model[offset:offset + length]:
            raise AssertionError(f"bytes {offset} to {offset + length} differ after {self.last}")

    def payload_of(self, number):
        part = bytes(self.model[number * self.unit:(number + 1) * self.unit])
        return part.ljust(self.unit, b"\0")

    def compare_image(self):
        image = read_all(self.mount.path("t", "views", "image"))
        assert len(image) % self.page_size == 0
        for number in range(max(len(image) // self.page_size, -(-len(self.model) // self.unit))):
            page = image[number * self.page_size:(number + 1) * self.page_size]
            assert page[HEADER:].ljust(self.unit, b"\0") == self.payload_of(number), \
                f"page {number} of the image differs after {self.last}"

    def compare_pages(self):
        names = {name for name in os.listdir(self.mount.path("t")) if name.isdigit()}
        for number in range(-(-len(self.model) // self.unit)):
            name = f"{number:010d}"
            if name in names:
                names.remove(name)
                page = read_all(self.mount.path("t", name))
                assert page[HEADER:] == self.payload_of(number), f"page-file {name} differs"
            else:
                assert not any(self.payload_of(number)), f"page-file {name} is missing"
        assert not names, f"page-files past the end: {sorted(names)}"

    def compare_all(self):
        size = os.stat(self.mount.path("t", "views", "payload")).st_size
        assert size == len(self.model), f"size {size}, not {len(self.model)}, after {self.last}"
        found = read_all(self.mount.path("t", "views", "payload"))
        assert found == self.model, f"the payload differs after {self.last}"
        self.compare_image()
        self.compare_pages()
        if self.model:
            mounted.run("sh", "-c", f"cd {self.mount.path('t')} && xxhsum -c -q views/checksums")

    def work(self, operations):
        """The pool is smaller than the payload may be, so that pages get evicted."""
        doings = [self.do_write, self.do_append, self.do_read, self.do_truncate, self.do_open_trunc,
                  self.do_fallocate, self.do_seek]
        weights = [40, 10, 25, 2, 0.02, 12, 10]
        for done in range(operations):
            self.rng.choices(doings, weights)[0]()
            if self.rng.random() < 0.002:
                os.fsync(self.fd)
            self.length_max = max(self.length_max, len(self.model))
            if done % 1000 == 999:
                self.compare_all()
            if done % 5000 == 2500:
                self.remount()
                self.compare_all()
            if done % 5000 == 4500:
                self.crash()
                self.compare_all()
        self.compare_all()


def main(programs, page_size, operations):
    with mounted.Mount(programs, page_size) as mount:
        mount.start("pool=8M,max_wal=128M")
        os.mkdir(mount.path("t"))
        payload = Payload(mount, page_size, mounted.seeded())
        payload.open()
        payload.work(operations)
        payload.close()
        mount.stop()
        mount.pagectl("verify", mount.store)
    print(f"{operations} operations, up to {payload.length_max} bytes")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
