"""Intervals: Wilson's against published values, the bootstrap against what it must cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import agreement


# Newcombe, "Two-sided confidence intervals for the single proportion" (1998), table I, method 3.
@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_s_interval_has_the_published_values(successes, count, low, high):
    assert agreement.wilson_interval(successes, count) == pytest.approx((low, high), abs=5e-5)


def test_no_observation_leaves_everything_open():
    assert agreement.wilson_interval(0, 0) == (0.0, 1.0)


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_s_interval_equals_scipy(drawn):
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.binomtest(*drawn).proportion_ci(method="wilson")
    assert agreement.wilson_interval(*drawn) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_an_interval_of_looks_covers_the_share_where_looks_at_one_solution_agree():
    draws = np.random.default_rng(5)
    groups = np.repeat(np.arange(100), 3)
    covered = {"clustered": 0, "as if independent": 0}
    for _ in range(300):
        # All three who look at a solution agree with the machine, or none does, in two of three solutions.
        together, own = draws.random(100) < 0.7, draws.random(300) < 0.7
        hits = np.where(np.repeat(draws.random(100) < 2 / 3, 3), np.repeat(together, 3), own)
        for name, (low, high) in (
            ("clustered", agreement.clustered_interval(hits, groups)),
            ("as if independent", agreement.wilson_interval(int(hits.sum()), 300)),
        ):
            covered[name] += low <= 0.7 <= high
    assert covered["clustered"] >= 0.92 * 300 and covered["as if independent"] < 0.85 * 300


def test_looks_that_all_hit_count_once_a_solution_and_opposite_ones_for_no_more_than_they_are():
    assert agreement.clustered_interval([1, 1, 1, 1], [4, 4, 7, 7]) == agreement.wilson_interval(2, 2)
    assert agreement.clustered_interval([1, 0, 1, 0], [4, 4, 7, 7]) == agreement.wilson_interval(2, 4)
    assert agreement.clustered_interval([], []) == (0.0, 1.0)


def test_looks_at_few_solutions_count_for_no_more_than_those_few_can_tell():
    # Of two solutions the variance between them is guessed from two numbers.
    assert agreement.clustered_interval([1, 1, 0, 0], [0, 0, 1, 1]) == agreement.wilson_interval(2 / 3, 4 / 3)
    assert agreement.clustered_interval([1, 1, 0], [5, 5, 5]) == agreement.wilson_interval(2 / 3, 1)
    assert agreement.clustered_interval([1, 0, 1], [0, 1, 2]) == pytest.approx(
        agreement.wilson_interval(2, 3)
    )


def mean_interval(values, **options):
    found = agreement.bootstrap_intervals(lambda drawn: [float(drawn.mean())], values, **options)
    return found[0]


def test_the_bootstrap_of_a_mean_is_near_the_normal_interval_and_repeatable():
    values = np.random.default_rng(1).normal(5, 2, size=400)
    interval = mean_interval(values, seed=3)
    assert interval is not None
    half = 1.96 * values.std() / 20
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.06)
    assert interval == mean_interval(values, seed=3)
    assert interval != mean_interval(values, seed=4)


def test_columns_are_drawn_together():
    rows: list[bool] = []

    def check(first: np.ndarray, second: np.ndarray) -> list[float]:
        rows.append(bool((first * 10 == second).all()))
        return [0.0]

    agreement.bootstrap_intervals(check, np.arange(9), np.arange(9) * 10, samples=20)
    assert all(rows) and len(rows) == 20


def test_a_mostly_undefined_statistic_has_no_interval():
    assert agreement.bootstrap_intervals(lambda drawn: [None, 1.0], [1, 2, 3], samples=10) == [None, (1, 1)]
    assert agreement.bootstrap_intervals(lambda drawn: [1.0], [], samples=10) == []
