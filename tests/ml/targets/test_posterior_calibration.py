"""Fusion's posterior against gold that it does not see."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ml.errors import MisstepError
from ml.targets import LabelRule, Witnessed
from ml.targets.calibrating import Gold, PosteriorCheck, posterior_calibration
from tests.ml.prm.toys import sums

RULE = LabelRule("mixed", mixture="fusion")
STEPS = 4


def crowd(count: int, errors: float, seed: int = 0) -> tuple[list[Witnessed], dict[int, Gold]]:
    """Three people who name another place at random with this chance, and what is true."""
    rng, items, gold = random.Random(seed), [], {}
    for index in range(count):
        truth = rng.choice([None, None, *range(STEPS)])
        verdicts = {name: truth for name in "abc"}
        for name in verdicts:
            if rng.random() < errors:
                verdicts[name] = rng.choice([k for k in (None, *range(STEPS)) if k != truth])
        items.append(Witnessed(STEPS, verdicts))
        gold[index] = Gold([truth])
    return items, gold


def test_with_many_witnesses_who_err_as_the_model_says_the_posterior_is_calibrated():
    figures = posterior_calibration(*crowd(3000, 0.35))
    assert figures["solutions"] == 3000 and figures["posterior"]["steps"] == 3000 * STEPS
    assert figures["posterior"]["expected_calibration_error"] < 0.03
    assert figures["labels"]["expected_calibration_error"] < 0.03
    assert 0.6 < figures["exact"] < 1
    assert sum(one["count"] for one in figures["labels"]["bins"]) == figures["labels"]["steps"]


def test_people_who_share_their_errors_make_the_posterior_too_sure_and_it_shows():
    items, gold = crowd(3000, 0.35)
    echoing = [Witnessed(STEPS, dict.fromkeys("abc", item.verdicts["a"])) for item in items]
    assert posterior_calibration(echoing, gold)["labels"]["expected_calibration_error"] > 0.1


def test_steps_between_the_places_that_gold_allows_are_left_out():
    items, _ = crowd(1, 0.0)
    figures = posterior_calibration(items, {0: Gold([1, 3])})
    # Step 0 is right, and from step 3 on the solution is wrong; whether 1 and 2 are, nobody says.
    assert figures["posterior"]["steps"] == 2
    assert figures["labels"]["steps"] == 1


def of_people(row, **said):
    first = next(iter(said.values()))
    told = {
        "first_mistake": first,
        "finish_reason": "found_error",
        "annotators": len(said),
        "witnesses": said,
    }
    return replace(row, human={**told, "origins": ["annotator"]})


def noted(check, rows):
    found = {}
    assert list(check.noted(rows, found)) == rows
    return found


def test_the_golds_own_witness_does_not_testify():
    rows = [of_people(row, anna=2, boris=2) for row in sums(30)]
    gold = {row.id: Gold([2], {"anna"}) for row in rows[:10]}
    with_anna = noted(PosteriorCheck(RULE, {name: Gold([2]) for name in gold}), rows)
    without = noted(PosteriorCheck(RULE, gold), rows)
    assert without["solutions"] == with_anna["solutions"] == 10
    assert without["posterior"]["brier"] > with_anna["posterior"]["brier"]


def test_a_reviewers_word_on_a_gold_item_is_hidden_from_the_fit():
    rows = [of_people(row, anna=0) for row in sums(20)]
    assert rows[0].human is not None
    rows[0].human.update({"first_mistake": 2, "allowed": [2], "origins": ["annotator", "adjudication"]})
    figures = noted(PosteriorCheck(RULE, {rows[0].id: Gold([2])}), rows)
    assert figures["exact"] == 0


def test_where_nobody_else_testifies_there_is_nothing_to_compare():
    rows = [of_people(row, anna=2) for row in sums(3)]
    gold = {rows[0].id: Gold([2], {"anna"})}
    assert noted(PosteriorCheck(RULE, gold), rows) == {}
    gold[rows[1].id] = Gold([2])
    assert noted(PosteriorCheck(RULE, gold), rows)["without_witness"] == 1


@pytest.mark.parametrize("name", ["imported:processbench", "imported:processbench 2"])
def test_who_bears_a_formats_name_alone_is_heard_where_they_say_something_else_than_gold(name: str):
    rows = [of_people(row, **{name: 2}) for row in sums(6)]
    copied = {row.id: Gold([2], {name}) for row in rows}
    assert noted(PosteriorCheck(RULE, copied), rows) == {}
    # What the name says where the gold is a reviewer's makes it no stranger to its own gold.
    others = [of_people(row, **{name: 1}) for row in sums(6, seed=1)]
    reviewed = {**copied, **{row.id: Gold([2], {"boris"}) for row in others}}
    assert noted(PosteriorCheck(RULE, reviewed), [*rows, *others])["solutions"] == len(others)
    # One look is enough: gold's own labels are never another's.
    rows[0] = of_people(rows[0], **{name: 1})
    assert noted(PosteriorCheck(RULE, copied), rows)["solutions"] == 6
    person = {row.id: Gold([2], {"anna"}) for row in rows}
    assert noted(PosteriorCheck(RULE, person), [of_people(row, anna=1) for row in rows]) == {}


def test_gold_on_a_step_that_the_solution_does_not_have_is_refused():
    rows = [of_people(row, anna=2) for row in sums(1)]
    with pytest.raises(MisstepError, match="gold at step 7 of 3"):
        noted(PosteriorCheck(RULE, {rows[0].id: Gold([7])}), rows)
