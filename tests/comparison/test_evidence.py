"""The arrays that a comparison is computed from, against a plain reading of the same rows."""

from __future__ import annotations

import random

import numpy as np
import pytest

from labelsite.annotations.models import Annotation
from labelsite.autolabels.models import SolutionEstimate, StepEstimate
from labelsite.comparison import evidence, kinds, measures
from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.evidence import NO_BIAS, NONE, UNKNOWN
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


def read(campaign, run, against=EVERYBODY):
    looks = evidence.looks_at(campaign, against, run)
    about = evidence.solutions(campaign, run, np.unique(looks["task"]))
    return evidence.judgements(looks, about), about


def judgements(campaign, run, against=EVERYBODY):
    return read(campaign, run, against)[0]


def rated_steps(campaign, run, against=EVERYBODY):
    return evidence.rated_steps(*read(campaign, run, against))


@pytest.fixture
def world():
    """Thirty solutions, three labelers, a run that estimated most of them; drawn by a fixed seed."""
    rng = random.Random(5)
    run = make_estimate_run()
    campaign = make_campaign(estimate_run=run, overlap=3)
    labelers = [make_user(), make_user(), make_machine()]
    for number in range(30):
        length = rng.randint(1, 5)
        solution = make_solution(steps=["a step"] * length, is_correct=rng.choice([True, False, None]))
        gold = rng.choice([None, None, [rng.randrange(length)], [-1]])
        task = make_task(campaign, solution, gold=gold)
        if number % 5:
            q_values = [rng.randrange(5) / 4 for _ in range(length)]
            first = next((place for place, q in enumerate(q_values) if q == 0), None)
            make_estimates(solution, q_values, run, first, visits=4)
        for labeler in rng.sample(labelers, rng.randint(0, 3)):
            mistake = rng.choice([None, *range(length)])
            trajectory = [rng.choice([0, 1])] * (length if mistake is None else mistake)
            make_annotation(
                task,
                labeler,
                trajectory + ([] if mistake is None else [-1]),
                exposure=rng.choice(["after", "before"]),
                total_time_ms=rng.choice([None, 4000]),
            )
    return campaign, run, labelers


def test_every_look_is_there_with_what_both_said(world):
    campaign, run, _labelers = world
    looks = judgements(campaign, run)
    found = sorted(zip(looks.task, looks.annotator, looks.first, looks.machine, looks.length, strict=True))
    expected = []
    for annotation in Annotation.objects.select_related("task"):
        estimate = SolutionEstimate.objects.filter(run=run, solution=annotation.task.solution_id).first()
        machine = (
            UNKNOWN
            if estimate is None
            else NONE
            if estimate.first_mistake is None
            else estimate.first_mistake
        )
        first = NONE if annotation.first_mistake is None else annotation.first_mistake
        expected.append(
            (annotation.task_id, annotation.annotator_id, first, machine, len(annotation.trajectory))
        )
    assert found == sorted(expected)
    assert len(found) > 30


def test_steps_are_counted_as_reading_every_row_counts_them(world):
    campaign, run, _labelers = world
    steps = rated_steps(campaign, run)
    groups = {
        (bool(right), q): int(count)
        for right, q, count in zip(steps.is_right, steps.q_value, steps.count, strict=True)
    }
    expected: dict[tuple[bool, float], int] = {}
    for annotation in Annotation.objects.select_related("task"):
        rows = StepEstimate.objects.filter(run=run, step__solution=annotation.task.solution_id)
        q_values = dict(rows.values_list("step__position", "q_value"))
        for position, rating in enumerate(annotation.trajectory):
            if position in q_values:
                key = (rating >= 0, q_values[position])
                expected[key] = expected.get(key, 0) + 1
    assert groups == expected


def test_bad_problems_broken_imports_and_earlier_revisions_are_no_evidence():
    campaign = make_campaign()
    person, machine = make_user(), make_machine()
    task = make_task(campaign, overlap=3)
    make_annotation(task, person, [1], finish_reason="bad_problem", reason="asks nothing")
    make_annotation(task, machine, [-1, 1], finish_reason="solution", origin="import", broken_rule="a rule")
    make_annotation(task, make_user(), [1, 1], is_live=False)
    assert len(judgements(campaign, None)) == 0


def test_labels_can_be_narrowed_to_a_labeler_and_to_blind_ones(world):
    campaign, run, labelers = world
    chosen = Annotation.objects.filter(annotator=labelers[0])
    assert len(judgements(campaign, run, Against(annotators=(labelers[0].pk,)))) == chosen.count()
    blind = judgements(campaign, run, Against(is_blind=True))
    assert len(blind) == Annotation.objects.exclude(exposure="before").count()


def test_gold_reads_like_one_labeler_who_stops_at_the_first_mistake():
    run = make_estimate_run()
    campaign = make_campaign()
    for gold, q_values in (([1], [1.0, 0.0, 0.0]), ([-1], [1.0, 1.0, 1.0])):
        solution = make_solution(steps=["one", "two", "three"])
        make_task(campaign, solution, gold=gold)
        make_estimates(solution, q_values, run, 1 if 0.0 in q_values else None)
    looks = judgements(campaign, run, Against(is_gold=True))
    assert sorted(zip(looks.first, looks.length, looks.machine, strict=True)) == [(-1, 3, -1), (1, 2, 1)]
    assert rated_steps(campaign, run, Against(is_gold=True)).total == 5


