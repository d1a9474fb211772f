"""Where the time of one measurement goes: perf samples the CPU, and samples are added up by what the
sampled code is for."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

KINDS = ("idle", "kernel, new memory", "kernel, copies", "kernel, the rest", "client and others",
         "copies", "checksums", "pool", "log", "PostgreSQL", "pagefs, the rest")
PROGRAMS = ("pagefs", "pagectl", "bench_redo")
LAYERS = {"libps_pool.a": "pool", "libps_wal.a": "log", "libps_pg.a": "PostgreSQL"}
SECONDS = 1.0  # to sample at least
NEW_MEMORY = ("clear_page", "folio_zero")  # on a virtual machine the host's work for it, too
KERNEL_COPIES = ("rep_movs", "copy_user", "_copy_", "copy_page", "memcpy")
COPIES = ("memmove", "memcpy", "memset")
CHECKSUMS = ("crc32", "sum_page")


def layers(build):
    """The layer of each function of the library that only one layer has."""
    found = {}
    for archive in glob.glob(os.path.join(build, "**", "lib*.a"), recursive=True):
        kind = LAYERS.get(os.path.basename(archive), "pagefs, the rest")
        names = subprocess.run(["nm", "--defined-only", "--format=just-symbols", archive],
                               capture_output=True, text=True, check=True).stdout.split()
        for name in names:
            found[name] = kind if found.get(name, kind) == kind else "pagefs, the rest"
    return found


def kind_of(program, binary, symbol, layer_of):
    if program == "swapper":
        return "idle"
    if binary == "[kernel.kallsyms]":
        if any(part in symbol for part in NEW_MEMORY):
            return "kernel, new memory"
        copies = any(part in symbol for part in KERNEL_COPIES)
        return "kernel, copies" if copies else "kernel, the rest"
    if program not in PROGRAMS:
        return "client and others"
    if any(part in symbol for part in CHECKSUMS) or "libisal" in binary:
        return "checksums"
    if any(part in symbol for part in COPIES):
        return "copies"
    return layer_of.get(symbol, "pagefs, the rest")


def shares(data, layer_of, between):
    """Percent of the samples, by kind; of those between two moments, or of all."""
    window = ["--time", "{:.6f},{:.6f}".format(*between)] if between else []
    told = subprocess.run(["perf", "report", "-i", data, "--stdio", "--no-children", "-q",
                           "-F", "overhead,comm,dso,symbol", "-t", "|"] + window,
                          capture_output=True, text=True, check=True).stdout
    sums = dict.fromkeys(KINDS, 0.0)
    for line in told.splitlines():
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 4 or parts[1].startswith("perf"):
            continue
        symbol = parts[3].split("] ", 1)[-1]
        sums[kind_of(parts[1], parts[2], symbol, layer_of)] += float(parts[0].rstrip("%"))
    whole = sum(sums.values())
    return {kind: 100 * value / whole for kind, value in sums.items()} if whole > 0 else None


def sampled(measure, data, cpus, once):
    """perf is told to stop when measure() is done: once, or again and again until there are samples
    enough. Returns whether it could run, and what measure() returned first."""
    with subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-k",
                           "CLOCK_MONOTONIC", "-o", data] + cpus, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as perf:
        while perf.poll() is None and not os.path.exists(data):
            time.sleep(0.01)
        start = time.monotonic()
        answer = measure()
        while not once and time.monotonic() - start < SECONDS:
            measure()
        perf.send_signal(signal.SIGINT)
        perf.wait()
    return os.path.exists(data) and os.path.getsize(data) > 0, answer


def profile(measure, build, one_cpu, says_when=False):
    """Percent by kind, of CPU 0 or of all; None where there is no perf, or it may not look.
    says_when: measure() returns between which two moments of CLOCK_MONOTONIC the time counts."""
    if not shutil.which("perf"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        ran, answer = sampled(measure, data, ["-C", "0"] if one_cpu else ["-a"], says_when)
        return shares(data, layers(build), answer if says_when else None) if ran else None
