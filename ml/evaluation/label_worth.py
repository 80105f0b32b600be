"""Learning curves of human and automatic labels, and what one more human label is worth in automatic ones.

A curve is a model's quality by how many solutions were labelled. What n human labels are worth is read off the
automatic curve: how many automatic labels, and so how many rollouts, reach the quality that n human labels reach. Both
curves are made monotone first (isotonic regression: more labels are never worth less), and between measured points
they are straight in the logarithm of the labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, pairwise
from statistics import fmean, stdev
from typing import Any

Point = Mapping[str, Any]
MEASURES = ("f1", "step_auc")
HUMAN, AUTOMATIC = "human", "automatic"


def curves(points: Iterable[Point]) -> dict[str, list[dict[str, Any]]]:
    """Each kind of labels with one row a size: means over the seeds, and their standard deviations."""
    ordered = sorted(points, key=_place)
    return {
        kind: [_mean_of(list(runs)) for _, runs in groupby(of_kind, key=_place)]
        for kind, of_kind in groupby(ordered, key=lambda point: str(point["labels"]))
    }


def _place(point: Point) -> tuple[str, int]:
    return point["labels"], point["size"]


def _mean_of(runs: Sequence[Point]) -> dict[str, Any]:
    row: dict[str, Any] = {"labels": runs[0]["labels"], "size": runs[0]["size"], "seeds": len(runs)}
    for name in MEASURES:
        found = [run[name] for run in runs if run[name] is not None]
        row[name] = fmean(found) if found else None
        row[f"{name}_spread"] = stdev(found) if len(found) > 1 else None
    spent = [run["rollouts"] for run in runs]
    return {**row, "rollouts": None if None in spent else fmean(spent)}


def worth(points: Sequence[Point], measure: str = "f1") -> list[dict[str, Any]]:
    """For each number of human labels how many automatic labels and rollouts reach the same; empty without both kinds.

    `reached` is `within` the automatic curve, `above` it (never reached), or `below` its smallest size. `by_seed` has
    the rollouts a label (without known rollouts, the automatic labels a label) by each seed's own curves: None where
    they do not meet.
    """
    rows = _worth_by(curves(points), measure)
    seeds = sorted({point["seed"] for point in points})
    alone = [_worth_by(curves(point for point in points if point["seed"] == seed), measure) for seed in seeds]
    for row in rows:
        own = [one for of_seed in alone for one in of_seed if one["human_labels"] == row["human_labels"]]
        name = "automatic_per_label" if row["rollouts_per_label"] is None else "rollouts_per_label"
        row["by_seed"] = [one[name] for one in own]
    return rows


def _worth_by(found: Mapping[str, Sequence[Point]], measure: str) -> list[dict[str, Any]]:
    people = [row for row in found.get(HUMAN, ()) if row[measure] is not None]
    search = [row for row in found.get(AUTOMATIC, ()) if row[measure] is not None]
    if not people or not search:
        return []
    levels, reached = rising([row[measure] for row in people]), rising([row[measure] for row in search])
    rows = []
    for row, level in zip(people, levels, strict=True):
        labels = reaching([one["size"] for one in search], reached, level)
        spent = [one["rollouts"] for one in search]
        rollouts = None if None in spent or 0 in spent else reaching(spent, reached, level)
        rows.append(
            {
                "human_labels": row["size"],
                measure: level,
                "reached": "within" if labels is not None else "above" if level > reached[-1] else "below",
                "automatic_labels": labels,
                "automatic_per_label": _per(labels, row["size"]),
                "rollouts": rollouts,
                "rollouts_per_label": _per(rollouts, row["size"]),
            }
        )
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        for unit in ("automatic_labels", "rollouts"):
            row[f"next_label_in_{unit}"] = following and _slope(row, following, unit)
    return rows


def _per(amount: float | None, labels: int) -> float | None:
    return None if amount is None else amount / labels


def _slope(row: Point, following: Point, unit: str) -> float | None:
    if row[unit] is None or following[unit] is None:
        return None
    return float((following[unit] - row[unit]) / (following["human_labels"] - row["human_labels"]))


def rising(values: Sequence[float]) -> list[float]:
    """The closest sequence that never falls (pooling adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        total, count = value, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            before = pools.pop()
            total, count = total + before[0], count + before[1]
        pools.append((total, count))
    return [total / count for total, count in pools for _ in range(count)]


def reaching(amounts: Sequence[float], levels: Sequence[float], level: float) -> float | None:
    """The smallest amount at which a rising curve has this level, straight in its logarithm; None beyond both ends."""
    if level == levels[0]:
        return float(amounts[0])
    for (before, low), (after, high) in pairwise(zip(amounts, levels, strict=True)):
        if low < level <= high:
            return float(before * (after / before) ** ((level - low) / (high - low)))
    return None
