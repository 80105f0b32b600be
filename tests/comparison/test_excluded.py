"""People whose labels are excluded have a row of their own, marked, and no part in what is said of people together."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.accounts.services import set_excluded
from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.disagreements import Kind, rows, task_ids
from labelsite.comparison.overview import overview
from tests.factories import (
    PASSWORD,
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    return [make_user(username=name) for name in ("ann", "bob", "cat")]


@pytest.fixture
def campaign(people):
    """Six solutions: ann and bob name what the run names; cat another step, and she alone looked at a seventh."""
    run = make_estimate_run()
    campaign = make_campaign(estimate_run=run, overlap=3)
    for number in range(7):
        solution = make_solution(["one", "two", "three"])
        make_estimates(solution, [1.0, 0.0, 0.0], run, 1)
        task = make_task(campaign, solution)
        for person, trajectory in zip(people, ([1, -1], [1, -1], [-1]), strict=True):
            if number < 6 or person is people[2]:
                make_annotation(task, person, trajectory)
    return campaign


def seen(campaign, against=EVERYBODY):
    return overview(campaign, campaign.estimate_run, against, has_gold=False)


def test_who_is_excluded_has_no_part_in_the_figures_of_people_from_then_on(campaign, people):
    before = seen(campaign)
    assert (before.looks, before.between.differ, len(before.between.pairs)) == (19, 6, 3)
    set_excluded(people[2].pk, True)
    found = seen(campaign)
    assert (found.looks, found.agreement.exact, found.kinds.later) == (12, 1.0, 0)
    assert (found.between.differ, found.between.percent, len(found.between.pairs)) == (0, 1.0, 1)
    assert seen(campaign, Against(is_blind=True)).looks == 12
    set_excluded(people[2].pk, False)
    found = seen(campaign)
    assert (found.looks, found.between, found.kinds) == (before.looks, before.between, before.kinds)


def test_who_is_excluded_keeps_a_row_and_a_view_of_their_own(campaign, people):
    before = {row.annotator: row for row in seen(campaign).persons}
    set_excluded(people[2].pk, True)
    assert {row.annotator: row for row in seen(campaign).persons} == before
    for is_blind in (False, True):
        own = seen(campaign, Against(annotators=(people[2].pk,), is_blind=is_blind))
        assert (own.looks, own.kinds.later) == (7, 7)


@pytest.mark.parametrize("has_gold", [False, True])
def test_an_excluded_person_who_is_asked_for_is_shown_where_nobody_else_looked(
    client, campaign, people, has_gold
):
    for person in people:
        set_excluded(person.pk, True)
    if has_gold:
        campaign.tasks.update(gold=[1])
    client.login(username=make_user("reviewer").username, password=PASSWORD)
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]), {"of": str(people[2].pk)})
    found = page.context["found"]
    assert (found.is_gold, found.looks, found.kinds.later) == (False, 7, 7)
    (later,) = [link for link in page.context["kinds"] if link.kind == Kind.LATER]
    assert len(client.get(later.url).context["rows"]) == 7


def test_the_lists_hold_no_solution_for_an_excluded_look(campaign, people):
    run, tasks = campaign.estimate_run, list(campaign.tasks.order_by("pk").values_list("pk", flat=True))
    assert task_ids(campaign, run, Kind.LATER) == tasks
    set_excluded(people[2].pk, True)
    assert task_ids(campaign, run, Kind.LATER) == task_ids(campaign, run, Kind.PEOPLE) == []
    assert [row.people for row in rows(tasks[:1], run)] == [[1, 1]]
    assert task_ids(campaign, run, Kind.LATER, against=Against(annotators=(people[2].pk,))) == tasks


def test_the_page_and_its_figures_for_scripts_mark_them(client, campaign, people):
    set_excluded(people[2].pk, True)
    client.login(username=make_user("reviewer").username, password=PASSWORD)
    page = client.get(reverse("comparison:campaign", args=[campaign.pk])).content.decode()
    assert page.count("labels excluded") == 1
    figures = client.get(f"/api/v1/campaigns/{campaign.pk}/comparison/").json()
    assert {row["annotator"]: row["labels_excluded"] for row in figures["persons"]} == {
        "ann": False, "bob": False, "cat": True,
    }  # fmt: skip


def test_where_only_excluded_people_looked_gold_stands_in_for_people(client, campaign, people):
    for person in people:
        set_excluded(person.pk, True)
    campaign.tasks.update(gold=[1])
    client.login(username=make_user("reviewer").username, password=PASSWORD)
    page = client.get(reverse("comparison:campaign", args=[campaign.pk]))
    assert page.context["found"].is_gold
    for link in page.context["kinds"]:
        assert len(client.get(link.url).context["rows"]) == (link.count or 0), link.kind
