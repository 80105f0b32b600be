"""The protocols' rules as pure functions: what is stored, and what is said to be missing."""

from __future__ import annotations

import pytest

from labelsite.annotations.judgement import Judgement, Lawful, Option, Rating, Unlawful, check
from labelsite.annotations.judgement_json import parse

# Three positions; the second has two alternatives. Ids are position * 10 + option.
OPTIONS = [
    Option(0, 0, 0, True),
    Option(10, 1, 0, True),
    Option(11, 1, 1, False),
    Option(12, 1, 2, False),
    Option(20, 2, 0, True),
]


def judge(protocol: str, finish: str, ratings: dict[int, int | None], **more) -> Lawful:
    asks = more.pop("asks", False)
    flagged = more.pop("flagged", ())
    given = tuple(Rating(step, rating, step in flagged) for step, rating in ratings.items())
    return check(protocol, asks, OPTIONS, Judgement(finish, ratings=given, **more))


def refused(*args, **more) -> str:
    with pytest.raises(Unlawful) as caught:
        judge(*args, **more)
    assert str(caught.value)
    return caught.value.code


def test_first_mistake_ends_the_trajectory_and_takes_the_alternatives_along() -> None:
    lawful = judge("first_mistake", "found_error", {0: 1, 10: -1, 11: 1, 12: None}, flagged=(12,))
    assert lawful.trajectory == [1, -1]
    assert [rating.step for rating in lawful.ratings] == [0, 10, 11, 12]


@pytest.mark.parametrize(
    ("finish", "ratings", "code"),
    [
        ("solution", {0: 1, 10: 0}, "incomplete"),
        ("solution", {}, "incomplete"),
        ("found_error", {0: 1, 10: 1, 20: 1}, "incomplete"),
        ("solution", {0: 1, 10: -1, 11: 1, 12: 1}, "incomplete"),
        ("solution", {0: 1, 20: 1}, "gap"),
        ("solution", {10: 1, 20: 1}, "gap"),
        ("found_error", {0: -1, 10: 1, 20: 1}, "after_mistake"),
        ("found_error", {0: -1, 10: -1, 11: 1, 12: 1}, "after_mistake"),
        ("found_error", {0: 1, 10: -1}, "alternatives"),
        ("found_error", {0: 1, 10: -1, 11: 1, 12: None}, "alternatives"),
        ("solution", {0: 1, 10: 1, 11: 1, 20: 1}, "stray"),
        ("found_error", {0: -1, 11: 1}, "stray"),
        ("solution", {0: 1, 10: 1, 20: 1, 99: 1}, "unknown_step"),
        ("give_up", {0: 1}, "no_reason"),
        ("bad_problem", {}, "no_reason"),
    ],
)
def test_first_mistake_refuses_what_breaks_a_rule(finish, ratings, code) -> None:
    assert refused("first_mistake", finish, ratings) == code


def test_every_step_okay_is_a_solution() -> None:
    assert judge("first_mistake", "solution", {0: 1, 10: 0, 20: 1}).trajectory == [1, 0, 1]


def test_an_exit_keeps_the_ratings_before_it_but_no_mistake() -> None:
    assert judge("first_mistake", "give_up", {0: 1}, reason="too hard").trajectory == [1]
    assert judge("first_mistake", "bad_problem", {}, reason="no question").trajectory == []
    assert refused("first_mistake", "give_up", {0: -1}, reason="hm") == "mistake_marked"


def test_a_campaign_may_ask_what_is_wrong() -> None:
    assert refused("first_mistake", "found_error", {0: -1}, asks=True) == "no_reason"
    assert judge("first_mistake", "found_error", {0: -1}, asks=True, reason="2+2 is 4").reason == "2+2 is 4"


def test_the_index_stands_for_right_steps_before_it() -> None:
    lawful = judge("index_only", "found_error", {0: None}, first_mistake=1)
    assert lawful.trajectory == [1, -1]
    assert [(rating.step, rating.rating) for rating in lawful.ratings] == [(0, 1), (10, -1)]
    assert judge("index_only", "solution", {}).trajectory == [1, 1, 1]


@pytest.mark.parametrize(
    ("finish", "first"), [("found_error", None), ("found_error", 3), ("found_error", -1), ("solution", 1)]
)
def test_an_index_outside_the_solution_is_refused(finish, first) -> None:
    assert refused("index_only", finish, {}, first_mistake=first) == "incomplete"


@pytest.mark.parametrize(
    ("protocol", "finish", "ratings", "first"),
    [
        ("first_mistake", "found_error", {0: 1, 10: -1, 11: 1, 12: 1}, 0),
        ("first_mistake", "found_error", {0: 1, 10: 1, 20: 1}, 1),
        ("first_mistake", "solution", {0: 1, 10: 1, 20: 1}, 2),
        ("every_option", "found_error", {0: 1, 10: -1, 11: 1, 12: 0}, 2),
        ("index_only", "found_error", {0: -1}, 1),
        ("index_only", "found_error", {0: 1, 10: 1}, 1),
        ("index_only", "solution", {10: -1}, None),
    ],
)
def test_ratings_and_an_index_that_contradict_each_other_are_refused(
    protocol, finish, ratings, first
) -> None:
    with pytest.raises(Unlawful) as caught:
        judge(protocol, finish, ratings, first_mistake=first)
    assert (caught.value.code, caught.value.field) == ("contradiction", "first_mistake")


