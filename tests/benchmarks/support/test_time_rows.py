"""Rows of test-time search: which problems a method got right and what it cost, of all problems or of a part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.agreement import bootstrap_interval, wilson_interval

PLAIN = "self-consistency"
COSTS = {"tokens": 0, "model_calls": 1, "seconds": 3}


def row(
    level: int, method: str, right: Sequence[bool], plain: Sequence[bool], costs: dict[str, float]
) -> dict[str, Any]:
    """One method at one level. plain: what self-consistency got right of the same problems. costs: a problem's."""
    return {
        "level": level,
        "method": method,
        "problems": len(right),
        "accuracy": round(sum(right) / len(right), 3),
        "interval": [round(end, 3) for end in wilson_interval(sum(right), len(right))],
        "over_self_consistency": _difference(right, plain),
        **{name: round(costs[name], digits or None) for name, digits in COSTS.items()},
        "right": "".join("01"[one] for one in right),
    }


def plain_vote(rows: Iterable[dict[str, Any]], level: int, problems: int) -> list[bool]:
    """Which of a level's problems self-consistency, the first of its rows, got right; none where it is not there."""
    found = (r for r in rows if (r["level"], r["problems"], r["method"]) == (level, problems, PLAIN))
    return next((_right(row) for row in found), [])


def joined(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """The rows of tables that were measured on parts of the problems, given in the problems' order.

    Raises ValueError where one of them has no row for a method that another one has.
    """
    tables = [json.loads(path.read_text(encoding="utf-8"))["rows"] for path in paths]
    by_key = [{(r["level"], r["method"]): r for r in rows} for rows in tables]
    for path, known in zip(paths, by_key, strict=True):
        if known.keys() != by_key[0].keys():
            raise ValueError(f"{path}: other rows than {paths[0]}, expected the same methods and levels")
    found: list[dict[str, Any]] = []
    for level, method in by_key[0]:
        parts = [known[level, method] for known in by_key]
        right = [one for part in parts for one in _right(part)]
        costs = {
            name: float(np.average([p[name] for p in parts], weights=[p["problems"] for p in parts]))
            for name in COSTS
        }
        found.append(row(level, method, right, plain_vote(found, level, len(right)) or right, costs))
    return found


def _right(row: dict[str, Any]) -> list[bool]:
    return [one == "1" for one in row["right"]]


def _difference(right: Sequence[bool], base: Sequence[bool]) -> list[float]:
    """The mean paired difference and its 95 % bootstrap interval over problems."""
    pairs = np.asarray(right, float) - np.asarray(base, float)
    ends = bootstrap_interval(lambda drawn: float(drawn.mean()), pairs)
    return [round(value, 3) for value in (float(pairs.mean()), *(ends or ()))]
