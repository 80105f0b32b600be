"""Best of n by several models on the same problems, each against the majority and against other models.

Models of several seeds count as their mean: what one training happens to give is not what its labels are worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from ml.evaluation.best_of_n import Choice, Pool, hits_among_all, table, with_interval
from ml.evaluation.pools import read_pools, read_scores

RULES = ("product", "minimum", "mean", "last")
SIZES = (4, 16, 64)
MAJORITY: tuple[Choice, ...] = ((None, "majority"),)
# Their score of a solution is that of its end, whatever suits the development pool.
OUTCOMES = ("outcome", "outcome at every step")
# The file of a model's scores of a file of solutions, by the model's kind of label and its seed.
Scores = Callable[[str, int, Path], Path]


def best_of_n(
    runs: Sequence[str],
    seeds: Sequence[int],
    test: Path,
    development: Path,
    scores: Scores,
    against: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """Best of all samples of a problem: each model's aggregation is the best one on the development pool.

    against: what a run is compared with, problem by problem, where that is among the runs; each is with the outcome
    models.
    """
    pools, others = (_pools(path, runs, seeds, scores) for path in (test, development))
    size = min(len(pool.right) for pool in pools)
    figures = {(row["source"], row["rule"]): row for row in table(pools, [size])}
    by_size = {
        (row["source"], row["rule"], row["n"]): float(str(row["accuracy"]))
        for row in table(pools, SIZES, resamples=2)
    }
    plain = {rule: _interval(figures[None, rule]) for rule in ("pass@1", "majority", "oracle")}
    majority = {str(n): round(by_size[None, "majority", n], 4) for n in SIZES}
    found: dict[str, Any] = {
        "problems": len(pools), "n": size, "seeds": list(seeds), "without scores": plain,
        "majority by n": majority, "models": {},
    }  # fmt: skip
    rules = {run: "last" if run.startswith("outcome") else _best_rule(others, run, seeds) for run in runs}
    for run, rule in rules.items():
        chosen = _choices(run, seeds, rule)
        votes = _choices(run, seeds, f"vote {rule}")
        by_seed = [_interval(figures[choice]) for choice in chosen]
        rows: dict[str, Any] = {"aggregation": rule, "by seed": by_seed}
        rows["accuracy"] = round(fmean(seed["accuracy"] for seed in by_seed), 4)
        rows["over majority"] = _rounded(paired_difference(pools, chosen, MAJORITY))
        rows["weighted vote"] = round(fmean(float(str(figures[vote]["accuracy"])) for vote in votes), 4)
        rows["weighted vote over majority"] = _rounded(paired_difference(pools, votes, MAJORITY))
        # How the choice changes with what there is to choose from.
        rows["by n"] = {
            str(n): round(fmean(by_size[source, rule, n] for source, _ in chosen), 4) for n in SIZES
        }
        for other in (*OUTCOMES, *against.get(run, ())):
            if other in runs and run != other:
                less, its_votes = (
                    _choices(other, seeds, name) for name in (rules[other], f"vote {rules[other]}")
                )
                rows[f"over {other}"] = _rounded(paired_difference(pools, chosen, less))
                rows[f"weighted vote over {other}'s"] = _rounded(paired_difference(pools, votes, its_votes))
        found["models"][run] = rows
    return found


def paired_difference(
    pools: Sequence[Pool], first: Sequence[Choice], second: Sequence[Choice]
) -> dict[str, float]:
    """How much more often one choice is right than another, among all candidates of each problem.

    Several choices on one side, as models of several seeds make, count as their mean. The 95 % interval is a bootstrap
    over problems that both sides judge: what makes a problem easy for both falls out, so it is narrower than two
    intervals side by side.
    """
    generator = np.random.default_rng([0, 2])
    hits = hits_among_all(pools, (*first, *second), generator)
    return with_interval(hits[:, : len(first)].mean(1) - hits[:, len(first) :].mean(1), generator)


def source_of(run: str, seed: int) -> str:
    """A model's name among others."""
    return f"{run} {seed}"


def _choices(run: str, seeds: Sequence[int], rule: str) -> list[Choice]:
    return [(source_of(run, seed), rule) for seed in seeds]


def _pools(path: Path, runs: Sequence[str], seeds: Sequence[int], scores: Scores) -> list[Pool]:
    """The file's problems with every model's scores."""
    merged: dict[str, Pool] = {}
    for run in runs:
        for seed in seeds:
            read = read_scores(scores(run, seed, path))
            for pool in read_pools(path, {source_of(run, seed): read}):
                earlier = merged.get(pool.id)
                merged[pool.id] = replace(pool, scores={**(earlier.scores if earlier else {}), **pool.scores})
    return list(merged.values())


def _best_rule(pools: Sequence[Pool], run: str, seeds: Sequence[int]) -> str:
    size = min(len(pool.right) for pool in pools)
    accuracy = {
        (row["source"], str(row["rule"])): float(str(row["accuracy"]))
        for row in table(pools, [size], resamples=2)
    }
    return max(RULES, key=lambda rule: fmean(accuracy[choice] for choice in _choices(run, seeds, rule)))


def _interval(row: dict[str, Any]) -> dict[str, float]:
    return _rounded({name: row[name] for name in ("accuracy", "low", "high")})


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}
