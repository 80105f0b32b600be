"""`agreement_weighted` over annotators who disagree, on solutions small enough to check by hand."""

from __future__ import annotations

import pytest

from tests.ml.targets.test_rules import weighted


def of_witnesses(**said):
    """Three steps, of which each annotator named one or none; the verdict is the first one's."""
    first = next(iter(said.values()))
    end = 3 if first is None else first
    ratings = ([1] * end + [-1] + [None] * 3)[:3]
    reason = "solution" if first is None else "found_error"
    return {"ratings": ratings, "first_mistake": first, "finish_reason": reason,
            "annotators": len(said), "witnesses": said}  # fmt: skip


ALL_RIGHT = {"visits": [8] * 3, "correct": [8] * 3}


def test_each_annotator_weighs_one_also_where_they_disagree():
    # Step 1: (0 + 1 + 1) / 3. Behind it those speak who did not name it.
    found = weighted(of_witnesses(a=1, b=None), ALL_RIGHT)
    assert found == ([1.0, pytest.approx(2 / 3), 1.0], ["fused"] * 3, None)
    # Two of three named step 1, and with the search (0 + 0 + 1 + 1) / 4 nobody knows.
    found = weighted(of_witnesses(a=1, b=1, c=None), ALL_RIGHT)
    assert found == ([1.0, 0.5, None], ["fused", "fused", None], None)
    # Three of four: (0 + 0 + 0 + 1 + 1) / 5.
    found = weighted(of_witnesses(a=1, b=1, c=1, d=None), ALL_RIGHT)
    assert found == ([1.0, pytest.approx(0.4), None], ["fused", "fused", None], 1)
    # Whoever named step 0 says nothing of step 1: (0 + 1 + 1 + 1 + 1) / 5, then (0 + 1 + 1 + 1) / 4.
    found = weighted(of_witnesses(a=None, b=None, c=0, d=1), ALL_RIGHT)
    assert found.labels == [pytest.approx(0.8), pytest.approx(0.75), 1.0] and found.first_mistake is None


def test_where_the_search_is_silent_the_annotators_mean_stands():
    found = weighted(of_witnesses(a=1, b=None), {"visits": [8, 0, 0], "correct": [8, 0, 0]})
    assert found == ([1.0, 0.5, None], ["fused", "fused", None], None)
    found = weighted(of_witnesses(a=1, b=1), {"visits": [8, 0, 0], "correct": [8, 0, 0]})
    assert found == ([1.0, 0.0, None], ["fused", "human", None], 1)


@pytest.mark.parametrize("search", [None, {"visits": [0] * 3, "correct": [0] * 3}])
def test_without_any_estimate_the_annotators_verdict_stands(search):
    assert weighted(of_witnesses(a=1, b=None), search) == ([1.0, 0.0, None], ["human", "human", None], 1)


def test_a_reviewers_word_is_everybodys_under_a_weighted_mean():
    settled = {**of_witnesses(a=None, b=None), "origins": ["annotator", "adjudication"]}
    settled |= {"ratings": [1, -1, None], "first_mistake": 1, "finish_reason": "found_error"}
    found = weighted(settled, ALL_RIGHT)
    assert found.labels == [1.0, pytest.approx(1 / 3), None] and found.first_mistake == 1


def test_a_dissenter_does_not_bring_back_a_neutral_step_that_the_rule_drops():
    people = {**of_witnesses(a=None, b=None, c=1), "ratings": [1, 0, 1]}
    found = weighted(people, ALL_RIGHT, neutral="drop")
    assert found == ([1.0, None, 1.0], ["fused", None, "fused"], None)
