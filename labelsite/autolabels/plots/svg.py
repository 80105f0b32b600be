"""The few pieces of SVG that every chart is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing and the same numbers as a table, for those who cannot see the one or doubt it."""

    title: str
    description: str
    svg: SafeString
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""
    legend: Sequence[tuple[str, str]] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps a value between `low` and `high` to a coordinate between `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        share = min(1.0, max(0.0, (value - self.low) / span))
        return round(self.start + share * (self.end - self.start), 2)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values between `low` and `high`, about `count` of them, 1, 2 or 5 times a power of ten apart."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= rough), 10 * power)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def plain(value: float) -> str:
    """A number as a person writes it: no trailing zeros, thousands as k."""
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.4g}"


def drawing(
    name: str,
    width: float,
    height: float,
    title: str,
    description: str,
    body: Iterable[SafeString],
    css: str = "",
) -> SafeString:
    """The outer element. `name` must be unique on its page: the title and description are found by it.

    `css` is a further class. A drawing has its natural size unless the style sheet stretches it.
    """
    return format_html(
        '<svg class="{}" width="{}" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-description">'
        '<title id="{}-title">{}</title><desc id="{}-description">{}</desc>{}</svg>',
        f"plot {css}".rstrip(), plain(width), plain(width), plain(height), name, name,
        name, title, name, description, together(body),
    )  # fmt: skip


def together(pieces: Iterable[SafeString]) -> SafeString:
    """Several pieces one after the other."""
    # Every piece was made by format_html, which escaped what was put into it.
    return mark_safe("".join(pieces))


def text(x: float, y: float, words: object, css: str = "", anchor: str = "middle") -> SafeString:
    """Words at a place; `anchor` is start, middle or end."""
    return format_html('<text x="{}" y="{}" text-anchor="{}" class="{}">{}</text>', x, y, anchor, css, words)


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> SafeString:
    return format_html('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>', x1, y1, x2, y2, css)


def rectangle(x: float, y: float, width: float, height: float, css: str, tip: str = "") -> SafeString:
    """A rectangle; `tip` is what a pointer that rests on it reads."""
    return format_html(
        '<rect x="{}" y="{}" width="{}" height="{}" class="{}">{}</rect>',
        round(x, 2), round(y, 2), round(width, 2), round(height, 2), css, _tip(tip),
    )  # fmt: skip


def circle(x: float, y: float, radius: float, css: str, tip: str = "") -> SafeString:
    return format_html('<circle cx="{}" cy="{}" r="{}" class="{}">{}</circle>', x, y, radius, css, _tip(tip))


def polyline(points: Sequence[tuple[float, float]], css: str) -> SafeString:
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    return format_html('<polyline points="{}" class="{}"/>', path, css)


def _tip(words: str) -> SafeString:
    return format_html("<title>{}</title>", words) if words else SafeString("")


def axes(
    x: Scale, y: Scale, x_label: str, y_label: str, x_ticks: Sequence[float] | None = None
) -> SafeString:
    """Both axes with round ticks, light lines across the drawing, and what the axes mean."""
    across = format_html_join(
        "",
        '<line x1="{}" y1="{}" x2="{}" y2="{}" class="plot-grid"/>'
        '<text x="{}" y="{}" text-anchor="end" dominant-baseline="middle">{}</text>',
        ((x.start, y(v), x.end, y(v), x.start - 7, y(v), plain(v)) for v in ticks(y.low, y.high, 4)),
    )
    places = ticks(x.low, x.high) if x_ticks is None else x_ticks
    below = format_html_join(
        "",
        '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((x(v), y.start + 18, plain(v)) for v in places),
    )
    middle = (x.start + x.end) / 2
    return together(
        [
            across,
            below,
            line(x.start, y.start, x.end, y.start, "plot-axis"),
            text(middle, y.start + 37, x_label, "plot-label"),
            text(x.start - 34, y.end - 16, y_label, "plot-label", "start"),
        ]
    )
