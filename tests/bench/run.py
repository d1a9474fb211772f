#!/usr/bin/env python3
"""Builds the benchmarks, runs pagefs beside its peers, prints a Markdown table.

    tests/bench/run.py [--rounds N] [--seconds S] [--build DIR] [--dir DIR]

Each row is a pair: A is pagefs, B the peer. A and B are measured by turns, N rounds of S seconds
each; the ratio is the median of the rounds' ratios A/B (of times: B/A), with the interval that holds the
middle half of them. Client and daemons run on one CPU (taskset -c 0), because a wake-up that crosses CPUs
costs ten times what is measured here. DIR (default: a new folder below the build's) is where stores
and files lie: put it on the disk that is to be measured.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
ON_ONE_CPU = ["taskset", "-c", "0"]
PAGE = 8192
TABLE_BYTES = 64 << 20


def say(text):
    print(text, file=sys.stderr, flush=True)


def build(folder):
    subprocess.run(["cmake", "-S", TOP, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                    "-DPS_BENCH=ON"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", folder, "pagefs", "umount.fuse.pagefs", "pagectl", "bench_io",
                    "bench_pin", "peer_memfs"], check=True, stdout=subprocess.DEVNULL)


class Mount:
    """A store of one raw native table, mounted; the image of the table is the file to work on."""

    def __init__(self, bins, folder, name, options):
        self.bins = bins
        self.store = os.path.join(folder, name + ".store")
        self.at = os.path.join(folder, name)
        os.mkdir(self.at)
        subprocess.run([bins + "/pagectl", "init", self.store], check=True)
        subprocess.run(ON_ONE_CPU + [bins + "/pagefs", "-o", "pool=256M," + options, self.store,
                                     self.at], check=True)
        os.mkdir(self.at + "/t")
        self.image = self.at + "/t/views/image"
        with open(self.image, "wb", buffering=0) as f:
            for _ in range(TABLE_BYTES >> 20):
                f.write(os.urandom(1 << 20))
            os.fsync(f.fileno())

    def close(self):
        subprocess.run([self.bins + "/umount.fuse.pagefs", self.at], check=True)


class Peer:
    """The in-memory daemon."""

    def __init__(self, program, folder):
        self.at = os.path.join(folder, "peer")
        os.mkdir(self.at)
        self.process = subprocess.Popen(ON_ONE_CPU + [program, self.at, str(TABLE_BYTES)],
                                        stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"mounted\n":
            raise RuntimeError("peer_memfs did not mount")
        self.data = self.at + "/data"

    def close(self):
        subprocess.run(["fusermount3", "-u", self.at], check=True)
        self.process.wait()


def rate(program, kind, path, block, seconds):
    out = subprocess.run(ON_ONE_CPU + [program, kind, path, str(block), str(seconds)], check=True,
                         capture_output=True, text=True)
    return float(out.stdout)


def quartiles(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4]


def compare(rounds, a, b):
    """Medians of A and B, and the median ratio with its middle half."""
    seen_a, seen_b, ratios = [], [], []
    for i in range(rounds):
        first, second = (a, b) if i % 2 == 0 else (b, a)
        x, y = first(), second()
        got_a, got_b = (x, y) if i % 2 == 0 else (y, x)
        seen_a.append(got_a)
        seen_b.append(got_b)
        ratios.append(got_a / got_b)
    low, high = quartiles(ratios)
    return statistics.median(seen_a), statistics.median(seen_b), statistics.median(ratios), low, high


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def pins(program, rounds):
    """bench_pin takes turns by itself; its lines end in `NAME NUMBER [ns]`."""
    out = subprocess.run(ON_ONE_CPU + [program, "131072", str(rounds)], check=True,
                         capture_output=True, text=True).stdout
    found = {line.split()[0]: line.split() for line in out.splitlines()}
    ratio, low, high = (float(word.strip(",")) for word in found["ratio"][1:4])
    return float(found["pagestore"][2]), float(found["Berkeley"][3]), ratio, low, high


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--build", default=os.path.join(TOP, "build-bench"))
    parser.add_argument("--dir")
    args = parser.parse_args()

    build(args.build)
    bins = args.build + "/bin"
    bench = args.build + "/tests/bench"
    folder = tempfile.mkdtemp(prefix="bench-", dir=args.dir or args.build)
    io = bench + "/bench_io"
    rows = []
    open_things = []

    def row(what, unit, a, b):
        say(f"... {what}")
        rows.append((what, unit) + compare(args.rounds, a, b))

    def file_row(what, kind, block, a, peer_kind, b):
        row(what, "1/s", lambda: rate(io, kind, a, block, args.seconds),
            lambda: rate(io, peer_kind, b, block, args.seconds))

    try:
        say("... pin and unpin")
        rows.append(("pin + unpin, random among 131,072 resident pages; B: Berkeley DB mpool "
                     "(ratio B/A)", "ns") + pins(bench + "/bench_pin", args.rounds))
        peer = Peer(bench + "/peer_memfs", folder)
        open_things.append(peer)
        fs = Mount(bins, folder, "pagefs", "fsync=checkpoint")
        open_things.append(fs)
        wal = Mount(bins, folder, "pagefs-wal", "fsync=wal")
        open_things.append(wal)
        in_memory = "; B: in-memory daemon"
        file_row("8 KiB reads" + in_memory, "read", PAGE, fs.image, "read", peer.data)
        file_row("1 MiB reads" + in_memory, "read", 1 << 20, fs.image, "read", peer.data)
        file_row("8 KiB writes" + in_memory, "write", PAGE, fs.image, "write", peer.data)
        file_row("1 MiB writes" + in_memory, "write", 1 << 20, fs.image, "write", peer.data)
        sync = "8 KiB write + fsync"
        file_row(sync + "; B: two raw writes, each with fdatasync", "write-fsync", PAGE, fs.image,
                 "raw-twice", folder)
        file_row(sync + "; B: SQLite WAL FULL commit", "write-fsync", PAGE, fs.image, "sqlite",
                 folder)
        file_row(sync + ", fsync=wal; B: SQLite WAL FULL commit", "write-fsync", PAGE, wal.image,
                 "sqlite", folder)
    finally:
        for thing in reversed(open_things):
            thing.close()
        shutil.rmtree(folder, ignore_errors=True)

    print(f"Medians of {args.rounds} rounds by turns, {time.strftime('%Y-%m-%d')}, "
          f"{os.cpu_count()} CPUs, Linux {os.uname().release.split('-')[0]}.\n")
    print("| What | pagefs (A) | peer (B) | ratio (middle half) |")
    print("|---|---:|---:|---:|")
    for what, unit, a, b, ratio, low, high in rows:
        print(f"| {what} | {number(a)} {unit} | {number(b)} {unit} | {ratio:.2f} "
              f"({low:.2f}-{high:.2f}) |")


if __name__ == "__main__":
    main()
