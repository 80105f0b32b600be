"""ReST-MCTS*'s quality value: how far along, and how surely, a partial solution is (arXiv 2406.03816, section
3.2).
"""

from __future__ import annotations

from collections.abc import Sequence


def weighted_reward(previous: float, distance: int, wrong: bool) -> float:
    """w_k = (1 - v_(k-1)) / (m_k + 1) * (1 - 2 r_k); `distance` is m_k, the steps still missing after step
    k.
    """
    return (1.0 - previous) / (distance + 1) * (-1.0 if wrong else 1.0)


def next_value(previous: float, distance: int, wrong: bool) -> float:
    """v_k = max(v_(k-1) + w_k, 0)."""
    return max(previous + weighted_reward(previous, distance, wrong), 0.0)


def quality_values(
    correct: Sequence[bool | None], distances: Sequence[int | None], root_distance: int | None
) -> list[float | None]:
    """v_k for the steps of one path, from v_0 = 0.

    correct[k]: whether a correct answer was reached through step k, None where nothing is known of it: then a right
    step behind it, which gives it a distance, proves it right, and without one it ends what is known. distances[k]:
    m_k, None where unknown. A wrong step takes the distance of its nearest ancestor that has one, as the paper's
    inference from a pruned tree does; `root_distance` is that of the bare problem. Without any, the path's values
    stay unknown.
    """
    values: list[float | None] = []
    value, inherited = 0.0, root_distance
    for is_correct, distance in zip(correct, distances, strict=True):
        if is_correct is not False and distance is not None:
            inherited = distance
        # Where no ancestor ever led to a correct answer, the paper prunes the branch.
        if inherited is None or (is_correct is None and distance is None):
            return values + [None] * (len(correct) - len(values))
        value = next_value(value, inherited, wrong=is_correct is False)
        values.append(value)
    return values
