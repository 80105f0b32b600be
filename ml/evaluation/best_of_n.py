"""Best-of-n: which of n sampled solutions does a rule choose, and how often is its answer right?

Rules: the highest score (scores of steps aggregated to one), the vote weighted by scores, the plain vote, a
single sample (pass@1), and the oracle that sees the truth. For each n the figure is the mean over seeded
subsamples without replacement; the interval is a bootstrap over problems, the unit that is really drawn anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.aggregation import AGGREGATIONS, log_product
from ml.agreement import FEWEST_PROBLEMS
from ml.errors import MisstepError

Floats = NDArray[np.float64]
# Whose scores, if any, and which rule reads them.
Choice = tuple[str | None, str]
WEIGHTED_VOTES = tuple(f"vote {how}" for how in AGGREGATIONS)
TIE = 1e-9


@dataclass(frozen=True)
class Pool:
    """One problem's candidates: groups[i] names the answer's class (-1: no answer), right[i] its correctness.

    scores: per source, per candidate, the step scores. problem: the problem's hash, where its text is known.
    """

    id: str
    groups: NDArray[np.int64]
    right: NDArray[np.bool_]
    scores: Mapping[str, Sequence[Sequence[float]]]
    problem: str | None = None


def aggregate(scores: Sequence[float], how: str) -> float:
    """Step scores to one. The product stays a logarithm, so that long solutions do not vanish."""
    if not len(scores):
        return -np.inf if how == "product" else 0.0
    return log_product(scores) if how == "product" else float(AGGREGATIONS[how](scores))


def vote_weights(aggregated: Floats, how: str) -> Floats:
    """What each candidate's vote weighs: its aggregated score, for the product as a share of the largest one."""
    if how != "product":
        return np.maximum(aggregated, 0.0)
    largest = aggregated.max(initial=-np.inf)
    # Products of many steps are all next to nothing, and only their ratios decide a vote.
    return np.exp(aggregated - largest) if np.isfinite(largest) else np.zeros_like(aggregated)


def table(
    pools: Sequence[Pool],
    sizes: Sequence[int],
    subsamples: int = 32,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, object]]:
    """Rows {source, rule, n, accuracy, low, high}: means over subsamples, 95 % bootstrap over problems.

    A size is judged on the problems that have as many candidates; `problems` says how many, where some have fewer than
    others. All rules of one size see the same problems and the same subsamples. There is no row of a vote where no
    candidate has an answer: nobody knows what it would have chosen.
    """
    sources = sorted({name for pool in pools for name in pool.scores})
    is_uneven = len({len(pool.right) for pool in pools}) > 1
    rows: list[dict[str, object]] = []
    for size in sizes:
        judged = [pool for pool in pools if len(pool.right) >= size]
        if not judged:
            raise MisstepError(f"no problem has {size} candidates, expected at least one that has")
        rules = _rules(judged, sources)
        draws = _draws(len(judged), resamples, seed)
        # One generator per size: adding a size does not change the others' subsamples.
        generator = np.random.default_rng([seed, 0, size])
        hits = np.stack([_pool_hits(pool, rules, size, subsamples, generator) for pool in judged])
        for column, (source, rule) in enumerate(rules):
            values = hits[:, column]
            means = np.array([values[draw].mean() for draw in draws])
            rows.append(
                {
                    "source": source,
                    "rule": rule,
                    "n": size,
                    "accuracy": float(values.mean()),
                    "low": float(np.quantile(means, 0.025)),
                    "high": float(np.quantile(means, 0.975)),
                    **({"problems": len(judged)} if is_uneven else {}),
                }
            )
    return rows


def _rules(pools: Sequence[Pool], sources: Sequence[str]) -> list[Choice]:
    votes: list[Choice] = [(None, "majority")] if _has_votes(pools) else []
    alone: list[Choice] = [(None, "pass@1"), *votes, (None, "oracle")]
    return alone + [(source, rule) for source in sources for rule in _rules_of_scores(pools)]


def _rules_of_scores(pools: Sequence[Pool]) -> tuple[str, ...]:
    return (*AGGREGATIONS, *WEIGHTED_VOTES) if _has_votes(pools) else tuple(AGGREGATIONS)


def _has_votes(pools: Sequence[Pool]) -> bool:
    return any((pool.groups >= 0).any() for pool in pools)


def sizes_of(pools: Sequence[Pool]) -> list[int]:
    """The n to judge: powers of two up to the largest pool, and the smallest and the largest pool's own sizes."""
    counts = [len(pool.right) for pool in pools]
    return sorted({2**k for k in range(max(counts).bit_length())} | {min(counts), max(counts)})


