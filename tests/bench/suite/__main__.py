"""Builds pagefs and its peers, measures them by turns, writes tables and pictures."""

import argparse
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import report
from groups import (cold, durable, fio, fsync_cost, log, mount, names, pg, policies, pool,
                    recovery, start, tail)
from measure import Missing, Wrong, end_soon
from world import World, say

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(HERE))
GROUPS = {module.__name__.rpartition(".")[2].replace("_", "-"): module for module in (
    pool, log, policies, mount, names, cold, durable, fsync_cost, recovery, pg, tail, start, fio)}
TARGETS = ["tests/bench/all", "pagefs", "umount.fuse.pagefs", "pagectl"]
CHEAP = ("pool", "log", "mount", "names", "pg", "start")  # what --smoke runs


@dataclasses.dataclass
class Result:
    title: str
    method: str
    rows: list
    tables: list
    curves: dict
    profiles: list
    left_out: list


def build(folder):
    say(f"building in {folder}")
    done = subprocess.run(["cmake", "-S", TOP, "-B", folder, "-G", "Ninja", "-DPS_BENCH=ON",
                           "-DCMAKE_BUILD_TYPE=Release"], capture_output=True, text=True)
    if done.returncode == 0:
        done = subprocess.run(["ninja", "-C", folder] + TARGETS, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tests/bench/run: the build failed:\n{done.stdout}{done.stderr}")


def run_part(world, name, part):
    """Returns the claim that did not hold, or None."""
    say(f"    {part.__name__.replace('_', ' ')}")
    try:
        with world.part(f"{name}-{part.__name__}"):
            part(world)
    except Missing as missing:
        world.leave_out(missing)
    except (Wrong, OSError, subprocess.CalledProcessError) as wrong:
        say(f"      FAILED: {wrong}")
        return str(wrong)
    return None


def run_group(world, name, module):
    """Returns its rows, and what went wrong."""
    say(f"{name} ({time.strftime('%H:%M:%S')})")
    world.rows, world.tables, world.curves = [], [], {}
    world.profiles, world.left_out = [], []
    wrongs = [wrong for part in module.PARTS if (wrong := run_part(world, name, part))]
    left_out = world.left_out + [f"a row whose measurement failed: {wrong}" for wrong in wrongs]
    return Result(module.TITLE, module.METHOD, world.rows, world.tables, world.curves,
                  world.profiles, left_out), wrongs


def parse():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description=__doc__,
        epilog="Groups: " + ", ".join(GROUPS) + ". What is missing is installed through apt-get; "
               "what cannot be had is named, and its rows are left out. A whole run writes "
               "tests/bench/RESULTS.md and tests/bench/plots; any other one writes into the build "
               "folder. Exit status: 0, or 1 where a row could not be measured as it says.")
    parser.add_argument("--quick", action="store_true",
                        help="3 rounds of 0.2 s, smaller files: to see that all of it works")
    parser.add_argument("--smoke", action="store_true",
                        help="1 round of 0.05 s of the cheap groups; installs nothing")
    parser.add_argument("--only", metavar="GROUP", action="append", choices=GROUPS,
                        help="this group (may be repeated)")
    parser.add_argument("--rounds", metavar="N", type=int, help="rounds a row (default: 15)")
    parser.add_argument("--dir", metavar="DIR",
                        help="where stores and files lie: on the disk that is to be measured "
                             "(default: the build folder)")
    parser.add_argument("--build", metavar="DIR", default=os.path.join(TOP, "build-bench"),
                        help="where to build (default: build-bench)")
    parser.add_argument("--built", metavar="DIR",
                        help="take the programs of this build folder and build nothing")
    parser.add_argument("--out", metavar="DIR", help="where the results go")
    args = parser.parse_args()
    if args.rounds is not None and args.rounds < 1:
        parser.error("--rounds: want at least 1")
    return args


def choose(args):
    """Groups, rounds, seconds, and where results go."""
    names = args.only or (CHEAP if args.smoke else GROUPS)
    rounds, seconds = (1, 0.05) if args.smoke else (3, 0.2) if args.quick else (15, 0.5)
    whole = not (args.only or args.smoke or args.quick)
    out = args.out or (HERE if whole else os.path.join(args.built or args.build, "bench-results"))
    return names, args.rounds or rounds, seconds, out


def words_of(args):
    """The options that changed what was measured."""
    words = [" --" + name for name in ("quick", "smoke") if getattr(args, name)]
    return "".join(words + [f" --only {name}" for name in args.only or []])


def main():
    args = parse()
    for number in (signal.SIGINT, signal.SIGTERM):  # also in the background: what is open is closed
        signal.signal(number, end_soon)
    names, rounds, seconds, out = choose(args)
    programs = os.path.abspath(args.built or args.build)
    if not args.built:
        build(programs)
    parent = os.path.abspath(args.dir or programs)
    os.makedirs(out, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="bench-", dir=parent)
    os.chmod(folder, 0o755)  # PostgreSQL runs as another user
    world = World(programs, folder, rounds, seconds, args.smoke, args.quick)
    results, wrongs = [], []
    try:
        for name in names:
            result, wrong = run_group(world, name, GROUPS[name])
            results.append(result)
            wrongs += wrong
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text, path = report.write(results, rounds, seconds, words_of(args), out)
    print(text)
    say(f"written to {path}")
    for wrong in wrongs:
        say(f"FAILED {wrong}")
    sys.exit(1 if wrongs else 0)


if __name__ == "__main__":
    main()
