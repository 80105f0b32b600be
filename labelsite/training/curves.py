"""The curves of training runs: read from what the job reported, drawn one or several to a chart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from labelsite.autolabels.plots import Chart, Series, line_chart

# The metrics worth a chart, in order; what else a command reports stands in the log.
METRICS = ("loss", "accuracy", "labelled_steps_per_second")
COLOURS = ("plot-a", "plot-b", "plot-c", "plot-d", "plot-e")

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class RunCurves:
    """One run's name and its metrics by name, each as points (updates, value)."""

    name: str
    metrics: Mapping[str, Points]


def read_curves(path: Path) -> dict[str, Points]:
    """The metrics in a job's progress.jsonl; {} when there is none yet.

    A resumed attempt goes over some updates again: the later report of an update is the one that counts.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, dict[float, float]] = {}
    for line in lines:
        try:
            report = json.loads(line)
        except ValueError:
            # The last line may be half-written.
            continue
        for name, value in (report.get("metrics") or {}).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found.setdefault(name, {})[float(report.get("done") or 0)] = float(value)
    return {name: sorted(points.items()) for name, points in found.items()}


def charts(runs: Sequence[RunCurves]) -> list[Chart]:
    """A chart for each metric that a run has; several runs share it, each in its colour."""
    titles = {
        "loss": _("Loss"),
        "accuracy": _("Accuracy on the batch"),
        "labelled_steps_per_second": _("Labelled steps per second"),
    }
    drawn = []
    for metric in METRICS:
        series = [
            Series(run.name, smoothed(run.metrics[metric]), COLOURS[place % len(COLOURS)])
            for place, run in enumerate(runs)
            if run.metrics.get(metric)
        ]
        if not series:
            continue
        last = "; ".join(f"{each.name}: {each.points[-1][1]:.4g}" for each in series)
        drawn.append(
            line_chart(
                f"curve-{metric}",
                titles[metric],
                _("%(metric)s by update. Last: %(last)s.") % {"metric": titles[metric], "last": last},
                series,
                _("updates"),
                "",
                y_range=(0, 1) if metric == "accuracy" else None,
            )
        )
    return drawn


def smoothed(points: Points, window: int = 9) -> Points:
    """Each value as the mean of its neighbours, so that the eye sees the course and not each batch's luck."""
    if len(points) < 4 * window:
        return points
    half = window // 2
    values = [value for _, value in points]
    return [
        (x, sum(part := values[max(0, place - half) : place + half + 1]) / len(part))
        for place, (x, _) in enumerate(points)
    ]
