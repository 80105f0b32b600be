"""A run that left a step unlabelled before any known mistake says neither where the first is nor that there is none."""

import numpy as np
import pytest
from django.urls import reverse

from labelsite.autolabels.models import SolutionEstimate, StepEstimate
from labelsite.comparison import evidence, kinds, measures
from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.disagreements import WITHOUT_RUN, Kind, task_ids
from labelsite.comparison.evidence import NONE, UNKNOWN
from tests.factories import (
    PASSWORD,
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
# What the run said of three steps (hard, and whether rollouts went through them), and what it knows of the mistake.
CASES = [
    ([(1, True), (1, True), (1, True)], NONE),
    # A search assumes what lies before a right step to be right, and sends no rollouts there.
    ([(1, False), (1, False), (1, True)], NONE),
    ([(1, True), (None, False), (0, True)], UNKNOWN),
    ([(1, True), (None, False), (1, True)], UNKNOWN),
    ([(None, False), (None, False), (None, False)], UNKNOWN),
    # What lies behind a known mistake has no bearing on it.
    ([(1, True), (0, True), (None, False)], 1),
]


@pytest.fixture
def world():
    """One person marked the last step of each; gold says "no mistake" or the last step."""
    run = make_estimate_run()
    campaign, person = make_campaign(estimate_run=run), make_user()
    tasks = []
    for said, known in CASES:
        solution = make_solution(steps=["a step"] * 3)
        shares = [None if not is_probed else float(hard) for hard, is_probed in said]
        first = known if known >= 0 else None
        SolutionEstimate.objects.create(
            run=run,
            solution=solution,
            first_mistake=first,
            is_known=first is not None or None not in dict(said),
            q_values=shares,
            soft_values=shares,
        )
        for step, (hard, is_probed) in zip(solution.step_rows.order_by("position"), said, strict=True):
            visits, share = (4, hard) if is_probed else (0, None)
            StepEstimate.objects.create(
                run=run,
                step=step,
                visits=visits,
                correct=visits * (hard or 0),
                q_value=share,
                hard=hard,
                soft=share,
            )
        task = make_task(campaign, solution, gold=[-1, 2])
        make_annotation(task, person, [1, 1, -1])
        tasks.append(task.pk)
    return campaign, run, tasks


def looks_of(campaign, run, against=EVERYBODY):
    looks = evidence.looks_at(campaign, against, run)
    found = evidence.judgements(looks, evidence.solutions(campaign, run, np.unique(looks["task"])))
    return found.where(np.argsort(found.task))


def test_a_gap_before_any_known_mistake_leaves_it_unknown_and_an_assumption_does_not(world):
    campaign, run, _tasks = world
    assert looks_of(campaign, run).machine.tolist() == [known for _, known in CASES]


def test_the_figures_and_each_persons_agreement_leave_out_what_the_run_does_not_know(world):
    campaign, run, _tasks = world
    looks = looks_of(campaign, run)
    both = measures.compared(looks)
    assert kinds.kinds(both) == kinds.Kinds(agree=0, earlier=1, later=0, misses=2, invents=0)
    assert measures.first_mistakes(both).count == 3
    (row,) = measures.by_person(looks)
    assert row.machine_count == 3


def test_the_lists_hold_no_solution_of_which_the_run_does_not_know(world):
    campaign, run, tasks = world
    found = {kind: task_ids(campaign, run, kind) for kind in Kind if kind not in WITHOUT_RUN}
    assert found == {
        Kind.ANY: [tasks[0], tasks[1], tasks[5]],
        Kind.EARLIER: [tasks[5]],
        Kind.LATER: [],
        Kind.MISSES: [tasks[0], tasks[1]],
        Kind.INVENTS: [],
    }


def test_gold_that_allows_no_mistake_does_not_make_the_run_right_where_it_does_not_know(world):
    campaign, run, _tasks = world
    both = measures.compared(looks_of(campaign, run, Against(is_gold=True)))
    assert kinds.kinds(both) == kinds.Kinds(agree=2, earlier=0, later=0, misses=0, invents=1)


def test_the_pages_say_that_it_is_not_known(client, world):
    campaign, run, tasks = world
    client.login(username=make_user("admin").username, password=PASSWORD)
    task = reverse("comparison:task", args=[campaign.pk, tasks[2]])
    for address, count in ((reverse("autolabels:run", args=[run.pk]), 3), (task, 1)):
        assert client.get(address).content.decode().count("not known</") == count
    shown = campaign.tasks.select_related("solution").get(pk=tasks[2])
    shown.annotations.update(is_live=False)
    make_annotation(shown, make_user(), [1, 1, 1])
    shown.solution.is_correct = False
    shown.solution.save()
    unmarked = client.get(reverse("comparison:disagreements", args=[campaign.pk]), {"kind": "unmarked"})
    assert "not known</td>" in unmarked.content.decode()
