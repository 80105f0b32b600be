"""Kappa and alpha against published examples and independent libraries."""

from __future__ import annotations

import time

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from ml import agreement

NOT_RATED = float("nan")
# Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011): four observers, missing values.
FOUR_OBSERVERS = """
    1 2 3 3 2 1 4 1 2 . . .
    1 2 3 3 2 2 4 1 2 5 . 3
    . 3 3 3 2 3 4 2 2 5 1 .
    1 2 3 3 2 4 4 1 2 5 1 .
"""
RATERS = np.array(
    [
        [NOT_RATED if word == "." else float(word) for word in row.split()]
        for row in FOUR_OBSERVERS.split("\n")[1:-1]
    ]
)


def long(raters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Units and values of a matrix of shape (raters, units)."""
    return np.tile(np.arange(raters.shape[1]), raters.shape[0]), raters.ravel()


def test_kappa_of_the_textbook_table():
    # 50 proposals: both yes 20, first yes 5, second yes 10, both no 15. Observed 0.7, chance 0.5.
    first = [1] * 20 + [1] * 5 + [0] * 10 + [0] * 15
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert agreement.cohen_kappa(first, second) == pytest.approx(0.4)


def test_kappa_is_undefined_where_chance_agrees_fully():
    assert agreement.cohen_kappa([1, 1], [1, 1]) is None
    assert agreement.cohen_kappa([], []) is None


def test_kappa_leaves_out_what_one_did_not_rate():
    assert agreement.cohen_kappa([1, 0, 1, NOT_RATED], [1, 0, 0, 1]) == agreement.cohen_kappa(
        [1, 0, 1], [1, 0, 0]
    )


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), min_size=2, max_size=40))
def test_kappa_equals_scikit_learn(pairs):
    first, second = np.array(pairs).T
    ours = agreement.cohen_kappa(first, second)
    if ours is None:
        assert len({*first, *second}) == 1
        return
    theirs = metrics.cohen_kappa_score(first, second)
    assert ours == pytest.approx(theirs)


def test_alpha_of_the_published_example():
    assert agreement.krippendorff_alpha(*long(RATERS)) == pytest.approx(0.743, abs=5e-4)


def test_alpha_is_one_for_full_agreement_and_undefined_without_variation_or_pairs():
    assert agreement.krippendorff_alpha([1, 1, 2, 2], [0, 0, 1, 1]) == pytest.approx(1)
    assert agreement.krippendorff_alpha([1, 1, 2, 2], [1, 1, 1, 1]) is None
    assert agreement.krippendorff_alpha([1, 2, 3], [1, 2, 3]) is None
    assert agreement.krippendorff_alpha([], []) is None


@settings(deadline=None)
@given(
    drawn=st.integers(2, 4).flatmap(
        lambda raters: st.lists(
            st.lists(st.sampled_from([-1.0, 0.0, 1.0, NOT_RATED]), min_size=raters, max_size=raters),
            min_size=2,
            max_size=15,
        )
    )
)
def test_alpha_equals_the_reference_package(drawn):
    raters = np.array(drawn).T
    ours = agreement.krippendorff_alpha(*long(raters))
    rated = raters[:, (~np.isnan(raters)).sum(axis=0) >= 2]
    if ours is None:
        assert len(set(rated[~np.isnan(rated)])) < 2
        return
    theirs = krippendorff.alpha(reliability_data=raters, level_of_measurement="nominal")
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_percent_agreement_counts_pairs_within_items():
    # Item a: 3 of 3 pairs agree; item b: 1 of 3; item c has one rating.
    units, values = list("aaabbbc"), [1, 1, 1, 0, 0, 1, 1]
    assert agreement.percent_agreement(units, values) == pytest.approx(4 / 6)
    assert agreement.percent_agreement(["a"], [1]) is None


def test_a_million_ratings_take_less_than_two_seconds():
    random = np.random.default_rng(0)
    units, values = random.integers(300_000, size=1_000_000), random.integers(-1, 2, size=1_000_000)
    # Its own time: on a busy machine it waits for others as long again.
    start = time.process_time()
    alpha = agreement.krippendorff_alpha(units, values)
    assert alpha == pytest.approx(0, abs=0.01)
    assert time.process_time() - start < 2
