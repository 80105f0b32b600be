"""A search's estimates of one solution, as a snapshot row keeps them."""

from __future__ import annotations

from typing import Any

from ml.records import SolutionEstimate

SERIES = ("visits", "correct", "q_value", "hard", "soft", "quality_value")


def series_of(estimate: SolutionEstimate) -> dict[str, Any]:
    """One list for each kind of estimate, with an entry for each step; and the search's method, where it is known."""
    series = {name: [getattr(step, name) for step in estimate.steps] for name in SERIES}
    return {**series, **({"method": estimate.method} if estimate.method else {})}
