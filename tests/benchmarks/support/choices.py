"""Best of n by several models on the same problems, each against the majority and against the outcome model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.evaluation.best_of_n import Pool, paired_difference, table
from ml.evaluation.pools import known_scores, read_pools, read_scores

RULES = ("product", "minimum", "mean", "last")
SIZES = (4, 16, 64)
# The file of a model's scores of a file of solutions.
Scores = Callable[[str, Path], Path]


def best_of_n(runs: Sequence[str], test: Path, development: Path, scores: Scores) -> dict[str, Any]:
    """Best of all samples of a problem: each model's aggregation is the best one on the development pool."""
    pools, others = (_pools(path, runs, scores) for path in (test, development))
    size = min(len(pool.right) for pool in pools)
    figures = {(row["source"], row["rule"]): row for row in table(pools, [size])}
    by_size = {
        (row["source"], row["rule"], row["n"]): float(str(row["accuracy"]))
        for row in table(pools, SIZES, resamples=2)
    }
    plain = {rule: _interval(figures[None, rule]) for rule in ("pass@1", "majority", "oracle")}
    majority = {str(n): round(by_size[None, "majority", n], 4) for n in SIZES}
    found: dict[str, Any] = {
        "problems": len(pools), "n": size, "without scores": plain, "majority by n": majority, "models": {},
    }  # fmt: skip
    for run in runs:
        rule = "last" if run.startswith("outcome") else _best_rule(others, run)
        rows: dict[str, Any] = {"aggregation": rule, **_interval(figures[run, rule])}
        rows["over majority"] = _rounded(paired_difference(pools, (run, rule), (None, "majority")))
        vote = f"vote {rule}"
        rows["weighted vote"] = _interval(figures[run, vote])
        rows["weighted vote over majority"] = _rounded(
            paired_difference(pools, (run, vote), (None, "majority"))
        )
        # How the choice changes with what there is to choose from.
        rows["by n"] = {str(n): round(by_size[run, rule, n], 4) for n in SIZES}
        if "outcome" in runs and run != "outcome":
            rows["over outcome"] = _rounded(paired_difference(pools, (run, rule), ("outcome", "last")))
        found["models"][run] = rows
    return found


def _pools(path: Path, runs: Sequence[str], scores: Scores) -> list[Pool]:
    """The file's problems with every model's scores."""
    by_run = {run: read_scores(scores(run, path)) for run in runs}
    merged: dict[str, Pool] = {}
    for run, read in by_run.items():
        for pool in read_pools(path, known_scores(read), run):
            earlier = merged.get(pool.id)
            merged[pool.id] = replace(pool, scores={**(earlier.scores if earlier else {}), **pool.scores})
    return list(merged.values())


def _best_rule(pools: Sequence[Pool], run: str) -> str:
    size = min(len(pool.right) for pool in pools)
    rows = [row for row in table(pools, [size], resamples=2) if row["source"] == run and row["rule"] in RULES]
    return str(max(rows, key=lambda row: float(str(row["accuracy"])))["rule"])


def _interval(row: dict[str, Any]) -> dict[str, float]:
    return _rounded({name: row[name] for name in ("accuracy", "low", "high")})


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
