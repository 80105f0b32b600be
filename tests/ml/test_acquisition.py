"""Which solution a person should see next, and why."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import acquisition

scores = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_a_solution_s_score_by_hand():
    assert acquisition.aggregate([0.9, 0.5, 0.8]) == pytest.approx(0.36)


def test_a_zero_makes_the_product_zero():
    assert acquisition.aggregate([0.9, 0.0]) == 0.0


@pytest.mark.parametrize("bad", [[], [1.5], [-0.1], [float("nan")]])
def test_scores_that_are_no_probabilities_are_refused(bad):
    with pytest.raises(ValueError, match="expected at least one, each from 0 to 1"):
        acquisition.aggregate(bad)


def test_convincing_wrong_answers_come_first_then_other_wrong_ones_then_the_rest():
    queue = {
        "convincing and wrong": acquisition.convincing_wrong([0.9, 0.9], False),
        "doubted and wrong": acquisition.convincing_wrong([0.0], False),
        "surely right": acquisition.convincing_wrong([1.0], True),
        "not graded": acquisition.convincing_wrong([0.6], None),
    }
    assert sorted(queue, key=lambda name: -queue[name].value) == list(queue)
    assert queue["convincing and wrong"].reason == "wrong answer, yet the PRM gives it 0.81"
    assert queue["not graded"].reason == "answer not graded, the PRM gives it 0.60"


def test_of_five_in_a_row_four_are_wrong_answers_until_either_kind_ends():
    assert acquisition.four_to_one("abcdefghi", "XY") == list("abcdXefghYi")
    assert acquisition.four_to_one("abcdef", "WXYZ") == list("abcdWefXYZ")
    assert acquisition.four_to_one("", "XY") == ["X", "Y"]
    assert acquisition.four_to_one("", "") == []


def test_uncertainty_names_the_step_nearest_to_one_half():
    found = acquisition.uncertainty([0.99, 0.6, 0.9])
    assert found.value == pytest.approx(0.8)
    assert found.reason == "the PRM is unsure of step 2 (0.60)"


def test_uncertainty_does_not_look_past_the_first_mistake():
    assert acquisition.uncertainty([0.9, 0.1, 0.5]).reason == "the PRM is unsure of step 1 (0.90)"


def test_a_different_first_mistake_stands_before_any_gap():
    different = acquisition.disagreement([0.9, 0.9], [0.5, 0.0], 1, is_known=True)
    gap = acquisition.disagreement([1.0, 1.0], [0.01, 0.5], None, is_known=True)
    assert different.reason == "first mistake: PRM none, rollouts step 2"
    assert gap.reason == "PRM and rollouts are 0.99 apart at step 1"
    assert different.value > gap.value


def test_what_was_not_estimated_is_no_disagreement():
    assert acquisition.disagreement([0.1, 0.9], [None, None], None, is_known=False).value == 0.0


def test_the_rollouts_first_mistake_is_what_their_run_says_and_not_the_first_step_without_a_right_one():
    scores, luck, at_the_end = [0.9, 0.1, 0.1], [0.7, 0.05, 0.0], [0.7, 0.5, 0.0]
    same = acquisition.disagreement(scores, luck, 1, is_known=True)
    assert same.value < 0.5 and same.reason == "PRM and rollouts are 0.20 apart at step 1"
    other = acquisition.disagreement(scores, at_the_end, None, is_known=True)
    assert other.value > 0.5 and other.reason == "first mistake: PRM step 2, rollouts none"
    later = acquisition.disagreement(scores, at_the_end, 2, is_known=True)
    assert later.value > 0.5 and later.reason == "first mistake: PRM step 2, rollouts step 3"


def test_a_run_that_cannot_say_where_the_first_mistake_is_contradicts_nobody():
    ended = acquisition.disagreement([0.9, 0.7, 0.1], [0.8, None, None], None, is_known=False)
    assert ended.value < 0.5 and ended.reason == "PRM and rollouts are 0.10 apart at step 1"
    # A step without an estimate stands before the one that is known to be wrong.
    gap = acquisition.disagreement([0.9, 0.9, 0.9], [0.8, None, 0.0], None, is_known=False)
    assert gap.value < 0.5 and gap.reason == "PRM and rollouts are 0.90 apart at step 3"


def test_what_comes_after_a_first_mistake_that_both_name_is_no_gap_since_nobody_rates_it():
    scores, soft = [0.95, 0.1, 0.97, 0.96], [1.0, 0.0, 0.0, 0.0]
    same = acquisition.disagreement(scores, soft, 1, is_known=True)
    assert same.reason == "PRM and rollouts are 0.10 apart at step 2" and same.value == pytest.approx(0.05)


def test_where_the_first_mistakes_differ_the_gap_is_of_steps_up_to_the_later_one():
    scores, soft = [0.95, 0.1, 0.9, 0.96], [1.0, 0.5, 0.0, 0.0]
    other = acquisition.disagreement(scores, soft, 2, is_known=True)
    assert other.value == pytest.approx(0.5 + 0.9 / 2)
    none = acquisition.disagreement(scores, soft, None, is_known=True)
    assert none.value == pytest.approx(0.5 + 0.96 / 2)


def test_estimates_of_another_solution_are_refused():
    with pytest.raises(ValueError, match="2 scores and 1 estimates"):
        acquisition.disagreement([0.5, 0.5], [1.0], None, is_known=True)


@settings(deadline=None)
@given(scores, st.data())
def test_every_priority_lies_between_zero_and_one(drawn, data):
    soft = data.draw(st.lists(st.none() | st.floats(0, 1), min_size=len(drawn), max_size=len(drawn)))
    places = st.none() | st.integers(0, len(drawn) - 1)
    found = [
        acquisition.convincing_wrong(drawn, data.draw(st.sampled_from([True, False, None]))),
        acquisition.uncertainty(drawn),
        acquisition.disagreement(drawn, soft, data.draw(places), is_known=data.draw(st.booleans())),
        acquisition.random_order(str(drawn)),
    ]
    assert all(0 <= priority.value <= 1 for priority in found)
    assert all(0 < len(priority.reason) <= 80 for priority in found)


def test_random_order_is_the_same_everywhere_and_none_of_the_ids():
    assert acquisition.random_order("solution-1").value == pytest.approx(0.18332831349278256)
    order = sorted(range(50), key=lambda n: acquisition.random_order(str(n)).value)
    assert order not in (list(range(50)), list(range(50))[::-1])


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.0, "wrong answer; the PRM gives it 0.00"),
        (0.49, "wrong answer; the PRM gives it 0.49"),
        (0.5, "wrong answer, yet the PRM gives it 0.50"),
    ],
)
def test_only_a_wrong_answer_that_the_prm_believes_is_called_a_contradiction(score, words):
    assert acquisition.convincing_wrong([score], False).reason == words
