"""A search's estimates of one solution, as a snapshot row keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ml.records import SolutionEstimate

SERIES = ("visits", "correct", "q_value", "hard", "soft", "quality_value")


def series_of(estimate: SolutionEstimate) -> dict[str, Any]:
    """One list for each kind of estimate, with an entry for each step; and the search's method, where it is known."""
    series = {name: [getattr(step, name) for step in estimate.steps] for name in SERIES}
    return {**series, **({"method": estimate.method} if estimate.method else {})}


def series_from(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same from what is known of each step. One that no rollout went through was visited 0 times; everything else
    of it is unknown.
    """
    series: dict[str, Any] = {name: [step.get(name) for step in steps] for name in SERIES}
    for name in ("visits", "correct"):
        series[name] = [value or 0 for value in series[name]]
    return series
