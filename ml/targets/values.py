"""The quality value of steps that no search gave one: from their labels."""

from __future__ import annotations

from collections.abc import Sequence

from ml.quality_value import quality_values


def values_from_labels(labels: Sequence[float | None], wrong: Sequence[bool]) -> list[float | None]:
    """v_k from step labels, for rows whose search left no quality value. wrong[k]: whether step k is wrong.

    A right step's distance to a correct answer is taken as the number of steps still standing in the solution:
    exact for a correct solution (v_k = k / K), an estimate for others. A wrong step has the distance of the last
    right one before it, as in a searched tree. Unlabelled steps, and all behind, have none.
    """
    count = len(labels)
    known = next((k for k, label in enumerate(labels) if label is None), count)
    distances = [count - k - 1 for k in range(known)]
    # A wrong step's own distance is not looked at: from it one has to go back to the last right step.
    values = quality_values([not is_wrong for is_wrong in wrong[:known]], distances, count)
    return values + [None] * (count - known)
