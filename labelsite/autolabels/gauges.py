"""Q as a gauge shows it: every page that draws one draws the same step alike."""

from __future__ import annotations

from ml.search.tree import lowest_q


def share_of_range(q_value: float | None, method: str) -> float | None:
    """Q as a share of the method's range."""
    lowest = lowest_q(method)
    return None if q_value is None else (q_value - lowest) / (1 - lowest)
