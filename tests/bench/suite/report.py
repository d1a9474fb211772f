"""The results as Markdown with its pictures."""

import os
import platform
import time

from measure import Pair, number
from plots import amount, byte_amount, draw_curves, draw_ratios
from where import KINDS

PICTURES = {"fsync-cost": ("Cost of an fsync", "ms")}


def machine():
    with open("/proc/meminfo", encoding="ascii") as f:
        memory = int(f.readline().split()[1]) / (1 << 20)
    return (f"{os.cpu_count()} CPUs, {memory:.0f} GiB of memory, "
            f"Linux {platform.release().split('-')[0]}")


def aim_of(row):
    if row.aim is None:
        return "–"
    if isinstance(row, Pair):
        words = row.aim_words or f"{row.aim:.2f}"
    else:
        words = f"{'at most' if row.at_most else 'at least'} {row.aim:,g} {row.unit}"
    return f"{words}, **missed**" if row.missed else words


def line_of(row):
    if isinstance(row, Pair):
        ratio = row.ratio
        return (f"| {row.what} | {number(row.ours)} {row.unit} | {number(row.theirs)} {row.unit} "
                f"({row.peer}) | {ratio.middle:.2f} ({ratio.low:.2f}-{ratio.high:.2f}) | "
                f"{aim_of(row)} |")
    ours = row.ours
    return (f"| {row.what} | {number(ours.middle)} {row.unit} ({number(ours.low)}-"
            f"{number(ours.high)}) | – | – | {aim_of(row)} |")


def table(rows):
    return "\n".join(["| What | pagefs | beside | ratio (middle half) | aim |",
                      "|---|---:|---:|---:|---|"] + [line_of(row) for row in rows])


def cells(lines):
    """A table of anything; the first line has its titles."""
    rule = "|---|" + "---:|" * (len(lines[0]) - 1)
    drawn = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([drawn[0], rule] + drawn[1:])


def panel_cells(panel):
    """A line a curve, a column a point."""
    name = byte_amount if panel.in_bytes else amount
    lines = [[panel.x_name] + [name(x) for x, _ in panel.curves[0].points]]
    return lines + [[f"{curve.name}, ms"] + [number(s.middle) for _, s in curve.points]
                    for curve in panel.curves]


def profile_cells(profiles):
    """A line a row, a column a kind of which any has a hundredth."""
    kinds = [kind for kind in KINDS if any(shares[kind] >= 1 for _, shares in profiles)]
    return [["Where the time goes, %"] + kinds] + [
        [what] + [f"{shares[kind]:.0f}" for kind in kinds] for what, shares in profiles]


def section(group, pictures):
    parts = [f"## {group.title}", group.method]
    for name in group.curves:
        if name in pictures:
            parts.append(f"![{PICTURES[name][0]}]({pictures[name]})")
    parts += [cells(panel_cells(panel)) for panels in group.curves.values() for panel in panels]
    parts += [cells(lines) for lines in group.tables]
    if group.rows:
        parts.append(table(group.rows))
    if group.profiles:
        parts.append(cells(profile_cells(group.profiles)))
    parts += [f"Left out: {reason}." for reason in group.left_out]
    return "\n\n".join(parts)


def head(rounds, seconds, how):
    caution = ("" if not how else " Not a whole run: smaller sizes, fewer rounds or fewer groups, "
               "for a first look only.")
    return (f"Made by `tests/bench/run{how}` on {time.strftime('%Y-%m-%d')}: {machine()}; "
            f"{rounds} rounds of {seconds:g} s.{caution}\n\n"
            "pagefs and its peer take turns. A ratio is the median of the rounds' ratios, "
            "with the interval that holds the middle half of them; it is above 1 where pagefs is "
            "better, whether more or less is better. Single figures have the same interval.")


def summary(groups):
    rows = [row for group in groups for row in group.rows if row.aim is not None]
    missed = [row.what for row in rows if row.missed]
    return f"{len(rows) - len(missed)} of {len(rows)} aims reached."


def markdown(groups, rounds, seconds, how, pictures):
    parts = ["# pagefs beside its peers", head(rounds, seconds, how), summary(groups)]
    if "ratios" in pictures:
        parts.append(f"![The ratios of all rows]({pictures['ratios']})")
    return "\n\n".join(parts + [section(group, pictures) for group in groups]) + "\n"


def draw(groups, folder):
    """Draws what there is; the pictures' paths from the Markdown's place, by name."""
    plots = os.path.join(folder, "plots")
    os.makedirs(plots, exist_ok=True)
    drawn = {}
    if draw_ratios(os.path.join(plots, "ratios.svg"), [(g.title, g.rows) for g in groups]):
        drawn["ratios"] = "plots/ratios.svg"
    for group in groups:
        for name, panels in group.curves.items():
            title, unit = PICTURES[name]
            draw_curves(os.path.join(plots, name + ".svg"), title, unit, panels)
            drawn[name] = f"plots/{name}.svg"
    return drawn


def write(groups, rounds, seconds, how, folder):
    text = markdown(groups, rounds, seconds, how, draw(groups, folder))
    path = os.path.join(folder, "RESULTS.md")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return text, path
