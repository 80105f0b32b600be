"""The quality value v_k of ReST-MCTS* (arXiv 2406.03816, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence


def quality_values(wrong: Sequence[bool], distances: Sequence[int]) -> list[float]:
    """v_k for a chain of steps; shape [K], values in [0, 1].

    wrong[k]: whether step k is wrong (r_k). distances[k]: the fewest further steps from step k to a correct
    answer (m_k). v_0 = 0; w_k = (1 - v_(k-1)) / (m_k + 1) * (1 - 2 r_k); v_k = max(v_(k-1) + w_k, 0).
    """
    value, values = 0.0, []
    for is_wrong, distance in zip(wrong, distances, strict=True):
        value = max(value + (1.0 - value) / (distance + 1) * (-1.0 if is_wrong else 1.0), 0.0)
        values.append(value)
    return values


def values_from_labels(labels: Sequence[float | None], wrong: Sequence[bool]) -> list[float | None]:
    """v_k from step labels, for rows whose search left no quality value. wrong[k]: whether step k is wrong.

    A right step's distance to a correct answer is taken as the number of steps still standing in the solution:
    exact for a correct solution (v_k = k / K), an estimate for others. A wrong step has the distance of the last
    right one before it, as in a searched tree. Unlabelled steps, and all behind, have none.
    """
    known = next((k for k, label in enumerate(labels) if label is None), len(labels))
    distance, distances = len(labels), []
    for k, is_wrong in enumerate(wrong[:known]):
        # A wrong step leads nowhere: from it one has to go back to the last right step.
        distance = distance if is_wrong else len(labels) - k - 1
        distances.append(distance)
    values: list[float | None] = list(quality_values(wrong[:known], distances))
    return values + [None] * (len(labels) - known)
