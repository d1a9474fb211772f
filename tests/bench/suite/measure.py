"""How a figure comes about: workers that take turns, medians, ratios with their middle half."""

import dataclasses
import statistics
import subprocess
import sys

ONE_CPU = ["taskset", "-c", "0"]


class Missing(Exception):
    """Something that these rows need is not on this machine: they are left out, with the reason."""


class Wrong(Exception):
    """A row does not measure what it says: no figure is better than that one."""


class Worker:
    """A program that is set up once and measures when told to; worker.h has the protocol."""

    def __init__(self, command, prefix=ONE_CPU):
        self.command = command
        self.steps = 0
        self.process = subprocess.Popen(prefix + command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self._line("ready")

    def _line(self, wanted=None):
        line = self.process.stdout.readline().strip()
        if not line or (wanted and line != wanted):
            raise Wrong(f"{' '.join(self.command)} ended: its message is above")
        return line

    def begin(self, seconds=0, steps=0):
        self.process.stdin.write(f"{seconds} {steps}\n")
        self.process.stdin.flush()

    def end(self, stop=True):
        """Stops a round, or waits for its end. Returns steps a second, p50 and p99.9 in us."""
        if stop:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        rate, p50, p999, steps = self._line().split()
        self.steps += int(steps)
        return float(rate), float(p50), float(p999)

    def run(self, seconds, steps=0):
        self.begin(seconds, steps)
        return self.end(stop=False)

    def rate(self, seconds, steps=0):
        return self.run(seconds, steps)[0]

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            raise Wrong(f"{' '.join(self.command)} failed: its message is above")


_told_to_end = False


def end_soon(*_):
    """For signals. The run ends where all that is open is known to who closes it; when it is told
    once more, at once."""
    global _told_to_end
    if _told_to_end:
        sys.exit(1)
    _told_to_end = True


def end_if_told():
    if _told_to_end:
        sys.exit(1)


def turns(rounds, measures):
    """Each measure once a round, in an order that turns round every time; the figures of each."""
    figures = [[] for _ in measures]
    for i in range(rounds):
        order = range(len(measures))
        for which in order if i % 2 == 0 else reversed(order):
            end_if_told()
            figures[which].append(measures[which]())
    return figures


@dataclasses.dataclass(frozen=True)
class Spread:
    """The middle half of some figures, and its middle."""
    low: float
    middle: float
    high: float


def spread(values):
    ordered = sorted(values)
    last = len(ordered) - 1
    return Spread(ordered[last // 4], statistics.median(ordered), ordered[last - last // 4])


def number(value):
    """Three digits or more, as many as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


@dataclasses.dataclass(frozen=True)
class Pair:
    """pagefs beside a peer. The ratio is above 1 where pagefs is better, whatever the unit."""
    what: str
    unit: str
    ours: float
    peer: str
    theirs: float
    ratio: Spread
    aim: float | None = None
    aim_words: str = ""

    def summary(self):
        return f"{number(self.ours)} {self.unit}, {self.ratio.middle:.2f} of {self.peer}"

    @property
    def missed(self):
        return self.aim is not None and round(self.ratio.middle, 2) < self.aim


@dataclasses.dataclass(frozen=True)
class Limit:
    """A figure of pagefs alone; at_most: it should not be above the aim, else not below."""
    what: str
    unit: str
    ours: Spread
    aim: float | None = None
    at_most: bool = True

    def summary(self):
        return f"{number(self.ours.middle)} {self.unit}"

    @property
    def missed(self):
        if self.aim is None:
            return False
        return self.ours.middle > self.aim if self.at_most else self.ours.middle < self.aim


def pair(what, unit, ours, peer, theirs, aim=None, aim_words="", times=False):
    """Of figures taken by turns. theirs: one list, or several of which the least counts.
    times: less is better."""
    least = [min(several) for several in zip(*theirs)]
    ratios = [b / a if times else a / b for a, b in zip(ours, least)]
    return Pair(what, unit, statistics.median(ours), peer, statistics.median(least),
                spread(ratios), aim, aim_words)
