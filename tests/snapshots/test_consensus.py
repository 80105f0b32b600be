"""The verdict of several people, on cases small enough to check by hand."""

from __future__ import annotations

import pytest

from ml.targets.consensus import (
    CHECKER,
    Look,
    evidence_of,
    is_reported,
    option_rating,
    people_first,
    unheard,
    verdict_of,
    verdict_or_ratings,
)


def look(name: str, trajectory: list[int], labeler: str = "annotator", **fields: object) -> Look:
    reason = str(fields.pop("reason", "found_error" if -1 in trajectory else "solution"))
    return Look(name, labeler, reason, trajectory, fields.get("options", {}))  # type: ignore[arg-type]


FINE, FIRST, THIRD = [1, 1, 1, 1], [-1], [1, 0, -1]


@pytest.mark.parametrize(
    ("trajectories", "first_mistake"),
    [
        ([FINE], None),
        ([THIRD], 2),
        ([FINE, THIRD, THIRD], 2),
        ([FINE, FINE, THIRD], None),
        ([FINE, THIRD], 2),
        ([FIRST, THIRD], 0),
        ([FIRST, THIRD, FINE], 0),
        ([FINE, FINE, THIRD, THIRD], 2),
    ],
)
def test_the_majority_names_the_first_mistake_and_a_tie_goes_to_the_earliest(
    trajectories: list[list[int]], first_mistake: int | None
):
    looks = [look(str(index), trajectory) for index, trajectory in enumerate(trajectories)]
    verdict = verdict_of(looks, 4, None)
    assert verdict is not None and verdict.first_mistake == first_mistake


def test_ratings_come_from_those_who_agree_and_the_lower_one_wins_a_tie():
    verdict = verdict_of([look("a", [1, 1, -1]), look("b", [0, 1, -1]), look("c", FIRST)], 4, None)
    assert verdict is not None
    assert evidence_of(verdict, 4) == {
        "ratings": [0, 1, -1, None],
        "first_mistake": 2,
        "finish_reason": "found_error",
        "annotators": 3,
        "posterior": None,
        "witnesses": {"a": 2, "b": 2, "c": 0},
        "origins": ["annotator"],
        "allowed": [],
    }


def test_nobody_who_finished_means_no_verdict():
    assert verdict_of([look("a", [1], reason="give_up")], 4, None) is None


@pytest.mark.parametrize(
    ("adjudicated", "first_mistake"), [([1], 1), ([-1], None), ([1, 2], 2), ([-1, 3], 3)]
)
def test_a_reviewers_word_beats_the_majority_unless_it_allows_it(
    adjudicated: list[int], first_mistake: int | None
):
    verdict = verdict_of([look("a", THIRD), look("b", THIRD), look("c", FINE)], 4, adjudicated)
    assert verdict is not None and verdict.first_mistake == first_mistake


def test_all_places_that_a_reviewer_allows_go_with_the_verdict():
    verdict = verdict_of([look("a", THIRD), look("b", FINE)], 4, [-1, 3, 2])
    assert verdict is not None
    evidence = evidence_of(verdict, 4)
    assert (evidence["first_mistake"], evidence["allowed"]) == (2, [2, 3, None])


def test_a_reviewers_word_alone_rates_what_comes_before_as_right():
    verdict = verdict_of([], 4, [2])
    assert verdict is not None
    assert evidence_of(verdict, 4)["ratings"] == [1, 1, -1, None]
    assert evidence_of(verdict, 4)["origins"] == ["adjudication"]


def test_the_checker_is_heard_only_where_no_person_was():
    person, checker = look("a", FINE), look("b", FIRST, CHECKER)
    assert people_first([person, checker]) == [person]
    assert people_first([checker]) == [checker]
    verdict = verdict_of([checker], 4, None)
    assert verdict is not None and evidence_of(verdict, 4)["origins"] == ["checker"]


def test_alternatives_are_rated_by_those_who_agree():
    looks = [
        look("a", THIRD, options={(2, 1): 1, (2, 2): 0}),
        look("b", THIRD, options={(2, 1): -1}),
        look("c", FINE, options={(2, 1): -1}),
    ]
    verdict = verdict_of(looks, 4, None)
    assert option_rating(verdict, 2, 1) == -1
    assert option_rating(verdict, 2, 2) == 0
    assert option_rating(verdict, 2, 3) is None


def gave_up(name: str, trajectory: list[int], **fields: object) -> Look:
    return look(name, trajectory, reason="give_up", **fields)


def test_ratings_before_everybody_gave_up_are_known_and_the_first_mistake_is_not():
    looks = [gave_up("a", [1, 0], options={(1, 1): -1}), gave_up("b", [1]), gave_up("c", [])]
    found = verdict_or_ratings(looks, 4, None, "keep")
    assert found is not None and option_rating(found, 1, 1) == -1
    human = evidence_of(found, 4)
    assert human["ratings"] == [1, 0, None, None] and human["first_mistake"] is None
    assert human["finish_reason"] == "give_up" and human["witnesses"] == {}
    assert human["given_up_by"] == ["a", "b"]
    assert (unheard(looks, found), unheard(looks, None)) == (1, 3)
    assert verdict_or_ratings(looks, 4, None, "drop") is None


def test_a_verdict_outdoes_what_others_rated_before_they_gave_up():
    looks = [gave_up("a", [1, 1, 1]), look("b", FIRST)]
    found = verdict_or_ratings(looks, 4, None, "keep")
    assert found == verdict_of(looks, 4, None) and unheard(looks, found) == 1


def test_a_step_rated_wrong_before_giving_up_is_the_first_mistake():
    found = verdict_or_ratings([gave_up("a", [1, -1])], 4, None, "keep")
    assert found is not None and evidence_of(found, 4)["first_mistake"] == 1


def test_the_checker_is_heard_where_the_only_person_gave_up():
    checker = look("checker", THIRD, labeler=CHECKER)
    assert verdict_of(people_first([gave_up("a", [1]), checker]), 4, None) is not None


def test_who_replaced_a_step_and_gave_up_did_not_call_it_the_first_mistake():
    assert gave_up("a", [1, 1]).stopped_at(1) == gave_up("a", [1])


def test_who_reported_the_problem_after_steps_of_their_own_names_no_mistake():
    stopped = look("a", [1, 1], reason="bad_problem").stopped_at(1)
    assert (stopped.finish_reason, stopped.trajectory, stopped.is_verdict) == ("bad_problem", [1], False)
    assert is_reported([stopped])