def test_early_and_late_against_the_nearest_acceptable_step():
    campaign = make_campaign()
    person = make_user()
    for gold, first in (([1, 4], 3), ([2], 0), ([-1], 1), ([2], None)):
        task = make_task(campaign, make_solution(steps=["a step"] * 5), gold=gold)
        make_annotation(task, person, [1] * 5 if first is None else [1] * first + [-1])
    looks = judgements(campaign, None)
    order = np.argsort(looks.task)
    assert looks.gold_bias[order].tolist() == [-1, -2, NO_BIAS, NO_BIAS]
    assert looks.in_gold[order].tolist() == [0, 0, 0, 0]
    (row,) = measures.by_person(looks)
    assert (row.known_seen, row.known_accuracy, row.gold_bias) == (4, 0.0, -1.5)
    assert (row.gold_seen, row.gold_accuracy) == (0, None)


def test_the_kinds_and_the_agreements_are_all_looks(world):
    campaign, run, _labelers = world
    both = measures.compared(judgements(campaign, run))
    found = kinds.kinds(both)
    assert found.agree + found.earlier + found.later + found.misses + found.invents == len(both)
    confusion = measures.confusion(both)
    assert confusion.sum() == len(both) and np.trace(confusion) == found.agree
    assert sum(count for _name, count in measures.offsets(both)) == int(
        ((both.first != NONE) & (both.machine != NONE)).sum()
    )


@pytest.mark.parametrize(
    ("person", "machine", "name"),
    [(0, 7, "+7"), (0, 8, "≥+8"), (0, 11, "≥+8"), (11, 2, "≤−8"), (8, 1, "−7")],
)
def test_the_ends_of_early_and_late_say_that_they_are_open(person: int, machine: int, name: str):
    campaign = make_campaign()
    task = make_task(campaign, make_solution(steps=["a step"] * 12))
    run = make_estimates(task.solution, [1.0] * machine + [0.0] * (12 - machine), first_mistake=machine)
    make_annotation(task, make_user(), [1] * person + [-1])
    both = measures.compared(judgements(campaign, run))
    assert [label for label, count in measures.offsets(both) if count] == [name]


def test_wrong_answers_that_nobody_marked_are_counted_once_a_solution():
    campaign = make_campaign(overlap=2)
    first, second = make_user(), make_user()
    for is_correct, looks in ((False, [[1], [1]]), (False, [[1], [-1]]), (True, [[1]]), (None, [[1]])):
        task = make_task(campaign, make_solution(steps=["a step"], is_correct=is_correct))
        for person, trajectory in zip((first, second), looks, strict=False):
            make_annotation(task, person, trajectory)
    assert measures.unmarked(judgements(campaign, None)) == 1


def test_people_among_themselves_agree_as_counted_by_hand(world):
    campaign, run, _labelers = world
    looks = judgements(campaign, run)
    between = measures.between_people(looks)
    said: dict[int, dict[int, int]] = {}
    for task, person, first in zip(looks.task, looks.annotator, looks.first, strict=True):
        said.setdefault(int(task), {})[int(person)] = int(first)
    assert between.solutions_shared == sum(len(people) >= 2 for people in said.values())
    assert len(between.pairs) == 3
    for pair in between.pairs:
        common = [people for people in said.values() if {pair.first, pair.second} <= set(people)]
        assert pair.common == len(common)
        exact = sum(people[pair.first] == people[pair.second] for people in common) / len(common)
        assert pair.exact == pytest.approx(exact)


def test_gold_that_was_set_since_the_solutions_were_read_waits_for_the_next_view():
    campaign = make_campaign()
    make_task(campaign, gold=[0])
    none_yet = evidence.solutions(make_campaign(), None, np.array([], dtype=np.int64))
    some = evidence.solutions(campaign, None, np.array([], dtype=np.int64))
    make_task(campaign, gold=[1])
    looks = evidence.looks_at(campaign, Against(is_gold=True))
    assert [len(evidence.judgements(looks, about)) for about in (none_yet, some)] == [0, 1]


def test_steps_without_an_estimate_are_left_out_and_a_method_may_have_its_own_soft_values():
    """q_value and soft differ for a method like MCTS; either may be missing for a step."""
    campaign, run = make_campaign(), make_estimate_run()
    for q_values, soft in (
        ([0.5, None, 1.0], [0.25, None, None]),
        ([0.5, 0.5], [0.5, 0.5]),
        ([], []),
        ([-1.0, 0.1234], [None, 0.25]),
    ):
        solution = make_solution(steps=["a step"] * max(1, len(q_values)))
        make_annotation(make_task(campaign, solution), make_user(), trajectory=[1] * max(1, len(q_values)))
        SolutionEstimate.objects.create(run=run, solution=solution, q_values=q_values, soft_values=soft)
    steps = rated_steps(campaign, run)
    found = {
        (q, None if np.isnan(soft) else soft): count
        for q, soft, count in zip(
            steps.q_value.tolist(), steps.soft.tolist(), steps.count.tolist(), strict=True
        )
    }
    assert found == {(0.5, 0.25): 1, (1.0, None): 1, (0.5, 0.5): 2, (-1.0, None): 1, (0.123, 0.25): 1}


def test_what_nobody_looked_at_is_not_read_where_it_is_most_of_a_campaign():
    campaign = make_campaign()
    looked_at, gold, *_others = [
        make_task(campaign, gold=[0] if number == 1 else None) for number in range(6)
    ]
    make_annotation(looked_at, make_user())
    _, about = read(campaign, None)
    assert about.task.tolist() == [looked_at.pk, gold.pk]
