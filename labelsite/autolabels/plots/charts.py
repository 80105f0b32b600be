"""Bars and lines: the charts that several pages share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from labelsite.autolabels.plots import svg
from labelsite.autolabels.plots.svg import Chart, Scale

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 30, 46


@dataclass(frozen=True, slots=True)
class Series:
    """One line: points (x, y) in order of x. `css` is plot-a, plot-b ... as the legend has it."""

    name: str
    points: Sequence[tuple[float, float]]
    css: str = "plot-a"
    has_dots: bool = False


def frame(x_range: tuple[float, float], y_range: tuple[float, float]) -> tuple[Scale, Scale]:
    """The scales of a chart of the usual size."""
    return (
        Scale(*x_range, start=LEFT, end=WIDTH - RIGHT),
        Scale(*y_range, start=HEIGHT - BOTTOM, end=TOP),
    )


def bar_chart(
    name: str,
    title: str,
    description: str,
    bars: Sequence[tuple[str, int]],
    x_label: str,
    y_label: str,
    highlight: str = "",
) -> Chart:
    """Counts by category, in the order given; the bar named `highlight` is drawn in the colour of what is right."""
    tallest = max([count for _name, count in bars] + [1])
    x, y = frame((0, len(bars) or 1), (0, tallest))
    width = (x.end - x.start) / (len(bars) or 1)
    pieces = [svg.axes(x, y, x_label, y_label, x_ticks=())]
    # Names that would touch each other are left out evenly; the table below has them all. A letter of the type that a
    # narrow page sets is 11 wide, or nearly so.
    every = max(
        1, -(-max((len(word) for word, _count in bars), default=1) * 11 * len(bars) // int(x.end - x.start))
    )
    for number, (word, count) in enumerate(bars):
        css = "plot-bar plot-c" if word == highlight else "plot-bar plot-a"
        top, left = y(count), x(number)
        pieces.append(
            svg.rectangle(left + width * 0.1, top, width * 0.8, y.start - top, css, f"{word}: {count}")
        )
        if number % every == 0:
            pieces.append(svg.text(round(left + width / 2, 2), y.start + 18, word))
    return Chart(
        title=title,
        description=description,
        svg=svg.drawing(name, WIDTH, HEIGHT, title, description, pieces),
        columns=[x_label, y_label],
        rows=list(bars),
    )


def line_chart(
    name: str,
    title: str,
    description: str,
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    has_diagonal: bool = False,
) -> Chart:
    """Lines over a shared axis. Ranges default to those of the points, the vertical one from 0."""
    x, y = frame(x_range or _range(series, 0, from_zero=False), y_range or _range(series, 1, from_zero=True))
    pieces = [svg.axes(x, y, x_label, y_label)]
    if has_diagonal:
        pieces.append(svg.line(x(x.low), y(y.low), x(x.high), y(y.high), "plot-diagonal"))
    for each in series:
        pieces += _line(each, x, y)
    is_one_of_several = len(series) > 1 or any(each.css != "plot-a" for each in series)
    return Chart(
        title=title,
        description=description,
        svg=svg.drawing(name, WIDTH, HEIGHT, title, description, pieces),
        columns=[_("line"), x_label, y_label],
        rows=[
            (each.name, svg.plain(a), svg.plain(b)) for each in series for a, b in thinned(each.points, 60)
        ],
        # One line of another colour than the first is one of several, of which the others have no points.
        legend=[(each.css, each.name) for each in series] if is_one_of_several else (),
    )


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` points, evenly chosen, the last one always among them."""
    if len(points) <= most:
        return list(points)
    step = (len(points) - 1) / (most - 1)
    return [points[round(number * step)] for number in range(most)]


def _line(series: Series, x: Scale, y: Scale) -> list[SafeString]:
    # A line of more points than the drawing has pixels costs bytes and shows nothing more.
    points = [(x(a), y(b)) for a, b in thinned(series.points, 400)]
    pieces = [svg.polyline(points, f"plot-line {series.css}")] if points else []
    if series.has_dots or len(points) == 1:
        pieces += [
            svg.circle(*place, 4, f"plot-dot {series.css}", f"{svg.plain(a)}, {svg.plain(b)}")
            for place, (a, b) in zip(points, thinned(series.points, 400), strict=True)
        ]
    return pieces


def _range(series: Sequence[Series], axis: int, from_zero: bool) -> tuple[float, float]:
    values = [point[axis] for each in series for point in each.points] or [0.0, 1.0]
    low, high = (min(0.0, *values, 0.0) if from_zero else min(values)), max(values)
    return (low, high if high > low else low + 1)
