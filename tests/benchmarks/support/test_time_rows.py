"""Rows of test-time search: which problems a method got right and what it cost, of all problems or of a part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml.agreement import bootstrap_intervals, wilson_interval
from tests.benchmarks.support.vote_curve import Floats, VoteCurve, curve_of, joined_pool, read_pool

PLAIN = "self-consistency"
COSTS = {"tokens": 0, "model_calls": 1, "seconds": 3}


def row(
    level: int,
    method: str,
    right: Sequence[bool],
    without_answer: int | None,
    costs: Mapping[str, float],
    rows: Iterable[Mapping[str, Any]],
    curve: VoteCurve,
    size: int,
) -> dict[str, Any]:
    """One method at one level. without_answer: how many problems it left without one, None where nobody counted.
    costs: a problem's. rows: those that are there, self-consistency's of each level before the level's others. size:
    samples, candidates, iterations or trees.
    """
    measured = {
        "level": level,
        "method": method,
        "size": size,
        "problems": len(right),
        "accuracy": round(sum(right) / len(right), 3),
        "interval": [round(end, 3) for end in wilson_interval(sum(right), len(right))],
        "without_answer": None if without_answer is None else round(without_answer / len(right), 3),
        **{name: round(costs[name], digits or None) for name, digits in COSTS.items()},
        "right": "".join("01"[one] for one in right),
    }
    plain = [one for one in (*rows, measured) if one["method"] == PLAIN and one["problems"] == len(right)]
    for one in plain:
        curve = curve.with_vote(one["size"], right_of(one))
    spent = next(one["tokens"] for one in plain if one["level"] == level)
    vote = curve.at(costs["tokens"])
    return measured | {
        "tokens_over_self_consistency": round(costs["tokens"] / spent, 2),
        "vote_of_same_tokens": round(float(vote.mean()), 3),
        "over_vote_of_same_tokens": _difference(right, vote),
    }


def joined(paths: Sequence[Path]) -> dict[str, Any]:
    """The pool and the rows of tables that were measured on parts of the problems, given in the problems' order.

    Raises ValueError where one of them has no row for a method that another one has.
    """
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    by_key = [{(r["level"], r["method"]): r for r in table["rows"]} for table in tables]
    for path, known in zip(paths, by_key, strict=True):
        if known.keys() != by_key[0].keys():
            raise ValueError(f"{path}: other rows than {paths[0]}, expected the same methods and levels")
    pool = joined_pool([read_pool(table["pool"]) for table in tables])
    curve = curve_of(pool)
    found: list[dict[str, Any]] = []
    for level, method in by_key[0]:
        parts = [known[level, method] for known in by_key]
        right = [one for part in parts for one in right_of(part)]
        counts = [part["problems"] for part in parts]
        costs = {name: float(np.average([p[name] for p in parts], weights=counts)) for name in COSTS}
        without = _without_answer(parts)
        whole = row(level, method, right, without, costs, found, curve, parts[0]["size"])
        found.append(whole | _repeated([part["repeated"] for part in parts if "repeated" in part]))
    return {"pool": pool.as_json(), "rows": found}


def _without_answer(parts: Sequence[Mapping[str, Any]]) -> int | None:
    """How many problems of all parts have no answer; None where nobody counted those of one of them."""
    shares = [part["without_answer"] for part in parts]
    if any(share is None for share in shares):
        return None
    return sum(round(share * part["problems"]) for share, part in zip(shares, parts, strict=True))


def _repeated(notes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the parts' rows say of problems that were searched once more: how many, and how many of them came out the
    same. Nothing where no row says anything.
    """
    if not notes:
        return {}
    sums = {name: sum(note[name] for note in notes) for name in ("problems", "same")}
    without = _without_answer(notes)
    share = None if without is None else round(without / sums["problems"], 3)
    return {"repeated": {**sums, "without_answer": share}}


def right_of(row: Mapping[str, Any]) -> list[bool]:
    """Which problems a row got right."""
    return [one == "1" for one in row["right"]]


def _difference(right: Sequence[bool], base: Floats) -> list[float]:
    """The mean paired difference and its 95 % bootstrap interval over problems."""
    pairs = np.asarray(right, float) - np.asarray(base, float)
    ends = bootstrap_intervals(lambda drawn: [float(drawn.mean())], pairs)[0]
    return [round(value, 3) for value in (float(pairs.mean()), *(ends or ()))]
