"""Line figures for the docs as plain SVG files: no plotting package, and readable on light and dark pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log2

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 300, 52, 12, 40, 46
COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7e22ce", "#64748b")
DARK = ("#93b4ff", "#fb923c", "#6ee7a0", "#d8b4fe", "#cbd5e1")
DASHES = ("", "7 4", "2 3", "9 3 2 3", "4 4")


@dataclass(frozen=True)
class Line:
    """One named line; `bars` are the ends of each point's interval, empty where there are none."""

    name: str
    points: Sequence[tuple[float, float]]
    bars: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes. x_ticks: where the horizontal one is marked; is_log: in powers of two."""

    title: str
    x_label: str
    lines: Sequence[Line]
    x_ticks: Sequence[float]
    highest: float
    is_log: bool = False
    has_diagonal: bool = False


def figure(panels: Sequence[Panel], title: str, description: str) -> str:
    """Panels beside each other, with one legend below."""
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    parts = [_panel(panel, place, names) for place, panel in enumerate(panels)]
    keys = [_key(number, name) for number, name in enumerate(names)]
    width, height = WIDTH * len(panels), HEIGHT + 22 * ((len(names) + 1) // 2) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-labelledby="t d"><title id="t">{escape(title)}</title><desc id="d">{escape(description)}</desc>'
        f"<style>{_style()}</style>{''.join(parts)}{''.join(keys)}</svg>\n"
    )


def _style() -> str:
    light = "".join(f".c{n}{{stroke:{c};fill:{c}}}" for n, c in enumerate(COLOURS))
    dark = "".join(f".c{n}{{stroke:{c};fill:{c}}}" for n, c in enumerate(DARK))
    return (
        "text{font:12px sans-serif;fill:#1f2937}.h{font-weight:bold}.g{stroke:#9ca3af;stroke-opacity:.35}"
        f".a{{stroke:#6b7280}}.l{{fill:none!important;stroke-width:2}}.b{{stroke-width:1;stroke-opacity:.5}}{light}"
        f"@media(prefers-color-scheme:dark){{text{{fill:#e5e7eb}}{dark}}}"
    )


def _panel(panel: Panel, place: int, names: Sequence[str]) -> str:
    start, end = place * WIDTH + LEFT, (place + 1) * WIDTH - RIGHT
    low, high = (_along(panel, edge) for edge in (panel.x_ticks[0], panel.x_ticks[-1]))

    def x(value: float) -> float:
        return round(start + (_along(panel, value) - low) / (high - low) * (end - start), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - value / panel.highest * (HEIGHT - BOTTOM - TOP), 1)

    parts = [f'<text class="h" x="{start}" y="18">{escape(panel.title)}</text>']
    for step in range(6):
        value = panel.highest * step / 5
        parts.append(f'<line class="g" x1="{start}" x2="{end}" y1="{y(value)}" y2="{y(value)}"/>')
        parts.append(f'<text x="{start - 6}" y="{y(value) + 4}" text-anchor="end">{value:.2g}</text>')
    parts += [
        f'<text x="{x(tick)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>'
        for tick in panel.x_ticks
    ]
    middle = (start + end) / 2
    parts.append(f'<line class="a" x1="{start}" x2="{end}" y1="{y(0)}" y2="{y(0)}"/>')
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(panel.x_label)}</text>')
    if panel.has_diagonal:
        ends = panel.x_ticks[0], panel.x_ticks[-1]
        parts.append(
            f'<line class="a" stroke-dasharray="3 3" x1="{x(ends[0])}" y1="{y(ends[0])}" '
            f'x2="{x(ends[1])}" y2="{y(ends[1])}"/>'
        )
    for line in panel.lines:
        number = names.index(line.name)
        path = " ".join(f"{x(a)},{y(b)}" for a, b in line.points)
        parts.append(f'<polyline class="l c{number}" stroke-dasharray="{DASHES[number]}" points="{path}"/>')
        parts += [f'<circle class="c{number}" cx="{x(a)}" cy="{y(b)}" r="2.5"/>' for a, b in line.points]
        # Intervals of several lines at one place stand a little beside each other.
        aside = 3 * number - 4
        parts += [
            f'<line class="b c{number}" x1="{x(a) + aside}" x2="{x(a) + aside}" y1="{y(bottom)}" '
            f'y2="{y(min(top, panel.highest))}"/>'
            for (a, _), (bottom, top) in zip(line.points, line.bars, strict=False)
        ]
    return "".join(parts)


def _along(panel: Panel, value: float) -> float:
    return log2(value) if panel.is_log else value


def _key(number: int, name: str) -> str:
    left, top = LEFT + (number % 2) * 300, HEIGHT + 14 + (number // 2) * 22
    return (
        f'<line class="l c{number}" stroke-dasharray="{DASHES[number]}" x1="{left}" x2="{left + 30}" '
        f'y1="{top}" y2="{top}"/><text x="{left + 38}" y="{top + 4}">{escape(name)}</text>'
    )
