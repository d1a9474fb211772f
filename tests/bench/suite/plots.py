"""The pictures: ratios of all rows, and curves in panels side by side."""

import dataclasses

from measure import Pair
from svg import LogAxis, Picture


@dataclasses.dataclass(frozen=True)
class Curve:
    name: str
    points: list  # (x, Spread)


@dataclasses.dataclass(frozen=True)
class Panel:
    """At most two curves; level: a line to compare them with, by name."""
    x_name: str
    curves: list
    level: tuple | None = None  # (name, value)
    in_bytes: bool = False


def amount(value):
    for unit, power in (("M", 6), ("k", 3)):
        if value >= 10 ** power:
            return f"{value / 10 ** power:g}{unit}"
    return f"{value:g}"


def byte_amount(value):
    for unit, power in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if value >= 1 << power:
            return f"{value / (1 << power):g} {unit}"
    return f"{value:g} B"


# --- ratios ---------------------------------------------------------------------------------

LABEL_END = 470
AXIS_START, AXIS_END = 490, 800
RATIO_WIDTH = 880
ROW = 36
HEAD = 100


def ratio_axis(pairs):
    low = min([p.ratio.low for p in pairs] + [0.5])
    high = max([p.ratio.high for p in pairs] + [2])
    return LogAxis(low, high, AXIS_START, AXIS_END)


def draw_ratio_row(picture, axis, y, row):
    """Two lines of label, the middle half as a bar, the median as a dot, the aim as a tick."""
    kind = "b" if row.missed else "a"
    picture.text(LABEL_END, y - 2, row.what, anchor="end")
    picture.text(LABEL_END, y + 12, "beside " + row.peer, "muted", 10.5, "end")
    picture.line(LABEL_END + 10, y, AXIS_END, y, "grid")
    picture.line(axis.at(row.ratio.low), y, axis.at(row.ratio.high), y, kind, 5,
                 'stroke-linecap="round" opacity="0.35"')
    if row.aim:
        picture.line(axis.at(row.aim), y - 9, axis.at(row.aim), y + 9, "aim", 1.5)
    picture.dot(axis.at(row.ratio.middle), y, 4.5, kind)
    picture.text(RATIO_WIDTH - 24, y + 4, f"{row.ratio.middle:.2f}",
                 "b-text" if row.missed else "title", 12, "end", 600)


def draw_legend(picture):
    y = 56
    picture.dot(30, y - 4, 4.5, "a")
    picture.text(42, y, "median of the rounds' ratios", "muted", 11)
    picture.line(212, y - 4, 236, y - 4, "a", 5, 'stroke-linecap="round" opacity="0.35"')
    picture.text(246, y, "their middle half", "muted", 11)
    picture.line(356, y - 13, 356, y + 5, "aim", 1.5)
    picture.text(366, y, "aim", "muted", 11)
    picture.dot(404, y - 4, 4.5, "b")
    picture.text(416, y, "aim missed", "muted", 11)


def draw_ratios(path, groups):
    """groups: (title, rows); rows without a peer are left to the table."""
    shown = [(title, [r for r in rows if isinstance(r, Pair)]) for title, rows in groups]
    shown = [(title, rows) for title, rows in shown if rows]
    if not shown:
        return False
    axis = ratio_axis([row for _, rows in shown for row in rows])
    bottom = HEAD + sum(30 + ROW * len(rows) for _, rows in shown)
    picture = Picture(RATIO_WIDTH, bottom + 44, "pagefs beside its peers",
                      "For each row how many times as good pagefs is as its peer")
    picture.text(24, 32, "pagefs beside its peers", "title", 17, weight=600)
    draw_legend(picture)
    for tick in axis.ticks():
        x = axis.at(tick)
        picture.line(x, HEAD - 8, x, bottom, "one" if abs(tick - 1) < 1e-9 else "grid")
        picture.text(x, bottom + 16, f"{tick:g}", "muted", 11, "middle")
    picture.text(axis.at(1) - 8, HEAD - 16, "peer is better", "muted", 11, "end")
    picture.text(axis.at(1) + 8, HEAD - 16, "pagefs is better", "muted", 11)
    picture.text((AXIS_START + AXIS_END) / 2, bottom + 33, "times as good as the peer", "muted", 11,
                 "middle")
    y = HEAD
    for title, rows in shown:
        y += 14
        picture.text(24, y, title, "title", 13, weight=600)
        y += 16
        for row in rows:
            draw_ratio_row(picture, axis, y + ROW / 2 - 6, row)
            y += ROW
    picture.save(path)
    return True


