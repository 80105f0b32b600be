"""Q as a gauge shows it: every page that draws one draws the same step alike."""

from __future__ import annotations


def share_of_range(q_value: float | None, soft: float | None) -> float | None:
    """Q as a share of its range, which begins at -1 for rStar and at 0 for the other methods.

    `soft`, the share of right rollouts, is the Q of those others, and so tells the two apart.
    """
    if q_value is None or soft is None:
        return None
    is_signed = abs(q_value - soft) > 1e-6
    return (q_value + 1) / 2 if is_signed else q_value
