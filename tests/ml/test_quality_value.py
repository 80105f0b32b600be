"""v_k and w_k of ReST-MCTS*: the published vectors, and the boundedness theorem as a property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.quality_value import next_value, quality_values, weighted_reward

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 40)), min_size=1, max_size=30)


@given(STEPS)
def test_values_stay_in_the_unit_interval_and_rewards_below_what_is_missing(steps):
    value = 0.0
    for wrong, distance in steps:
        reward = weighted_reward(value, distance, wrong)
        assert reward <= 1.0 - value + 1e-12
        assert abs(reward) <= 1.0
        value = next_value(value, distance, wrong)
        assert 0.0 <= value <= 1.0


@given(st.integers(1, 60))
def test_on_a_correct_solution_the_value_is_the_share_of_its_steps(length):
    found = quality_values([True] * length, list(range(length - 1, -1, -1)), length)
    assert found == pytest.approx([(k + 1) / length for k in range(length)])


def test_a_wrong_step_takes_the_distance_of_its_nearest_good_ancestor():
    # v = 1/2 with two steps to go (m + 1 = 3), then two wrong steps: 1/3, 1/9.
    found = quality_values([True, True, False, False], [3, 2, None, None], 4)
    assert found == pytest.approx([0.25, 0.5, 1 / 3, 1 / 9])


def test_without_any_known_distance_there_is_no_value():
    assert quality_values([False, False], [None, None], None) == [None, None]


def test_a_step_of_which_nothing_is_known_is_right_before_a_right_one_and_else_ends_what_is_known():
    # m = 2, (1), 0: thirds, as on a right solution.
    assert quality_values([True, None, True], [2, 1, 0], 3) == pytest.approx([1 / 3, 2 / 3, 1.0])
    # Whether the second or the third is the first mistake is not known, so neither is how far the third fell.
    assert quality_values([True, None, False], [2, None, None], 3) == [pytest.approx(1 / 3), None, None]
