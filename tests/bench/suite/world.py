"""What a group of rows works with: programs, a folder on the disk to be measured, how long and how
often; and where its rows go."""

import contextlib
import os
import shutil
import subprocess
import sys

from measure import Missing, Worker, Wrong, end_if_told, pair, turns
from where import profile

PAGE = 8192
MIB = 1 << 20

# What a program of the build cannot be without.
PACKAGES = {
    "peer_passthrough": "the source of libfuse's example, in libfuse3-dev,",
    "peer_bdb": "libdb5.3-dev",
    "peer_sqlite": "libsqlite3-dev",
    "peer_lmdb": "liblmdb-dev",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


class World:
    def __init__(self, build, folder, rounds, seconds, smoke=False, quick=False):
        self.build = build
        self.folder = folder
        self.rounds = rounds
        self.seconds = seconds
        self.smoke = smoke
        self.quick = quick or smoke
        self.rows = []      # these five: of the group that runs
        self.left_out = []  # reasons, of rows of this group
        self.tables = []    # of other things than rows: titles, then lines of cells
        self.curves = {}    # name of a plot: its panels
        self.profiles = []  # of rows that missed their aim: what, percent of the time by kind
        self._stack = None

    @contextlib.contextmanager
    def part(self, name):
        """A folder of its own for some rows; what they opened is closed at their end."""
        outside, stack = self.folder, self._stack
        self.folder = os.path.join(outside, name)
        os.mkdir(self.folder)
        try:
            with contextlib.ExitStack() as self._stack:
                yield
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder, self._stack = outside, stack

    def opened(self, thing):
        """thing.close() is called at the end of the part, the last thing first."""
        self._stack.callback(thing.close)
        end_if_told()
        return thing

    def path(self, name):
        return os.path.join(self.folder, name)

    def program(self, name):
        for below in ("bin", "tests/bench"):
            path = os.path.join(self.build, below, name)
            if os.path.exists(path):
                return path
        package = PACKAGES.get(name)
        why = f": {package} is not installed" if package else ""
        raise Missing(f"{name} was not built{why}")

    def command(self, *names):
        """A program of the system, under the first of its names that is there."""
        for name in names:
            found = shutil.which(name)
            if found:
                return found
        raise Missing(f"there is no {' or '.join(names)}")

    def worker(self, program, *args, **options):
        return self.opened(Worker([self.program(program)] + [str(a) for a in args], **options))

    def file(self, name, size):
        """A file that is allocated, written and durable: to overwrite it changes no metadata."""
        path = self.path(name)
        with open(path, "wb", buffering=0) as f:
            for at in range(0, size, MIB):
                f.write(os.urandom(min(MIB, size - at)))
            os.fsync(f.fileno())
        return path

    def size(self, full, quick):
        return quick if self.quick else full

    def check(self, holds, claim):
        if not holds:
            raise Wrong(claim)

    def add(self, row):
        self.rows.append(row)
        say(f"      {row.what}: {row.summary()}")

    def leave_out(self, missing):
        """Some rows are not there; the others go on."""
        say(f"      left out: {missing}")
        self.left_out.append(str(missing))

    def pair(self, what, unit, ours, peer, theirs, rounds=None, **how):
        """A row of figures that are taken by turns. theirs: one measure, or several of which the
        worst counts."""
        several = theirs if isinstance(theirs, list) else [theirs]
        figures = turns(rounds or self.rounds, [ours] + several)
        row = pair(what, unit, figures[0], peer, figures[1:], **how)
        self.add(row)
        self.look_if_missed(row, ours)

    def look_if_missed(self, row, ours, says_when=False):
        """Once for all rows of that name. says_when: as in profile()."""
        what = row.what
        if not row.missed or self.quick or what in dict(self.profiles):
            return
        shares = profile(ours, self.build, "any CPU" not in what, says_when)
        if shares:
            self.profiles.append((what, shares))

    def nanoseconds(self, workers, in_a_step, threads=1):
        """Of one of the things that a step does so many of; the workers run side by side, with so
        many threads in all."""
        def measure():
            for worker in workers:
                worker.begin(self.seconds)
            rates = [worker.end(stop=False)[0] for worker in workers]
            return 1e9 * threads / (sum(rates) * in_a_step)
        return measure

    def pair_rates(self, what, ours, peer, theirs, steps=0, seconds=None, scale=1, unit="1/s",
                   **how):
        """The same of workers: steps a second, times scale."""
        def rate_of(worker):
            return lambda: worker.rate(seconds or self.seconds, steps) * scale
        several = theirs if isinstance(theirs, list) else [theirs]
        self.pair(what, unit, rate_of(ours), peer, [rate_of(w) for w in several], **how)


def run(command, **options):
    """A command that has to work; what it says comes with the error."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        raise Wrong(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
