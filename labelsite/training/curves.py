"""The curves of training runs, drawn one or several to a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from labelsite.autolabels.plots import Chart, Series, line_chart

# The metrics worth a chart, in order; what else a command reports stands in the log.
METRICS = (
    "loss", "validation_loss", "accuracy", "validation_f1", "validation_step_auc", "labelled_steps_per_second",
    "readings_per_second",
)  # fmt: skip
SHARES = ("accuracy", "validation_f1", "validation_step_auc")
COLOURS = ("plot-a", "plot-b", "plot-c", "plot-d", "plot-e")

# The neighbours that a drawn point is the mean of, and the fewest points of a line that is drawn so.
WINDOW = 9
FEWEST_SMOOTHED = 4 * WINDOW

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class RunCurves:
    """One run's name and its metrics by name, each as points (updates, value)."""

    name: str
    metrics: Mapping[str, Points]


def charts(runs: Sequence[RunCurves]) -> list[Chart]:
    """A chart for each metric that a run has; several runs share it, each in its colour."""
    titles = {
        "loss": _("Loss"),
        "accuracy": _("Accuracy on the batch"),
        "labelled_steps_per_second": _("Labelled steps per second"),
        "readings_per_second": _("Readings per second"),
        "validation_loss": _("Loss on the validation split"),
        "validation_f1": _("Validation F1"),
        "validation_step_auc": _("Validation: ROC AUC of steps"),
    }
    drawn = []
    for metric in METRICS:
        known = [
            (run.name, run.metrics[metric], COLOURS[place % len(COLOURS)])
            for place, run in enumerate(runs)
            if run.metrics.get(metric)
        ]
        if not known:
            continue
        # What was reported last, and not the mean of what came before it.
        last = "; ".join(f"{name}: {points[-1][1]:.4g}" for name, points, _css in known)
        chart = line_chart(
            f"curve-{metric}",
            titles[metric],
            _("%(metric)s by update. Last: %(last)s.") % {"metric": titles[metric], "last": last},
            [Series(name, smoothed(points), css) for name, points, css in known],
            _("updates"),
            "",
            y_range=(0, 1) if metric in SHARES else None,
        )
        drawn.append(replace(chart, note=_note([points for _name, points, _css in known])))
    return drawn


def _note(lines: Sequence[Points]) -> str:
    """What the reader has to know of the drawn values and of the table; nothing where they are the reported ones."""
    if all(len(points) < FEWEST_SMOOTHED for points in lines):
        return ""
    return _("In lines of %(fewest)s points or more, each is the mean of %(window)s neighbors.") % {
        "fewest": FEWEST_SMOOTHED,
        "window": WINDOW,
    }


def smoothed(points: Points) -> Points:
    """Each value as the mean of its neighbours, so that the eye sees the course and not each batch's luck."""
    if len(points) < FEWEST_SMOOTHED:
        return points
    half = WINDOW // 2
    values = [value for _, value in points]
    return [
        (x, sum(part := values[max(0, place - half) : place + half + 1]) / len(part))
        for place, (x, _) in enumerate(points)
    ]
