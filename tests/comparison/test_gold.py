"""A run against gold with several acceptable positions: right by any of them, as people are."""

import numpy as np
import pytest
from django.urls import reverse

from labelsite.annotations.known_answers import CHECKER_NAME
from labelsite.annotations.models import FinishReason
from labelsite.comparison import evidence, kinds, measures
from labelsite.comparison.against import Against
from labelsite.comparison.disagreements import WITHOUT_RUN, Kind, task_ids
from tests.factories import (
    PASSWORD,
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
GOLD = Against(is_gold=True)
# What is acceptable, and what the run names.
CASES = [
    ([1, 3], 3),  # The second acceptable one: right.
    ([1, 3], 1),  # The first one: right.
    ([1, 3], 2),  # Neither: late by one against the first.
    ([1, 3], None),  # Missed.
    ([-1, 2], 2),  # Acceptable, though so is no mistake.
    ([-1, 2], None),  # The other way round: right.
    ([2], 0),  # Early by two.
]


@pytest.fixture
def world():
    run = make_estimate_run()
    campaign = make_campaign(estimate_run=run)
    tasks = []
    for gold, named in CASES:
        solution = make_solution(steps=["a step"] * 5)
        make_estimates(
            solution, [0.0 if named is not None and p >= named else 1.0 for p in range(5)], run, named
        )
        tasks.append(make_task(campaign, solution, gold=gold).pk)
    return campaign, run, tasks


def looks_of(campaign, run):
    looks = evidence.looks_at(campaign, GOLD, run)
    return evidence.judgements(looks, evidence.solutions(campaign, run, np.unique(looks["task"])))


def test_gold_names_what_the_run_names_where_that_is_acceptable_and_its_first_position_elsewhere(world):
    campaign, run, _tasks = world
    looks = looks_of(campaign, run)
    order = np.argsort(looks.task)
    assert looks.first[order].tolist() == [3, 1, 1, 1, 2, -1, 2]
    assert looks.length[order].tolist() == [4, 2, 2, 2, 3, 5, 3]
    assert (looks.in_gold == 1).all()


def test_the_figures_count_any_acceptable_position_as_right(world):
    campaign, run, _tasks = world
    both = measures.compared(looks_of(campaign, run))
    assert kinds.kinds(both) == kinds.Kinds(agree=4, earlier=1, later=1, misses=1, invents=0)
    assert measures.first_mistakes(both).exact == pytest.approx(4 / 7)
    assert np.trace(measures.confusion(both)) == 4
    assert dict(measures.offsets(both)) == {"−2": 1, "−1": 0, "0": 3, "+1": 1, "+2": 0}


def test_what_is_acceptable_is_no_disagreement(world):
    campaign, run, tasks = world
    found = {kind: task_ids(campaign, run, kind, against=GOLD) for kind in Kind if kind not in WITHOUT_RUN}
    assert found == {
        Kind.ANY: [tasks[2], tasks[3], tasks[6]],
        Kind.EARLIER: [tasks[6]],
        Kind.LATER: [tasks[2]],
        Kind.MISSES: [tasks[3]],
        Kind.INVENTS: [],
    }


def test_without_a_run_gold_is_its_first_position(world):
    campaign, _run, _tasks = world
    looks = looks_of(campaign, None)
    assert looks.first[np.argsort(looks.task)].tolist() == [1, 1, 1, 1, -1, -1, 2]


def test_the_page_and_its_list_judge_the_run_alike(client, world):
    campaign, _run, tasks = world
    user = make_user("reviewer")
    client.login(username=user.username, password=PASSWORD)
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]), {"of": "gold"})
    assert page.context["found"].agreement.exact == pytest.approx(4 / 7)
    rows = client.get(reverse("comparison:disagreements", args=[campaign.pk]), {"of": "gold"}).context["rows"]
    assert [row.task.pk for row in rows] == [tasks[2], tasks[3], tasks[6]]


def by_a_checker(task):
    make_annotation(task, make_machine(CHECKER_NAME), [1, -1])


def given_up(task):
    make_annotation(task, make_user(), [1], finish_reason=FinishReason.GIVE_UP, reason="too hard")


@pytest.mark.parametrize("labelled", [by_a_checker, given_up])
@pytest.mark.parametrize("chosen", ["", "1"])
def test_where_no_look_counts_each_count_leads_to_the_tasks_that_it_counted(client, world, labelled, chosen):
    campaign, _run, tasks = world
    labelled(campaign.tasks.first())
    client.login(username=make_user("reviewer").username, password=PASSWORD)
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]), {"of": chosen})
    assert page.context["found"].is_gold
    for link in page.context["kinds"]:
        assert len(client.get(link.url).context["rows"]) == (link.count or 0), link.kind
    following = client.get(f"{reverse('comparison:task', args=[campaign.pk, tasks[2]])}?kind=any&of={chosen}")
    assert following.context["following"] == tasks[3]
