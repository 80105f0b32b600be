"""A person who left the solution and went on through steps of their own named its first mistake."""

from __future__ import annotations

import numpy as np
import pytest

from labelsite.annotations.importers import import_file
from labelsite.campaigns.models import Campaign, Protocol
from labelsite.comparison import evidence, kinds, measures
from labelsite.comparison.disagreements import Kind, rows, task_ids
from labelsite.comparison.opinions import opinions_on
from labelsite.snapshots.annotation_lines import annotations_of, prm800k_lines
from labelsite.snapshots.services import folder_of, freeze
from ml.json_lines import as_line
from ml.snapshot import read_snapshot
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
    assert kinds.kinds(measures.compared(looks)).agree == 2
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


def test_an_imported_solution_that_somebody_finished_alone_is_not_one_that_they_left(world, tmp_path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(map(as_line, prm800k_lines(annotations_of(world[0])))))
    import_file(path, "prm800k", "Back")
    back = Campaign.objects.get(name="Back")
    alone = back.tasks.get(solution__step_rows__text="It is four.", solution__step_rows__is_chosen=True)
    run = make_estimates(alone.solution, [1.0] * alone.solution.position_count)
    frozen = {row.id: row.first_mistake for row in read_snapshot(folder_of(freeze(back, "human")))}
    looks, about = read(back, run)
    compared = dict(zip(about.task[looks.place].tolist(), looks.first.tolist(), strict=True))
    assert compared[alone.pk] == -1 and frozen[str(alone.solution_id)] is None
    assert looks.length[looks.first == -1].tolist() == [alone.solution.position_count]
    assert [person.first_mistake for person in opinions_on(alone, run, None).people] == [None]


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
