"""Consensus without people: rollouts against a second method's verdict in the row's own evidence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.snapshot_checks import complaint_about
from ml.targets import LabelRule, decide_labels
from tests.ml.prm.toys import sums

AGREED = LabelRule("automatic", mixture="consensus")
# The second step is the rollouts' first mistake.
ROLLOUTS = {"visits": [4, 4, 4], "correct": [3, 0, 0]}
JUDGED_RIGHT = {"ratings": [1, 1, 1], "first_mistake": None, "finish_reason": "solution", "annotators": 1}


def labels(second, rule=AGREED, human=None, **rollouts):
    return decide_labels(human, {**ROLLOUTS, **rollouts, "second": second}, rule, 3).labels


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ({"first_mistake": 1}, [1.0, 0.0, None]),
        ({"first_mistake": 2}, [None] * 3),
        ({"first_mistake": None}, [None] * 3),
        (None, [None] * 3),
    ],
)
@pytest.mark.parametrize("kind", ["automatic", "mixed"])
def test_rollouts_label_a_solution_only_where_a_second_method_names_the_same_place(second, expected, kind):
    assert labels(second, LabelRule(kind, mixture="consensus")) == expected


def test_a_second_method_that_was_asked_for_another_rule_or_not_at_all_filters_nothing():
    assert labels({"first_mistake": 2}, LabelRule("automatic")) == [1.0, 0.0, None]
    assert decide_labels(None, ROLLOUTS, AGREED, 3).labels == [1.0, 0.0, None]


def test_where_the_search_is_silent_before_its_mistake_nobody_can_agree_with_it():
    assert labels({"first_mistake": 1}, visits=[0, 4, 4], correct=[0, 0, 0]) == [None] * 3


def test_people_go_before_the_second_method():
    rule = LabelRule("mixed", mixture="consensus")
    assert labels({"first_mistake": 1}, rule, JUDGED_RIGHT) == [None] * 3
    assert labels({"first_mistake": 1}, rule, JUDGED_RIGHT, correct=[3, 2, 4]) == [1.0] * 3


def test_who_gave_up_before_a_mistake_leaves_the_word_to_the_second_method():
    rule = LabelRule("mixed", mixture="consensus")
    given_up = {
        "ratings": [1, None, None],
        "first_mistake": None,
        "finish_reason": "give_up",
        "annotators": 1,
    }
    assert labels({"first_mistake": 1}, rule, given_up) == [1.0, 0.0, None]
    assert labels({"first_mistake": 2}, rule, given_up) == [None] * 3
    named = {**given_up, "ratings": [1, -1, None], "first_mistake": 1}
    assert labels({"first_mistake": 2}, rule, named) == [1.0, 0.0, None]


def test_a_second_verdict_beyond_the_last_step_is_refused():
    row = replace(sums(1)[0], automatic={**ROLLOUTS, "second": {"first_mistake": 3}})
    assert "second method" in str(complaint_about(row))
