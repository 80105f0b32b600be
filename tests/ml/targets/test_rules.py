"""Label rules on hand-worked solutions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ml.errors import MisstepError
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, decide_labels, has_verdict, label_rows
from ml.targets.rules import CHOICES, label_of
from ml.targets.snapshot_rows import last_place_for_alternatives

PEOPLE = {"ratings": [1, 0, -1, None], "first_mistake": 2, "finish_reason": "found_error", "annotators": 1}
SEARCH = {"visits": [8, 8, 8, 8], "correct": [6, 2, 1, 0], "quality_value": [0.25, 0.5, 0.75, 0.3]}


@pytest.mark.parametrize(("neutral", "second"), [("positive", 1.0), ("negative", 0.0), ("drop", None)])
def test_neutral_counts_as_the_rule_says(neutral, second):
    decision = decide_labels(PEOPLE, None, LabelRule("human", neutral=neutral))
    assert decision.labels == [1.0, second, 0.0, None]
    assert decision.first_mistake == 2


def test_nothing_behind_the_first_mistake_is_supervised_unless_asked():
    people = {"ratings": [1, -1, 1], "first_mistake": 1, "finish_reason": "found_error"}
    assert decide_labels(people, None, LabelRule("human")).labels == [1.0, 0.0, None]
    assert decide_labels(people, None, LabelRule("human", after_mistake="wrong")).labels == [1.0, 0.0, 0.0]
    assert decide_labels(people, None, LabelRule("human", after_mistake="keep")).labels == [1.0, 0.0, 1.0]


def test_a_bare_first_mistake_becomes_ratings():
    people = {"ratings": None, "first_mistake": 1, "finish_reason": "found_error"}
    assert decide_labels(people, None, LabelRule("human"), 3).labels == [1.0, 0.0, None]
    fine = {"ratings": None, "first_mistake": None, "finish_reason": "solution"}
    assert decide_labels(fine, None, LabelRule("human"), 2).labels == [1.0, 1.0]
    for beyond in (5, -1):
        with pytest.raises(MisstepError, match=f"a first mistake at step {beyond} of 2 steps"):
            decide_labels({"ratings": None, "first_mistake": beyond}, None, LabelRule("human"), 2)


def test_a_bad_problem_teaches_nothing():
    people = {"ratings": [1, -1], "first_mistake": 1, "finish_reason": "bad_problem"}
    assert decide_labels(people, None, LabelRule("human")).labels == [None, None]


@pytest.mark.parametrize("mixture", CHOICES["mixture"])
def test_rollouts_teach_nothing_of_a_problem_that_a_person_reported_as_bad(mixture):
    human = {"finish_reason": "bad_problem", "posterior": [0.9, 0.8, 0.7, 0.6]}
    assert decide_labels(human, SEARCH, LabelRule("mixed", mixture=mixture)) == ([None] * 4, [None] * 4, None)
    assert (
        decide_labels(human, SEARCH, LabelRule("automatic")).labels[0] == 1.0
    )  # This rule does not ask people.


def test_rollouts_give_hard_soft_and_quality_labels():
    assert decide_labels(None, SEARCH, LabelRule("automatic")).labels == [1.0, 1.0, 1.0, 0.0]
    assert decide_labels(None, SEARCH, LabelRule("automatic")).first_mistake == 3
    strict = decide_labels(None, SEARCH, LabelRule("automatic", threshold=0.125))
    assert strict == ([1.0, 1.0, 0.0, None], ["automatic"] * 3 + [None], 2)
    soft = decide_labels(None, SEARCH, LabelRule("automatic", target="soft"))
    assert soft.labels == [0.75, 0.25, 0.125, 0.0]
    values = decide_labels(None, SEARCH, LabelRule("automatic", target="quality_value"))
    assert values.labels == SEARCH["quality_value"] and values.first_mistake == 3


def test_a_step_that_a_search_passed_over_has_the_label_that_the_search_implies():
    omega = {"visits": [0, 2, 0, 16, 0], "correct": [0, 2, 0, 0, 0], "hard": [1, 1, 1, 0, 0]}
    decision = decide_labels(None, omega, LabelRule("automatic"))
    assert decision.labels == [1.0, 1.0, 1.0, 0.0, None] and decision.first_mistake == 3
    careful = decide_labels(None, omega, LabelRule("automatic", minimum_visits=4))
    assert careful.labels == [1.0, None, 1.0, 0.0, None]


@pytest.mark.parametrize("target", ["hard", "soft", "quality_value"])
def test_a_mistake_that_a_search_only_assumed_is_not_the_first_behind_a_step_that_counts_as_right(target):
    # One right rollout of sixteen: the search took step 1 for wrong, and "some rollout was right" does not.
    omega = {
        "visits": [0, 16, 0, 0, 16], "correct": [0, 1, 0, 0, 0], "hard": [1, 1, 0, 0, 0],
        "quality_value": [0.25, 0.5, 0.25, 0.125, 0.0],
    }  # fmt: skip
    decision = decide_labels(None, omega, LabelRule("automatic", target=target))
    series = {"hard": [1.0, 1.0], "soft": [1.0, 1 / 16], "quality_value": [0.25, 0.5]}[target]
    assert decision == ([*series, None, None, None], ["automatic"] * 2 + [None] * 3, None)


def test_a_mistake_that_a_search_only_assumed_is_not_the_first_behind_a_step_with_too_few_visits():
    omega = {"visits": [2, 0, 8], "correct": [0, 0, 0], "hard": [0, 0, 0]}
    decision = decide_labels(None, omega, LabelRule("automatic", minimum_visits=4))
    assert decision.labels == [None] * 3 and decision.first_mistake is None
    keeping = LabelRule("automatic", minimum_visits=4, after_mistake="keep")
    assert decide_labels(None, omega, keeping).labels == [None, None, 0.0]


def test_mistakes_that_a_search_assumed_count_behind_the_one_they_follow_from():
    omega = {"visits": [0, 16, 0, 0], "correct": [0, 1, 0, 0], "hard": [1, 1, 0, 0]}
    strict = LabelRule("automatic", threshold=0.25)
    assert decide_labels(None, omega, strict).labels == [1.0, 0.0, None, None]
    keeping = LabelRule("automatic", threshold=0.25, after_mistake="keep")
    assert decide_labels(None, omega, keeping) == ([1.0, 0.0, 0.0, 0.0], ["automatic"] * 4, 1)


def test_steps_with_too_few_visits_are_not_supervised():
    search = {"visits": [8, 2, 0], "correct": [1, 0, 0]}
    decision = decide_labels(None, search, LabelRule("automatic", minimum_visits=4))
    assert decision == ([1.0, None, None], ["automatic", None, None], None)


def test_people_override_the_search_and_the_search_fills_what_people_left_out():
    people = {"ratings": [1, None, -1, None], "first_mistake": 2, "finish_reason": "found_error"}
    search = {"visits": [8] * 4, "correct": [0, 0, 8, 8]}
    decision = decide_labels(people, search, LabelRule("mixed"))
    assert decision.first_mistake == 2
    assert decision.labels == [1.0, None, 0.0, None]  # The search stops at its own first mistake, step 0.
    friendly = {"visits": [8] * 4, "correct": [8, 8, 8, 8]}
    decision = decide_labels(people, friendly, LabelRule("mixed"))
    assert decision == ([1.0, 1.0, 0.0, None], ["human", "automatic", "human", None], 2)
    assert decide_labels(None, search, LabelRule("mixed")).sources[0] == "automatic"


@pytest.mark.parametrize("mixture", ["people_override", "agreement_weighted"])
def test_the_search_does_not_fill_in_a_neutral_step_that_the_rule_drops(mixture):
    people = {"ratings": [1, 0, 1], "first_mistake": None, "finish_reason": "solution", "annotators": 1}
    search = {"visits": [4] * 3, "correct": [4, 0, 4]}
    rule = LabelRule("mixed", mixture=mixture, neutral="drop", after_mistake="keep")
    decision = decide_labels(people, search, rule)
    assert decision.labels == [1.0, None, 1.0] and decision.first_mistake is None
    assert decision.sources[1] is None
    decision = decide_labels(people, search, LabelRule("mixed", mixture=mixture, neutral="drop"))
    assert decision.labels == [1.0, None, 1.0] and decision.first_mistake is None


@pytest.mark.parametrize("target", ["soft", "quality_value"])
def test_a_low_share_or_value_that_the_search_fills_in_is_no_mistake_where_the_search_saw_none(target):
    gave_up = {"ratings": [1, None, None, None], "finish_reason": "give_up", "first_mistake": None}
    found = decide_labels(gave_up, SEARCH, LabelRule("mixed", target=target))
    series = {"soft": [0.25, 0.125, 0.0], "quality_value": [0.5, 0.75, 0.3]}[target]
    assert found.labels == [1.0, *series] and found.first_mistake == 3
    assert found.sources == ["human", "automatic", "automatic", "automatic"]


def test_consensus_keeps_only_rows_on_whose_first_mistake_both_agree():
    rule = LabelRule("mixed", mixture="consensus")
    agreeing = {"visits": [8] * 4, "correct": [8, 4, 0, 0]}
    assert decide_labels(PEOPLE, agreeing, rule).labels == [1.0, 1.0, 0.0, None]
    assert decide_labels(PEOPLE, SEARCH, rule).labels == [None] * 4
    assert decide_labels(PEOPLE, None, rule).labels == [None] * 4


def test_a_search_that_is_silent_on_a_step_agrees_with_nobody_that_all_is_right():
    rule = LabelRule("mixed", mixture="consensus")
    fine = {"ratings": [1, 1, 1], "first_mistake": None, "finish_reason": "solution"}
    for silent in (
        {"visits": [4, 0, 0], "correct": [4, 0, 0]},
        {"visits": [4, 4, 0], "correct": [4, 4, 0]},
        {"visits": [0, 4, 4], "correct": [0, 4, 4]},
    ):
        assert decide_labels(fine, silent, rule).labels == [None] * 3
    passed_over = {"visits": [0, 4, 4], "correct": [0, 4, 4], "hard": [1, 1, 1]}
    assert decide_labels(fine, passed_over, rule).labels == [1.0] * 3
    named = {"ratings": [1, -1, None], "first_mistake": 1, "finish_reason": "found_error"}
    found = {"visits": [4, 4, 0], "correct": [4, 0, 0]}
    assert decide_labels(named, found, rule).labels == [1.0, 0.0, None]


def test_a_consensus_asks_the_search_for_no_quality_values():
    fine = {"ratings": [1, 1], "first_mistake": None, "finish_reason": "solution"}
    search = {"visits": [4, 4], "correct": [4, 4]}
    rule = LabelRule("mixed", mixture="consensus", target="quality_value")
    assert decide_labels(fine, search, rule).labels == [1.0, 1.0]


def test_agreement_weighted_is_the_mean_weighted_by_annotators():
    rule = LabelRule("mixed", mixture="agreement_weighted", automatic_weight=0.5)
    people = {"ratings": [1, -1], "first_mistake": 1, "finish_reason": "found_error", "annotators": 2}
    search = {"visits": [4, 4], "correct": [0, 0]}
    decision = decide_labels(people, search, rule)
    assert decision.labels == [pytest.approx(2 / 2.5), 0.0]
    assert decision.sources == ["fused", "human"]


FAULTLESS = {"ratings": [1, 1, 1, 1], "first_mistake": None, "finish_reason": "solution", "annotators": 1}
NAMES_STEP_1 = {
    "ratings": [1, -1, None, None],
    "first_mistake": 1,
    "finish_reason": "found_error",
    "annotators": 1,
}
SEES_NONE = {"visits": [4] * 4, "correct": [4, 4, 4, 4]}
SEES_STEP_1 = {"visits": [4] * 4, "correct": [4, 0, 0, 0]}


def weighted(human, automatic, **choices):
    return decide_labels(human, automatic, LabelRule("mixed", mixture="agreement_weighted", **choices))


@pytest.mark.parametrize(("human", "automatic"), [(FAULTLESS, SEES_STEP_1), (NAMES_STEP_1, SEES_NONE)])
def test_of_two_equal_opinions_neither_is_believed_and_nothing_behind_is_supervised(human, automatic):
    for after in ("none", "wrong"):
        found = weighted(human, automatic, after_mistake=after)
        assert found == ([1.0, 0.5, None, None], ["fused", "fused", None, None], None)


def test_steps_behind_a_mistake_are_supervised_by_those_who_outvote_it():
    two = {**FAULTLESS, "annotators": 2}
    found = weighted(two, SEES_STEP_1)
    assert found.labels == [1.0, pytest.approx(2 / 3), 1.0, 1.0] and found.first_mistake is None
    assert found.sources == ["fused", "fused", "human", "human"]
    found = weighted(NAMES_STEP_1, SEES_NONE, automatic_weight=3.0)
    assert found == ([1.0, 0.75, 1.0, 1.0], ["fused", "fused", "automatic", "automatic"], None)
    for loud in (3.0, 1.0):
        found = weighted(NAMES_STEP_1, SEES_NONE, automatic_weight=loud, after_mistake="wrong")
        assert 0.0 not in found.labels


def test_a_mistake_that_is_not_outvoted_is_the_first():
    found = weighted(FAULTLESS, SEES_STEP_1, automatic_weight=3.0)
    assert found == ([1.0, 0.25, None, None], ["fused", "fused", None, None], 1)
    found = weighted({**NAMES_STEP_1, "annotators": 3}, SEES_NONE, after_mistake="wrong")
    assert found == ([1.0, 0.25, 0.0, 0.0], ["fused"] * 4, 1)
    gave_up = {"ratings": [1, None, None, None], "finish_reason": "give_up", "annotators": 1}
    assert weighted(gave_up, SEES_STEP_1).labels == [1.0, 0.0, None, None]


def test_an_outvoted_mistake_leaves_room_for_a_later_one():
    people = {**FAULTLESS, "ratings": [1, 1, 1, -1], "first_mistake": 3, "annotators": 2}
    found = weighted(people, SEES_STEP_1)
    assert found.labels == [1.0, pytest.approx(2 / 3), 1.0, 0.0] and found.first_mistake == 3
    kept = weighted(people, {"visits": [4] * 4, "correct": [4, 0, 4, 0]}, after_mistake="keep")
    assert kept.labels[2:] == [1.0, 0.0] and kept.first_mistake == 3


@pytest.mark.parametrize("weight", [1.0, 9.0])
def test_a_low_share_that_the_search_does_not_call_a_mistake_is_none_under_a_weighted_mean(weight):
    search = {"visits": [8] * 4, "correct": [6, 1, 1, 0]}
    gave_up = {"ratings": [1, None, None, None], "finish_reason": "give_up", "annotators": 1}
    found = weighted(gave_up, search, target="soft", automatic_weight=weight)
    assert found.labels[1:] == [0.125, 0.125, 0.0] and found.first_mistake == 3
    found = weighted(FAULTLESS, {**search, "correct": [6, 1, 1, 8]}, target="soft", automatic_weight=weight)
    assert None not in found.labels and found.first_mistake is None


def test_an_undecided_last_step_is_no_verdict():
    search = {"visits": [4] * 4, "correct": [4, 4, 4, 0]}
    row = SnapshotRow(
        "a", "p", "1 + 1 =", ["s"] * 4, "validation", [None] * 4, [None] * 4, human=FAULTLESS, automatic=search
    )  # fmt: skip
    rule = LabelRule("mixed", mixture="agreement_weighted")
    (undecided,) = label_rows([row], rule)
    assert undecided.labels == [1.0, 1.0, 1.0, 0.5] and undecided.first_mistake is None
    assert not has_verdict(undecided)
    outvoted = replace(row, human={**FAULTLESS, "annotators": 2})
    assert has_verdict(label_rows([outvoted], rule)[0])


def test_no_alternative_behind_an_undecided_step_teaches():
    row = SnapshotRow(
        "a", "p", "1 + 1 =", ["s"] * 4, "train", [None] * 4, [None] * 4, human=FAULTLESS, automatic=SEES_STEP_1
    )  # fmt: skip
    rule = LabelRule("mixed", mixture="agreement_weighted")
    assert last_place_for_alternatives(label_rows([row], rule)[0], rule) == 1


def test_evidence_of_unequal_length_is_refused():
    with pytest.raises(MisstepError, match=r"evidence for \[2, 4\] steps"):
        decide_labels(PEOPLE, {"visits": [8, 8], "correct": [1, 1]}, LabelRule("mixed"))


def test_an_unknown_rule_is_refused():
    with pytest.raises(MisstepError, match="mixture='vote'"):
        LabelRule("mixed", mixture="vote")


@pytest.mark.parametrize(
    ("mixture", "ratings", "has_one"),
    [
        ("people_override", None, False),
        # A person rated the step, and the rule drops what they said of it.
        ("people_override", [1, 0, None, None], True),
        # They named the mistake themselves.
        ("people_override", [1, None, -1, None], True),
        ("consensus", [1, 1, -1, None], False),
    ],
)
def test_a_mistake_behind_a_step_that_nothing_could_grade_may_not_be_the_first(mixture, ratings, has_one):
    automatic = {"visits": [4, 0, 4, 0], "correct": [4, 0, 0, 0], "hard": [1, None, 0, 0]}
    rule = LabelRule("mixed", mixture=mixture, neutral="drop")
    row = SnapshotRow(
        "a", "p", "1 + 1 =", ["s"] * 4, "validation", [None] * 4, [None] * 4, automatic=automatic
    )
    (labelled,) = label_rows([replace(row, human={"ratings": ratings} if ratings else None)], rule)
    assert has_verdict(labelled) is has_one


@pytest.mark.parametrize(("neutral", "label"), [("positive", 1.0), ("negative", 0.0), ("drop", None)])
def test_only_a_rating_of_0_counts_as_the_rule_says(neutral, label):
    assert [label_of(rating, neutral) for rating in (-1, 0, 1, None)] == [0.0, label, 1.0, None]
