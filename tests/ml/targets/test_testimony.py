"""Each kind of evidence against its own formula, on numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ml.targets.testimony import (
    ABSENT,
    WitnessRates,
    answers_log_likelihood,
    place_prior,
    share_class,
    shares_log_likelihood,
    verdict_table,
    verdicts_log_likelihood,
)


def test_a_verdicts_likelihood_is_the_three_rates():
    table = verdict_table(3, WitnessRates(false_alarm=0.3, miss=0.2, exact=0.75))
    assert table[3] == pytest.approx([0.2, 0.2, 0.2, 0.7])
    assert table[1] == pytest.approx([0.8 * 0.125, 0.8 * 0.75, 0.8 * 0.125, 0.1])
    assert table.sum(0) == pytest.approx(np.ones(4))


def test_of_a_single_step_a_witness_who_names_one_names_the_right_one():
    table = verdict_table(1, WitnessRates(false_alarm=0.3, miss=0.2, exact=0.75))
    assert table == pytest.approx(np.array([[0.8, 0.3], [0.2, 0.7]]))


def test_a_witness_who_is_absent_says_nothing():
    rates = WitnessRates(false_alarm=0.3, miss=0.2, exact=0.75)
    found = verdicts_log_likelihood(np.array([ABSENT, 2]), 2, rates)
    assert found[0].tolist() == [0.0, 0.0, 0.0]
    assert np.exp(found[1]) == pytest.approx([0.2, 0.2, 0.7])


def test_a_share_of_rollouts_falls_into_its_class():
    shares = (0.0, 0.125, 0.25, 0.3, 0.75, 0.76, 1.0, None)
    assert [share_class(share) for share in shares] == [0, 1, 1, 2, 3, 4, 4, ABSENT]


def test_shares_testify_for_the_place_where_they_fall_to_nothing():
    table = np.array([[0.8, 0.1, 0.05, 0.03, 0.02], [0.1, 0.2, 0.2, 0.2, 0.3], [0.9, 0.04, 0.02, 0.02, 0.02]])
    classes = np.array([[share_class(share) for share in (1.0, 0.5, 0.0, None)], [ABSENT] * 4])
    beyond_reach, within, wrong = [0.02, 0.05, 0.8], [0.3, 0.2, 0.1], [0.02, 0.02, 0.9]
    found = np.exp(shares_log_likelihood(classes, table))
    for reach, right in enumerate((beyond_reach, within)):
        plain = [
            wrong[0] * wrong[1] * wrong[2],
            right[0] * wrong[1] * wrong[2],
            right[0] * right[1] * wrong[2],
            right[0] * right[1] * right[2],
            right[0] * right[1] * right[2],
        ]
        assert found[0, reach] == pytest.approx(plain)
    assert found[1] == pytest.approx(np.ones((2, 5)))


def test_a_wrong_answer_speaks_for_some_mistake_and_not_for_a_place():
    found = np.exp(answers_log_likelihood(np.array([0, 1, ABSENT]), 2, lucky=0.1))
    assert found == pytest.approx(np.array([[0.9, 0.9, 1e-3], [0.1, 0.1, 1.0 - 1e-3], [1.0, 1.0, 1.0]]))


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(1, [1.0]), (2, [0.2, 0.8]), (3, [0.1, 0.5, 0.4]), (5, [0.1, 0.5 / 3, 0.5 / 3, 0.5 / 3, 0.4])],
)
def test_the_steps_between_the_first_and_the_last_share_alike(steps, expected):
    assert place_prior(steps, [0.1, 0.5, 0.4]) == pytest.approx(expected)
