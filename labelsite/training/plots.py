"""The charts of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.autolabels.plots import Chart, Series, bar_chart, line_chart
from labelsite.training.curves import COLOURS
from labelsite.training.measured import measured
from labelsite.training.models import Evaluation

RULE_NAMES = {
    "product": gettext_lazy("highest product"),
    "minimum": gettext_lazy("highest minimum"),
    "mean": gettext_lazy("highest mean"),
    "last": gettext_lazy("highest last step"),
    "maximum": gettext_lazy("highest maximum"),
    "vote product": gettext_lazy("vote weighted by product"),
    "vote minimum": gettext_lazy("vote weighted by minimum"),
    "vote mean": gettext_lazy("vote weighted by mean"),
    "vote last": gettext_lazy("vote weighted by the last step"),
    "vote maximum": gettext_lazy("vote weighted by maximum"),
    "majority": gettext_lazy("majority vote"),
    "pass@1": gettext_lazy("a single solution"),
    "oracle": gettext_lazy("oracle"),
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One rule's accuracy among the most solutions, with its interval."""

    rule: str
    name: str
    n: int
    accuracy: float
    low: float
    high: float


def choices(evaluation: Evaluation) -> list[Choice]:
    """Every rule of a best-of-n evaluation at the largest n that every problem has, the best first; [] for other
    kinds."""
    figures = evaluation.figures or {}
    rows = [row for row in figures.get("rows") or [] if _is_of_all(row, figures)]
    largest = max((row["n"] for row in rows), default=0)
    found = [
        Choice(
            row["rule"],
            str(RULE_NAMES.get(row["rule"], row["rule"])),
            row["n"],
            row["accuracy"],
            row["low"],
            row["high"],
        )
        for row in rows
        if row["n"] == largest
    ]
    return sorted(found, key=lambda choice: -choice.accuracy)


def _is_of_all(row: Mapping[str, Any], figures: Mapping[str, Any]) -> bool:
    """Whether a row of a best-of-n is of all problems; where all have as many solutions, none says of how many."""
    return bool("problems" not in row or row["problems"] == figures.get("problems"))


def _of_fewer(figures: Mapping[str, Any]) -> str:
    """What the reader of a best-of-n's lines has to know where they are not of the same problems all along."""
    rows = figures.get("rows") or []
    if all(_is_of_all(row, figures) for row in rows):
        return ""
    most = max(row["n"] for row in rows if _is_of_all(row, figures))
    return _("Beyond %(most)s, only problems with as many solutions.") % {"most": most}


def evaluation_charts(evaluation: Evaluation) -> list[Chart]:
    """What an evaluation's figures can be drawn as; [] while it works."""
    figures = evaluation.figures or {}
    steps = figures.get("steps") or {}
    found = [
        _thresholds(evaluation.pk, figures.get("thresholds") or [], measured(figures)),
        _best_of_n(evaluation.pk, figures, ("product", "minimum", "last"), _("Best of n")),
        _best_of_n(
            evaluation.pk, figures, ("vote product", "vote minimum", "vote last"), _("Weighted vote among n")
        ),
        _roc(evaluation.pk, steps.get("curve") or []),
        _precision(evaluation.pk, steps.get("curve") or []),
        _calibration(evaluation.pk, (steps.get("calibration") or {}).get("bins") or []),
        _by_position(evaluation.pk, figures),
    ]
    return [chart for chart in found if chart]


def _thresholds(number: int, rows: Sequence[dict[str, Any]], figures: Mapping[str, Any]) -> Chart | None:
    """What another threshold would have found, in the figures that something was measured for."""
    if not rows:
        return None
    chosen = figures.get("threshold")
    names = {
        "f1": _("F1"),
        "accuracy_wrong": _("exact where wrong"),
        "accuracy_right": _("nothing named where right"),
    }
    colours = ("plot-a", "plot-b", "plot-c")
    return line_chart(
        f"evaluation-thresholds-{number}",
        _("The threshold"),
        _("F1 and both accuracies by the threshold below which a step is called wrong. Chosen: %(chosen)s.")
        % {"chosen": "–" if chosen is None else f"{chosen:.3f}"},
        [
            Series(title, [(row["threshold"], row[name]) for row in rows], colour)
            for (name, title), colour in zip(names.items(), colours, strict=True)
            if figures.get(name, 0.0) is not None
        ],
        _("threshold"),
        _("share"),
        x_range=(0, 1),
        y_range=(0, 1),
    )


def _best_of_n(number: int, figures: Mapping[str, Any], rules: Sequence[str], title: str) -> Chart | None:
    """Some rules that use scores, beside the plain vote and the oracle: as many lines as there are colours.

    None where only the oracle has rows, as beside weighted votes of solutions without final answers.
    """
    rows = figures.get("rows") or []
    drawn = [rule for rule in (*rules, "majority", "oracle") if any(row["rule"] == rule for row in rows)]
    if set(drawn) <= {"oracle"}:
        return None
    chart = line_chart(
        f"evaluation-{rules[0].replace(' ', '-')}-{number}",
        title,
        _("Share of problems whose chosen solution is right, by the number of solutions to choose from."),
        [
            Series(
                str(RULE_NAMES[rule]),
                [(row["n"], row["accuracy"]) for row in rows if row["rule"] == rule],
                COLOURS[place],
            )
            for place, rule in enumerate(drawn)
        ],
        _("solutions"),
        _("right"),
    )
    return replace(chart, note=_of_fewer(figures))


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
    # In the order of the thresholds: with each false alarm the curve falls, at the recall where it is.
    points = [(row["recall"], row["precision"]) for row in rows if row["recall"]]
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


def _by_position(number: int, figures: Mapping[str, Any]) -> Chart | None:
    rows = figures.get("by_position") or []
    if not rows:
        return None
    bars = [
        (_("none") if row["position"] is None else str(row["position"] + 1), round(100 * row["exact"]))
        for row in rows
    ]
    chart = bar_chart(
        f"evaluation-positions-{number}",
        _("Exact, by where the first mistake is"),
        _("Per cent of solutions whose first mistake is named exactly, by its step."),
        bars,
        _("first mistake"),
        _("per cent exact"),
    )
    return replace(chart, note=_chosen_here(figures))


def _chosen_here(figures: Mapping[str, Any]) -> str:
    """What the reader has to know of shares that stand beside those with the threshold from other problems."""
    if not figures.get("threshold_chosen_here"):
        return ""
    words = _(
        "with the threshold %(threshold)s, which suits these very solutions;"
        " the figures above have the other half's"
    )
    return words % {"threshold": f"{figures['threshold']:.3f}"}
