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
        _roc(evaluation.pk, steps.get("curve") or []),
        _precision(evaluation.pk, steps.get("curve") or []),
        _calibration(evaluation.pk, (steps.get("calibration") or {}).get("bins") or []),
        _by_position(evaluation.pk, figures.get("by_position") or []),
    ]
    return [chart for chart in found if chart]


def _roc(number: int, rows: Sequence[dict[str, Any]]) -> Chart | None:
    """Each point is a threshold that could have been chosen."""
    if not rows:
        return None
    points = sorted((row["false_alarms"], row["recall"]) for row in rows)
    return line_chart(
        f"evaluation-roc-{number}",
        _("Wrong steps found, and at what price"),
        _("ROC curve: share of wrong steps found, by share of right steps called wrong."),
        [Series(_("found"), [(0.0, 0.0), *points, (1.0, 1.0)])],
        _("right steps called wrong"),
        _("wrong steps found"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )


def _precision(number: int, rows: Sequence[dict[str, Any]]) -> Chart | None:
    points = sorted((row["recall"], row["precision"]) for row in rows if row["recall"])
    if not points:
        return None
    return line_chart(
        f"evaluation-precision-{number}",
        _("Precision"),
        _("Share of flagged steps that are wrong, by share of wrong steps found."),
        [Series(_("precision"), points)],
        _("wrong steps found"),
        _("flagged steps that are wrong"),
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
