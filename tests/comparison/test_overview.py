"""What is kept of a comparison page is shown only for the very state that it was computed from."""

import pytest

from labelsite.comparison.against import EVERYBODY
from labelsite.comparison.overview import overview
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_machine,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign()


def seen(campaign):
    return overview(campaign, None, EVERYBODY, has_gold=False)


def looked_at(campaign, trajectory, labeler, gold=None, is_correct=True, **fields):
    solution = make_solution(steps=["a step"] * 6, is_correct=is_correct)
    task = make_task(campaign, solution, gold=gold)
    return task, make_annotation(task, labeler, trajectory, **fields)


def change(row, **values):
    for name, value in values.items():
        setattr(row, name, value)
    row.save(update_fields=list(values))


def test_gold_that_is_corrected_within_its_length_is_seen_at_once(campaign):
    task, _ = looked_at(campaign, [1, 1, 1, 1, -1], make_user(), gold=[2, 5])
    assert seen(campaign).persons[0].known_accuracy == 0.0
    change(task, gold=[2, 4])
    assert seen(campaign).persons[0].known_accuracy == 1.0


def test_gold_that_moves_from_one_task_to_another_is_seen_at_once(campaign):
    person = make_user()
    one, _ = looked_at(campaign, [1, -1], person, gold=[1])
    other, _ = looked_at(campaign, [-1], person)
    assert seen(campaign).persons[0].known_accuracy == 1.0
    change(one, gold=None)
    change(other, gold=[1])
    assert seen(campaign).persons[0].known_accuracy == 0.0


def test_answers_that_are_graded_anew_are_seen_at_once(campaign):
    person = make_user()
    unmarked, _ = looked_at(campaign, [1] * 6, person, is_correct=False)
    marked, _ = looked_at(campaign, [-1], person, is_correct=True)
    assert seen(campaign).unmarked == 1
    change(unmarked.solution, is_correct=True)
    change(marked.solution, is_correct=False)
    assert seen(campaign).unmarked == 0


def test_another_import_that_breaks_a_rule_is_seen_at_once(campaign):
    machine = make_machine()
    _, kept = looked_at(campaign, [-1], machine, origin="import")
    _, left_out = looked_at(campaign, [1] * 6, machine, origin="import", broken_rule="a rule")
    assert seen(campaign).persons[0].mistakes == 1
    change(kept, broken_rule="a rule")
    change(left_out, broken_rule="")
    assert seen(campaign).persons[0].mistakes == 0


def test_a_further_part_of_a_run_that_is_still_coming_in_is_seen_at_once(campaign):
    person, run = make_user(), make_estimate_run(loaded_at=None, cost={"solutions": 1})
    (first, _), (second, _) = (looked_at(campaign, [1, -1], person) for _ in range(2))
    make_estimates(first.solution, [1.0] * 6, run)
    assert overview(campaign, run, EVERYBODY, has_gold=False).both == 1
    make_estimates(second.solution, [1.0] * 6, run)
    change(run, cost={"solutions": 2})
    assert overview(campaign, run, EVERYBODY, has_gold=False).both == 2


def test_the_same_state_is_computed_once(campaign, monkeypatch):
    looked_at(campaign, [1, -1], make_user(), gold=[1])
    first = seen(campaign)
    monkeypatch.setattr("labelsite.comparison.overview._computed", None)
    assert seen(campaign) == first
