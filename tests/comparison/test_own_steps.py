"""A person who left the solution and went on through steps of their own named its first mistake."""

from __future__ import annotations

import numpy as np
import pytest

from labelsite.campaigns.models import Protocol
from labelsite.comparison import evidence, measures
from labelsite.comparison.disagreements import Kind, rows, task_ids
from labelsite.comparison.opinions import opinions_on
from tests.annotations.submissions import STEPS, go_on_alone, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_estimates, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    """Gold, a run and two people name the second step; one of them then reached the answer alone."""
    people = [make_user(), make_user()]
    campaign = make_campaign(members=people, protocol=Protocol.EVERY_OPTION, overlap=2)
    solution = make_solution(STEPS, is_correct=False)
    run = make_estimates(solution, [1.0, 0.0, 0.0], first_mistake=1)
    task = make_task(campaign, solution, gold=[1])
    go_on_alone(claim_next(campaign, people[0]), "It is four.", "So the answer is four.")
    submit(claim_next(campaign, people[1]), 1, -1, alternatives=(0, 1))
    return campaign, run, task


def read(campaign, run):
    looks = evidence.looks_at(campaign, run=run)
    about = evidence.solutions(campaign, run, np.unique(looks["task"]))
    return evidence.judgements(looks, about), about


def test_both_people_name_one_step_and_agree_with_gold_and_the_run(world) -> None:
    campaign, run, _task = world
    looks, _about = read(campaign, run)
    assert (looks.first.tolist(), looks.in_gold.tolist(), looks.gold_bias.tolist()) == (
        [1, 1],
        [1, 1],
        [0, 0],
    )
    assert measures.between_people(looks).percent == 1.0
    assert measures.kinds(measures.compared(looks)).agree == 2
    assert measures.unmarked(looks) == 0


def test_only_the_solutions_own_steps_up_to_the_mistake_are_compared_with_rollouts(world) -> None:
    steps = evidence.rated_steps(*read(*world[:2]))
    found = sorted(zip(steps.is_right.tolist(), steps.q_value.tolist(), steps.count.tolist(), strict=True))
    assert found == [(False, 0.0, 2), (True, 1.0, 2)]


def test_the_list_of_disagreements_says_the_same(world, django_assert_num_queries) -> None:
    campaign, run, task = world
    assert task_ids(campaign, run, Kind.ANY) == task_ids(campaign, run, Kind.UNMARKED) == []
    with django_assert_num_queries(4):
        (row,) = rows([task.pk], run)
    assert row.people == [1, 1]


def test_steps_behind_the_solutions_end_are_no_steps_that_a_reviewer_could_mark() -> None:
    person = make_user()
    campaign = make_campaign(members=[person], protocol=Protocol.EVERY_OPTION)
    solution = make_solution(STEPS[:2])
    run = make_estimates(solution, [1.0, 0.0], first_mistake=1)
    task = make_task(campaign, solution)
    go_on_alone(claim_next(campaign, person), "It is four.", "So the answer is four.")
    one, two = opinions_on(task, run, None).steps
    assert [option.text for option in two.options.values()] == [
        *STEPS[1][1:], "It is four.", "So the answer is four.",
    ]  # fmt: skip
    assert (one.estimate.is_settled, two.estimate.is_settled) == (False, True)
