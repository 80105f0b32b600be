"""The charts of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from labelsite.autolabels.plots import Chart, Series, bar_chart, line_chart
from labelsite.training.models import Evaluation


def evaluation_charts(evaluation: Evaluation) -> list[Chart]:
    """What an evaluation's figures can be drawn as; [] while it works."""
    figures = evaluation.figures or {}
    steps = figures.get("steps") or {}
    found = [
        _mistakes_found(evaluation.pk, steps.get("curve") or []),
        _calibration(evaluation.pk, (steps.get("calibration") or {}).get("bins") or []),
        _by_position(evaluation.pk, figures.get("by_position") or []),
    ]
    return [chart for chart in found if chart]


def _mistakes_found(number: int, rows: Sequence[dict[str, Any]]) -> Chart | None:
    """Recall and precision over the thresholds, each point one that could have been chosen."""
    if not rows:
        return None
    alarms = sorted((row["false_alarms"], row["recall"]) for row in rows)
    precise = sorted((row["recall"], row["precision"]) for row in rows if row["recall"])
    return line_chart(
        f"evaluation-found-{number}",
        _("Finding wrong steps"),
        _("Share of wrong steps found, by share of right steps called wrong (ROC); and precision by recall."),
        [
            Series(_("found, by false alarms"), [(0.0, 0.0), *alarms, (1.0, 1.0)], "plot-a"),
            Series(_("precision, by share found"), precise, "plot-b"),
        ],
        _("false alarms, or share found"),
        _("found, or precision"),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def _calibration(number: int, rows: Sequence[dict[str, Any]]) -> Chart | None:
    if not rows:
        return None
    return line_chart(
        f"evaluation-calibration-{number}",
        _("Calibration"),
        _("Share of steps that are right, by the score that they were given."),
        [Series(_("right"), [(row["score"], row["correct"]) for row in rows], has_dots=True)],
        _("score"),
        _("share of right steps"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )


def _by_position(number: int, rows: Sequence[dict[str, Any]]) -> Chart | None:
    if not rows:
        return None
    bars = [
        (_("none") if row["position"] is None else str(row["position"] + 1), round(100 * row["exact"]))
        for row in rows
    ]
    return bar_chart(
        f"evaluation-positions-{number}",
        _("Exact, by where the first mistake is"),
        _("Per cent of solutions whose first mistake is named exactly, by its step."),
        bars,
        _("first mistake"),
        _("per cent exact"),
    )
