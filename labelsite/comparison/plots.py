"""The comparison's charts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from numpy.typing import NDArray

from labelsite.autolabels.plots import Chart, Series, bar_chart, line_chart, svg
from labelsite.comparison.evidence import Integers
from labelsite.comparison.measures import POSITIONS_SHOWN, StepFigures
from labelsite.wording import counted

CELL, LEFT, TOP = 36, 92, 54
# So many positions fit on a phone as large as they are.
FEW = 6
# The heatmap's shades, from an empty cell to the fullest: classes heat-0 to heat-8.
SHADES = 8


def position_names(count: int) -> list[str]:
    """Steps as people count them, from 1; the last name is for "none"."""
    names = [str(place + 1) for place in range(count - 1)]
    if len(names) == POSITIONS_SHOWN:
        names[-1] = f"{POSITIONS_SHOWN}+"
    return [*names, _("none")]


def heatmap(counts: Integers, agree: int, people: str, machine: str) -> Chart:
    """First mistakes, people down and the run across; the diagonal is agreement, but for different steps that are
    shown together.

    agree: how many looks name the run's own step, or none as it does.
    """
    names = position_names(len(counts))
    size = CELL * len(names)
    agreeing = np.eye(len(names), dtype=bool)
    if agree < np.trace(counts):
        agreeing[-2, -2] = False
    title = _("Where the first mistake is")
    description = _(
        "A grid of first-mistake positions, %(people)s down and %(machine)s across. "
        "In %(exact)s of %(total)s looks both name the same step, or both none."
    ) % {
        "people": people,
        "machine": machine,
        "exact": counted(agree),
        "total": counted(int(counts.sum())),
    }
    # The cells of a few positions are not stretched to the card's width, and those of many get smaller with it.
    css = "plot-own-size" if len(names) <= FEW else "plot-wide"
    pieces = [
        svg.text(LEFT + size / 2, 16, machine, "plot-label"),
        svg.text(LEFT - 8, TOP - 12, people, "plot-label", "end"),
        *_names(names),
        *_cells(counts, agreeing, names, people, machine),
    ]
    return Chart(
        title=title,
        description=description,
        svg=svg.drawing("heatmap", LEFT + size + 4, TOP + size + 6, title, description, pieces, css),
        columns=[f"{people} ↓ · {machine} →", *names],
        rows=[(name, *row) for name, row in zip(names, counts.tolist(), strict=True)],
        note=_("step numbers count from 1; outlined: both agree"),
    )


def _names(names: list[str]) -> list[SafeString]:
    across = [svg.text(LEFT + place * CELL + CELL / 2, TOP - 12, name) for place, name in enumerate(names)]
    down = [
        svg.text(LEFT - 8, TOP + place * CELL + CELL / 2 + 4, name, anchor="end")
        for place, name in enumerate(names)
    ]
    return across + down


def _cells(
    counts: Integers, agreeing: NDArray[np.bool_], names: list[str], people: str, machine: str
) -> list[SafeString]:
    fullest = max(int(counts.max(initial=0)), 1)
    pieces = []
    for (row, column), count in np.ndenumerate(counts):
        # The root spreads the small counts, which are the interesting ones, over more shades.
        shade = int(np.ceil((count / fullest) ** 0.5 * SHADES))
        x, y = LEFT + column * CELL, TOP + row * CELL
        outline = " heat-agree" if agreeing[row, column] else ""
        tip = f"{people}: {names[row]} · {machine}: {names[column]} · {count}"
        pieces.append(svg.rectangle(x + 1, y + 1, CELL - 2, CELL - 2, f"heat heat-{shade}{outline}", tip))
        if count:
            css = "heat-number heat-number-light" if shade > SHADES // 2 else "heat-number"
            pieces.append(svg.text(x + CELL / 2, y + CELL / 2 + 4, _in_cell(int(count)), css))
    return pieces


def _in_cell(count: int) -> str:
    """As many digits as a cell has room for; the table beside the drawing has all of them."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1_000_000:.1f}M"


def roc(figures: StepFigures) -> Chart | None:
    """How well Q separates the steps that people call right from those that they call wrong."""
    if figures.roc is None or figures.auc is None:
        return None
    points = list(
        zip(figures.roc.false_positive_rate.tolist(), figures.roc.true_positive_rate.tolist(), strict=True)
    )
    chart = line_chart(
        "roc",
        _("Q against ratings"),
        _("ROC curve of the Q-value over %(count)s rated steps; the area under it is %(auc).3f.")
        % {"count": counted(figures.count), "auc": figures.auc},
        [Series(_("Q-value"), points)],
        _("wrong steps passed as right"),
        _("right steps passed"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )
    told = {"count": counted(figures.count), "auc": f"{figures.auc:.3f}"}
    return replace(chart, note=_("%(count)s rated steps; the area under the curve is %(auc)s") % told)


def calibration(figures: StepFigures) -> Chart | None:
    """Whether a share of right rollouts of 0.7 means that people rate 7 of 10 such steps right."""
    if figures.reliability is None:
        return None
    found = figures.reliability
    filled = found.counts > 0
    points = list(
        zip(found.mean_probability[filled].tolist(), found.share_positive[filled].tolist(), strict=True)
    )
    chart = line_chart(
        "calibration",
        _("Calibration of rollouts"),
        _(
            "Share of steps that are rated right, by share of right rollouts. "
            "The expected calibration error is %(error).3f."
        )
        % {"error": found.expected_calibration_error},
        [Series(_("rated right"), points, has_dots=True)],
        _("share of right rollouts"),
        _("share of steps rated right"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )
    steps = int(found.counts.sum())
    note = ngettext(
        "%(count)s step; the expected calibration error is %(error)s",
        "%(count)s steps; the expected calibration error is %(error)s",
        steps,
    )
    told = {"count": counted(steps), "error": f"{found.expected_calibration_error:.3f}"}
    return replace(chart, note=note % told)


def bias(offsets: list[tuple[str, int]]) -> Chart | None:
    """How many steps the run is early or late, where both found a mistake."""
    if not offsets:
        return None
    chart = bar_chart(
        "bias",
        _("Early or late"),
        _("How many steps before (-) or after (+) the person's first mistake the run finds one."),
        offsets,
        _("the run: steps early (-) or late (+)"),
        _("looks"),
        highlight="0",
    )
    return replace(chart, note=_("0: the same step"))
