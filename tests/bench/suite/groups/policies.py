"""Hit ratios of the eviction policies, from traces; no clock is involved."""

import re

from measure import Wrong
from world import run

TITLE = "Eviction policies"
METHOD = ("Hit ratios on made-up traces, in brackets the part of that of Belady's OPT, which "
          "knows the future. The policies are the pool's own, run without pages. A trace marked "
          "* was not looked at when a policy was tuned.")


def hit_ratios(world):
    """Lines of bench_policies: a title, then `TRACE FRAMES OPT` and `RATIO (PART)` a policy."""
    lines = run([world.program("bench_policies")]).splitlines()
    titles = [line.split() for line in lines if line.startswith("trace")]
    rows = [line.split() for line in lines if re.match(r"\S+ +[0-9]+ +[01]\.", line)]
    if len(titles) != 1 or not rows:
        raise Wrong("bench_policies prints something else than hit ratios")
    world.tables.append([titles[0]] + [row[:3] + [" ".join(pair) for pair in
                                                  zip(row[3::2], row[4::2])] for row in rows])


PARTS = [hit_ratios]