# --- curves ---------------------------------------------------------------------------------

DASHES = 'stroke-dasharray="4 3"'
PANEL_WIDTH, PANEL_HEIGHT = 262, 230
LEFT, TOP, GAP = 62, 92, 22


def draw_panel(picture, panel, left, y_axis, with_numbers):
    xs = [x for curve in panel.curves for x, _ in curve.points]
    axis = LogAxis(min(xs), max(xs), left + 14, left + PANEL_WIDTH - 14, rounded=False)
    name = byte_amount if panel.in_bytes else amount
    bottom = TOP + PANEL_HEIGHT
    for tick in y_axis.ticks():
        y = y_axis.at(tick)
        picture.line(left, y, left + PANEL_WIDTH, y, "grid")
        if with_numbers:
            picture.text(left - 8, y + 4, f"{tick:g}", "muted", 11, "end")
    for x in sorted(set(xs)):
        picture.text(axis.at(x), bottom + 18, name(x), "muted", 11, "middle")
    picture.line(left, bottom, left + PANEL_WIDTH, bottom, "one")
    if panel.level:
        y = y_axis.at(panel.level[1])
        picture.line(left, y, left + PANEL_WIDTH, y, "aim", 1.2, DASHES)
    picture.text(left + PANEL_WIDTH / 2, bottom + 40, panel.x_name, "text", 12, "middle")
    for curve, kind in zip(panel.curves, "ab"):
        draw_curve(picture, curve, kind, axis, y_axis)


def draw_curve(picture, curve, kind, axis, y_axis):
    low = [(axis.at(x), y_axis.at(s.low)) for x, s in curve.points]
    high = [(axis.at(x), y_axis.at(s.high)) for x, s in curve.points]
    middle = [(axis.at(x), y_axis.at(s.middle)) for x, s in curve.points]
    picture.area(low + high[::-1], kind)
    picture.path(middle, kind, 2)
    for x, y in middle:
        picture.dot(x, y, 3.5, kind)


def draw_curves(path, title, y_name, panels):
    """Panels side by side with one scale for y."""
    spreads = [s for panel in panels for curve in panel.curves for _, s in curve.points]
    values = [v for s in spreads for v in (s.low, s.high)]
    values += [panel.level[1] for panel in panels if panel.level]
    bottom = TOP + PANEL_HEIGHT
    y_axis = LogAxis(min(values), max(values), bottom, TOP)
    width = LEFT + len(panels) * (PANEL_WIDTH + GAP) + 6
    picture = Picture(width, bottom + 60, title, f"{y_name} against " +
                      ", ".join(panel.x_name for panel in panels))
    picture.text(24, 32, title, "title", 17, weight=600)
    x = 24
    for curve, kind in zip(panels[0].curves, "ab"):
        picture.line(x, 52, x + 22, 52, kind, 2)
        picture.dot(x + 11, 52, 3.5, kind)
        picture.text(x + 30, 56, curve.name, "text", 12)
        x += 54 + 7 * len(curve.name)
    if panels[0].level:
        picture.line(x, 52, x + 22, 52, "aim", 1.2, DASHES)
        picture.text(x + 30, 56, panels[0].level[0], "text", 12)
    picture.text(LEFT - 8, TOP - 10, y_name, "muted", 11, "end")
    for number, panel in enumerate(panels):
        draw_panel(picture, panel, LEFT + number * (PANEL_WIDTH + GAP), y_axis, number == 0)
    picture.save(path)
