"""A small writer of pictures: shapes, texts, logarithmic axes; readable on light and dark pages."""

import math
from xml.sax.saxutils import escape

# Classes of shapes and texts: fill and stroke on light pages, then on dark ones.
LIGHT = {
    "paper": "fill:#ffffff;stroke:#d8dee4", "title": "fill:#1f2328", "text": "fill:#32383f",
    "muted": "fill:#6e7781", "grid": "stroke:#eaeef2", "one": "stroke:#8c959f",
    "a": "fill:#0a6cc4;stroke:#0a6cc4", "b": "fill:#c2570c;stroke:#c2570c",
    "aim": "stroke:#1f2328", "b-text": "fill:#c2570c",
}
DARK = {
    "paper": "fill:#0d1117;stroke:#30363d", "title": "fill:#f0f6fc", "text": "fill:#d1d7e0",
    "muted": "fill:#9198a1", "grid": "stroke:#21262d", "one": "stroke:#656c76",
    "a": "fill:#58a6ff;stroke:#58a6ff", "b": "fill:#f0883e;stroke:#f0883e",
    "aim": "stroke:#f0f6fc", "b-text": "fill:#f0883e",
}
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"


def _rules(colours):
    return "".join(f".{name}{{{rule}}}" for name, rule in colours.items())


class Picture:
    def __init__(self, width, height, title, about):
        self.width, self.height = width, height
        self.parts = [f'<title>{escape(title)}</title><desc>{escape(about)}</desc>',
                      f'<rect class="paper" x="0.5" y="0.5" width="{width - 1}" '
                      f'height="{height - 1}" rx="8"/>']

    def text(self, x, y, words, kind="text", size=12, anchor="start", weight=400):
        self.parts.append(f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
                          f'text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>')

    def line(self, x1, y1, x2, y2, kind, width=1.0, extra=""):
        self.parts.append(f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                          f'y2="{y2:.1f}" stroke-width="{width}" {extra}/>')

    def dot(self, x, y, radius, kind):
        self.parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}" '
                          'stroke="none"/>')

    def path(self, points, kind, width):
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polyline class="{kind}" points="{steps}" stroke-width="{width}" '
                          'style="fill:none" stroke-linejoin="round"/>')

    def area(self, points, kind):
        steps = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.parts.append(f'<polygon class="{kind}" points="{steps}" opacity="0.16" '
                          'style="stroke:none"/>')

    def save(self, path):
        style = (f"text{{font-family:{FONT}}}{_rules(LIGHT)}"
                 f"@media (prefers-color-scheme:dark){{{_rules(DARK)}}}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{self.width}" '
                    f'height="{self.height}" viewBox="0 0 {self.width} {self.height}">\n'
                    f'<style>{style}</style>\n' + "\n".join(self.parts) + "\n</svg>\n")


class LogAxis:
    """Values to pixels, by powers; ends lie on 1, 2 or 5 times a power of ten, or as given."""

    def __init__(self, low, high, start, end, rounded=True):
        if rounded:
            low, high = self._step_down(low), self._step_up(high)
        if low == high:
            low, high = low / 2, high * 2
        self.low, self.high, self.start, self.end = low, high, start, end

    @staticmethod
    def _steps(low, high):
        power = math.floor(math.log10(low)) - 1
        while True:
            for digit in (1, 2, 5):
                value = digit * 10.0 ** power
                if value > high * 1.001:
                    return
                if value >= low * 0.999:
                    yield value
            power += 1

    @classmethod
    def _step_down(cls, value):
        return list(cls._steps(value / 11, value))[-1]

    @classmethod
    def _step_up(cls, value):
        return next(iter(cls._steps(value, value * 11)))

    def at(self, value):
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)

    def ticks(self):
        """1, 2, 5, 10, ... where that is not too many, else powers of ten."""
        every = list(self._steps(self.low, self.high))
        if len(every) <= 10:
            return every
        return [v for v in every if abs(math.log10(v) - round(math.log10(v))) < 1e-6]