def test_ratings_and_an_index_that_agree_are_taken() -> None:
    both = {0: 1, 10: -1, 11: 1, 12: 1}
    for protocol in ("first_mistake", "every_option"):
        assert judge(protocol, "found_error", both, first_mistake=1).trajectory == [1, -1]
    assert judge("index_only", "found_error", {0: 1, 10: -1}, first_mistake=1).trajectory == [1, -1]


@pytest.mark.parametrize("ratings", [{0: 0}, {0: 1, 11: 1}, {20: 1}])
def test_ratings_that_an_index_cannot_stand_for_are_refused_and_not_stored_as_others(ratings) -> None:
    assert refused("index_only", "found_error", ratings, first_mistake=1) == "stray"
    assert refused("index_only", "give_up", ratings, reason="hm") == "stray"


def test_an_exit_names_no_first_mistake() -> None:
    assert refused("index_only", "give_up", {}, first_mistake=1, reason="hm") == "mistake_marked"
    assert refused("first_mistake", "give_up", {}, first_mistake=0, reason="hm") == "contradiction"


@pytest.mark.parametrize("protocol", ["first_mistake", "index_only", "every_option"])
@pytest.mark.parametrize("finish", ["give_up", "bad_problem"])
def test_a_note_is_kept_at_the_step_where_somebody_leaves_the_task(protocol, finish) -> None:
    noted = Judgement(finish, "stuck", (Rating(10, None, note="Why?"), Rating(20, None)))
    lawful = check(protocol, False, OPTIONS, noted)
    assert lawful.trajectory == []
    assert [(rating.step, rating.rating, rating.note) for rating in lawful.ratings] == [(10, None, "Why?")]


def test_a_note_is_kept_behind_the_mistake_that_an_index_names() -> None:
    noted = Judgement("found_error", ratings=(Rating(20, None, note="No unit."),), first_mistake=0)
    lawful = check("index_only", False, OPTIONS, noted)
    assert lawful.trajectory == [-1]
    assert [(rating.step, rating.rating, rating.note) for rating in lawful.ratings] == [
        (0, -1, ""),
        (20, None, "No unit."),
    ]


def test_every_option_wants_every_option_as_far_as_it_went() -> None:
    assert refused("every_option", "solution", {0: 1, 10: 1, 20: 1}) == "alternatives"
    assert judge("every_option", "solution", {0: 1, 10: 1, 11: -1, 12: 0, 20: 1}).trajectory == [1, 1, 1]
    assert judge("every_option", "found_error", {0: 1, 10: -1, 11: 1, 12: 0}).trajectory == [1, -1]


def test_a_person_may_write_a_step_only_where_no_option_is_acceptable() -> None:
    bad = {0: 1, 10: -1, 11: -1, 12: -1}
    assert judge("every_option", "solution", bad, written=("So it is 4.",)).trajectory == [1, 1]
    both = judge("every_option", "solution", bad, written=("One.", "Two."))
    assert (both.trajectory, both.written) == ([1, 1, 1], [(1, "One."), (2, "Two.")])
    assert judge("every_option", "found_error", bad, written=("So it is 4.",)).trajectory == [1, -1]
    assert refused("every_option", "solution", {**bad, 11: 0}, written=("So it is 4.",)) == "written"
    assert refused("first_mistake", "found_error", bad, written=("So it is 4.",)) == "written"
    assert refused("every_option", "solution", bad, written=("",)) == "written"


@pytest.mark.parametrize(
    "data",
    [
        None, [], "x", {}, {"finish_reason": "done"}, {"finish_reason": "solution", "ratings": 3},
        {"finish_reason": "solution", "ratings": [{"step": "1", "rating": 1}]},
        {"finish_reason": "solution", "ratings": [{"step": 1, "rating": 2}]},
        {"finish_reason": "solution", "ratings": [{"step": 1, "rating": True}]},
        {"finish_reason": "solution", "ratings": [{"step": 1, "rating": 1, "milliseconds": 1.5}]},
        {"finish_reason": "solution", "reason": "a\0b"}, {"finish_reason": "solution", "first_mistake": True},
        {"finish_reason": "solution", "written": [3]}, {"finish_reason": "solution", "written": ["half: \ud83d"]},
        {"finish_reason": "give_up", "reason": "half: \ude00"},
        {"finish_reason": "solution", "ratings": [{"step": 1, "rating": 1, "note": "half: \ud83d"}]},
    ],
)  # fmt: skip
def test_what_is_no_judgement_is_refused_before_the_database(data) -> None:
    with pytest.raises(Unlawful) as caught:
        parse(data)
    assert caught.value.code == "malformed"