def _draws(count: int, resamples: int, seed: int) -> list[NDArray[np.int64]]:
    """Bootstrap samples of so many problems, the same ones for every size that judges as many."""
    picked = np.random.default_rng([seed, 1])
    return [picked.integers(0, count, count) for _ in range(resamples)]


def differences_by_rule(pools: Sequence[Pool], first: str, second: str, seed: int) -> list[dict[str, Any]]:
    """How much more often one source's choice is right than another's, by each rule that reads scores.

    Each chooses among all candidates of a problem. The 95 % interval is a bootstrap over problems: what makes one easy
    for both falls out, so it is narrower than two intervals side by side.
    """
    rules = _rules_of_scores(pools)
    choices = [(source, rule) for source in (first, second) for rule in rules]
    hits = hits_among_all(pools, choices, np.random.default_rng([seed, 2]))
    gains = hits[:, : len(rules)] - hits[:, len(rules) :]
    # Of few problems an interval may have no width, and would seem to show more than chance.
    untold = {"low": None, "high": None} if len(pools) < FEWEST_PROBLEMS else {}
    # The same problems are drawn for every rule.
    return [
        {"rule": rule, **with_interval(gains[:, column], np.random.default_rng([seed, 3])), **untold}
        for column, rule in enumerate(rules)
    ]


def hits_among_all(
    pools: Sequence[Pool], choices: Sequence[Choice], generator: np.random.Generator
) -> Floats:
    """How often each choice among all candidates of a problem is right; shape [problems, choices]."""
    return np.stack([_pool_hits(pool, choices, len(pool.right), 1, generator) for pool in pools])


def with_interval(gains: Floats, generator: np.random.Generator) -> dict[str, float]:
    """The mean gain over problems, and the 95 % bootstrap interval of it; gains: shape [problems]."""
    draws = generator.integers(0, len(gains), (1000, len(gains)))
    low, high = np.quantile(gains[draws].mean(1), (0.025, 0.975))
    return {"difference": float(gains.mean()), "low": float(low), "high": float(high)}


def _pool_hits(
    pool: Pool,
    rules: Sequence[Choice],
    size: int,
    subsamples: int,
    generator: np.random.Generator,
) -> Floats:
    """How often each rule is right on one problem, over subsamples of `size` candidates; shape [rules]."""
    count = len(pool.right)
    size = min(size, count)
    repeats = 1 if size == count else subsamples
    aggregated = {
        (source, how): np.array([aggregate(steps, how) for steps in pool.scores[source]])
        for source in pool.scores
        for how in AGGREGATIONS
    }
    hits = np.zeros(len(rules))
    for _ in range(repeats):
        chosen = generator.permutation(count)[:size]
        for column, (source, rule) in enumerate(rules):
            hits[column] += _is_hit(pool, chosen, source, rule, aggregated)
    return hits / repeats


def _is_hit(
    pool: Pool,
    chosen: NDArray[np.int64],
    source: str | None,
    rule: str,
    aggregated: Mapping[tuple[str, str], Floats],
) -> float:
    if rule == "pass@1":
        return float(pool.right[chosen].mean())
    if rule == "oracle":
        return float(pool.right[chosen].any())
    # A candidate without an answer has no vote.
    voters = chosen[pool.groups[chosen] >= 0]
    if rule == "majority":
        return _vote(pool, voters, np.ones(len(voters)))
    if not pool.scores and not len(voters):
        # Empty samples alone: nothing could be scored, and nothing is right.
        return 0.0
    if source is None or source not in pool.scores:
        raise MisstepError(f"problem {pool.id}: no scores of {source}, expected those that others have")
    how = rule.removeprefix("vote ")
    if rule.startswith("vote "):
        return _vote(pool, voters, vote_weights(aggregated[source, how][voters], how))
    # As solving chooses: one without an answer is never given. Where none has one, files may not name them.
    eligible = voters if len(voters) else chosen
    values = aggregated[source, how][eligible]
    # Equal scores are as good as each other: take the mean over the tied, not the first in the file.
    return float(pool.right[eligible][values == values.max()].mean())


def _vote(pool: Pool, voters: NDArray[np.int64], weights: Floats) -> float:
    """The heaviest answer's correctness (ties share)."""
    groups = pool.groups[voters]
    names = np.unique(groups)
    if not len(names):
        return 0.0
    totals = np.array([weights[groups == name].sum() for name in names])
    # Relative, because weights may all be small; sums in another order differ in their last digits.
    best = names[totals >= totals.max() * (1 - TIE)]
    return float(np.mean([pool.right[voters][groups == name].mean() for name in best]))
