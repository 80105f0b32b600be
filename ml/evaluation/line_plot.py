"""Line plots as SVG text: a logarithmic or plain x-axis, intervals as bands, light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 800, 420
LEFT, RIGHT, TOP, BOTTOM = 62, 232, 44, 50
# Told apart without colour sight, on white and on black; dashes do it in print.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0569e", "#a27b00", "#4a90c2")
DASHES = ("", "7 4", "2 3", "9 3 2 3", "", "2 3")


@dataclass(frozen=True)
class Line:
    """points: (x, y, low, high), in order of x; low and high bound the interval around y."""

    name: str
    points: Sequence[tuple[float, float, float, float]]


def line_plot(
    path: Path, title: str, x_name: str, y_name: str, lines: Sequence[Line], is_logarithmic: bool = True
) -> None:
    """Write one plot; its y-axis begins and ends at round numbers around the intervals."""
    xs = [point[0] for line in lines for point in line.points]
    ys = [value for line in lines for point in line.points for value in point[2:]]
    low, high = math.floor(min(ys) * 10) / 10, math.ceil(max(ys) * 10) / 10
    place = _Place(min(xs), max(xs), low, high, is_logarithmic)
    parts = [_grid(place, _ticks(sorted(set(xs)), is_logarithmic))]
    for number, line in enumerate(lines):
        parts.append(_line(line, place, number))
    parts.append(_legend(lines))
    parts.append(f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text class="axis" x="{middle}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_name)}</text>'
    )
    y_middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="translate(16 {y_middle}) rotate(-90)"'
    parts.append(f'<text class="axis" {turned} text-anchor="middle">{escape(y_name)}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_document(title, "".join(parts)), encoding="utf-8")


@dataclass(frozen=True)
class _Place:
    """Values to coordinates."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float
    is_logarithmic: bool

    def x(self, value: float) -> float:
        low, high, at = self.x_low, self.x_high, value
        if self.is_logarithmic:
            low, high, at = math.log(low), math.log(high), math.log(value)
        return round(LEFT + (at - low) / ((high - low) or 1) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / ((self.y_high - self.y_low) or 1)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _grid(place: _Place, x_ticks: Sequence[float]) -> str:
    parts = []
    for step in range(round((place.y_high - place.y_low) * 10) + 1):
        value = place.y_low + step / 10
        y = place.y(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{value:.1f}</text>')
    for value in x_ticks:
        text = f"{value:,g}"
        parts.append(
            f'<text x="{place.x(value)}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{text}</text>'
        )
    return "".join(parts)


def _ticks(values: Sequence[float], is_logarithmic: bool) -> Sequence[float]:
    """On a plain axis fifths of it; on a logarithmic one the values where they are few, else round ones."""
    if not is_logarithmic:
        return [values[0] + (values[-1] - values[0]) * step / 5 for step in range(6)]
    return values if len(values) <= 8 else _decades(values[0], values[-1])


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten and their halves within the range."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [
        factor * 10.0**power
        for power in powers
        for factor in (1, 2, 5)
        if low <= factor * 10.0**power <= high
    ]


def _line(line: Line, place: _Place, number: int) -> str:
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    upper = [f"{place.x(x)} {place.y(high)}" for x, _, _, high in line.points]
    lower = [f"{place.x(x)} {place.y(low)}" for x, _, low, _ in reversed(line.points)]
    path = "L".join(f"{place.x(x)} {place.y(y)}" for x, y, _, _ in line.points)
    dots = "".join(f'<circle cx="{place.x(x)}" cy="{place.y(y)}" r="3"/>' for x, y, _, _ in line.points)
    return (
        f'<g fill="{colour}"><path opacity=".12" d="M{"L".join(upper + lower)}Z"/>{dots}'
        f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/></g>'
    )


def _legend(lines: Sequence[Line]) -> str:
    parts = []
    for number, line in enumerate(lines):
        y = TOP + 12 + 22 * number
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        x = WIDTH - RIGHT + 14
        parts.append(
            f'<path d="M{x} {y - 4}h24" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        parts.append(f'<text x="{x + 30}" y="{y}">{escape(line.name)}</text>')
    return "".join(parts)


def _document(title: str, body: str) -> str:
    style = (
        "text{font:12px system-ui,sans-serif;fill:#333}.title{font-size:14px;font-weight:600}"
        ".grid{stroke:#ddd;fill:none}.paper{fill:#fff}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.paper{fill:#16181d}}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">'
        f"<title>{escape(title)}</title><style>{style}</style>"
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>{body}</svg>\n'
    )
