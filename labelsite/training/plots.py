"""The charts of an evaluation."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from labelsite.autolabels.plots import Chart, Series, bar_chart, line_chart
from labelsite.training.models import Evaluation


def evaluation_charts(evaluation: Evaluation) -> list[Chart]:
    """What an evaluation's figures can be drawn as; [] while it works."""
    figures = evaluation.figures
    if not figures:
        return []
    steps = figures.get("steps") or {}
    found = [
        _roc(evaluation.pk, steps),
        _reliability(evaluation.pk, steps),
        _positions(evaluation.pk, figures),
    ]
    return [chart for chart in found if chart]


def _roc(number: int, steps: dict[str, Any]) -> Chart | None:
    curve = steps.get("roc_curve") or steps.get("roc")
    points = _points(curve, "false_positive_rate", "true_positive_rate")
    if not points:
        return None
    return line_chart(
        f"evaluation-roc-{number}",
        _("Scores against labels"),
        _("ROC curve of the step scores."),
        [Series(_("score"), points)],
        _("wrong steps passed as right"),
        _("right steps passed"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )


def _reliability(number: int, steps: dict[str, Any]) -> Chart | None:
    curve = steps.get("calibration") or steps.get("reliability")
    points = _points(curve, "mean_probability", "share_positive")
    if not points:
        return None
    return line_chart(
        f"evaluation-calibration-{number}",
        _("Calibration"),
        _("Share of steps that are right, by score."),
        [Series(_("right"), points, has_dots=True)],
        _("score"),
        _("share of right steps"),
        x_range=(0, 1),
        y_range=(0, 1),
        has_diagonal=True,
    )


def _positions(number: int, figures: dict[str, Any]) -> Chart | None:
    by_position = figures.get("by_position")
    if not isinstance(by_position, list) or not by_position:
        return None
    bars = [
        (str(row.get("position", place) + 1), int(row.get("count", 0)))
        for place, row in enumerate(by_position)
    ]
    return bar_chart(
        f"evaluation-positions-{number}",
        _("First mistakes by position"),
        _("How many solutions have their first mistake at which step."),
        bars,
        _("step"),
        _("solutions"),
    )


def _points(curve: Any, across: str, up: str) -> list[tuple[float, float]]:
    """Two lists of a mapping as points; [] where they are not what is expected, or have gaps only."""
    if not isinstance(curve, dict):
        return []
    xs, ys = curve.get(across), curve.get(up)
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        return []
    return [(float(x), float(y)) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None]
