"""Hit ratios of the eviction policies, from traces; no clock is involved."""

import re

from measure import Wrong
from world import run

TITLE = "Eviction policies"
METHOD = ("Hit ratios on made-up traces, in brackets the part of that of Belady's OPT, which "
          "knows the future. The policies are the pool's own, run without pages. A trace marked "
          "* was not looked at when a policy was tuned.")


LINE = re.compile(r"(\S+?) *(\*?) +(\d+) +([01]\.\d+) (.*)")


def cells_of(line):
    """`TRACE[*] FRAMES OPT`, then `RATIO (PART)` a policy."""
    name, mark, frames, opt, ratios = LINE.fullmatch(line).groups()
    return [name + mark, frames, opt] + re.findall(r"[01]\.\d+ \([0-9.]+\)", ratios)


def hit_ratios(world):
    lines = run([world.program("bench_policies")]).splitlines()
    titles = [line.split() for line in lines if line.startswith("trace ")]
    rows = [cells_of(line) for line in lines if LINE.fullmatch(line)]
    if len(titles) != 1 or not rows or any(len(row) != len(titles[0]) for row in rows):
        raise Wrong("bench_policies prints something else than hit ratios")
    world.tables.append(titles + rows)


PARTS = [hit_ratios]
