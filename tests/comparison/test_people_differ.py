"""Where people differ among themselves: listed, counted and linked, with a machine's run or without one."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelsite.comparison.against import Against
from labelsite.comparison.disagreements import Kind, task_ids
from labelsite.comparison.models import Adjudication
from tests.factories import (
    log_in,
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
# Positions that ann, bob and cat name in each of six solutions; None: no mistake, "-": did not look.
SAID = [(0, 0, "-"), (1, 2, "-"), (None, None, 1), (None, 1, "-"), (2, 2, 2), (0, 1, "-")]

RUN_DIFFERS = (Kind.EARLIER, Kind.LATER, Kind.MISSES, Kind.INVENTS)


@pytest.fixture
def people():
    return [make_user(username=name) for name in ("ann", "bob", "cat")]


@pytest.fixture
def tasks(people):
    campaign = make_campaign()
    found = []
    for said in SAID:
        task = make_task(campaign, make_solution(["One.", "Two.", "Three."]), overlap=3)
        for person, first in zip(people, said, strict=True):
            if first != "-":
                make_annotation(task, person, [1, 1, 1] if first is None else [1] * first + [-1])
        found.append(task)
    return found


@pytest.fixture
def reviewer(client):
    return log_in(client, "reviewer")


def differing(tasks, against=None):
    found = task_ids(tasks[0].campaign, None, Kind.PEOPLE, against=against or Against())
    return [place for place, task in enumerate(tasks) if task.pk in found]


def test_people_differ_where_two_looks_name_different_steps(tasks):
    assert differing(tasks) == [1, 2, 3, 5]


def test_one_persons_list_holds_what_others_see_otherwise_and_a_pairs_only_what_these_two_do(tasks, people):
    ann, bob, cat = (person.pk for person in people)
    assert differing(tasks, Against(annotators=(cat,))) == [2]
    assert differing(tasks, Against(annotators=(ann,), others=(bob,))) == [1, 3, 5]
    assert differing(tasks, Against(annotators=(bob,), others=(cat,))) == [2]


def test_without_a_run_the_list_opens_on_what_people_differ_in_and_offers_nothing_of_a_run(
    client, reviewer, tasks
):
    address = reverse("comparison:disagreements", args=[tasks[0].campaign_id])
    page = client.get(address)
    assert [row.task.pk for row in page.context["rows"]] == [tasks[place].pk for place in (1, 2, 3, 5)]
    assert [list(row.people) for row in page.context["rows"]][1] == [None, None, 1]
    assert [link.kind for link in page.context["kinds"]] == [Kind.PEOPLE, Kind.UNMARKED]
    assert "No run has judged" not in page.content.decode()


def test_without_a_run_the_comparison_says_so_and_leads_to_what_people_differ_in(client, reviewer, tasks):
    page = client.get(reverse("comparison:campaign", args=[tasks[0].campaign_id]))
    text = page.content.decode()
    assert "the run does not say" not in text and "There is no run to compare them with" in text
    assert page.context["found"].between.differ == 4
    assert {link.kind: link.count for link in page.context["kinds"]} == {Kind.PEOPLE: 4, Kind.UNMARKED: 0}
    assert f'href="{page.context["people_differ"]}"' in text


def test_each_pair_leads_to_the_solutions_on_which_these_two_differ(client, reviewer, tasks):
    page = client.get(reverse("comparison:campaign", args=[tasks[0].campaign_id]))
    (first, second, pair, url), *_others = page.context["pairs"]
    assert ({first.username, second.username}, pair.exact) == ({"ann", "bob"}, 0.5)
    assert url.replace("&", "&amp;") in page.content.decode()
    rows = client.get(url).context["rows"]
    assert [row.task.pk for row in rows] == [tasks[place].pk for place in (1, 3, 5)]
    assert all(len(row.people) == 2 for row in rows)


def test_a_task_is_decided_from_the_list_and_leads_on_to_the_next_without_a_run(client, reviewer, tasks):
    address = reverse("comparison:task", args=[tasks[0].campaign_id, tasks[2].pk])
    page = client.get(address, {"kind": "people"})
    assert (page.context["previous"], page.context["following"]) == (tasks[1].pk, tasks[3].pk)
    client.post(address + "?kind=people", {"positions": ["1"]})
    assert Adjudication.objects.get().positions == [1]


def test_each_count_of_differences_is_the_length_of_the_list_it_leads_to(client, reviewer, tasks):
    campaign = tasks[0].campaign
    run = make_estimate_run()
    for task, first in zip(tasks, (0, 0, 1, 2, None, 1), strict=True):
        make_estimates(task.solution, [1.0, 0.5, 0.0], run, first)
    page = client.get(f"{reverse('comparison:campaign', args=[campaign.pk])}?run={run.pk}")
    told = {link.kind: link.count for link in page.context["kinds"]}
    listed = {kind: len(task_ids(campaign, run, kind)) for kind in Kind}
    assert told == listed and listed[Kind.ANY] < sum(listed[kind] for kind in RUN_DIFFERS)


def test_with_a_run_both_kinds_of_differences_are_offered(client, reviewer, tasks):
    campaign = tasks[0].campaign
    campaign.estimate_run = make_estimates(tasks[1].solution, [1.0, 1.0, 0.0], make_estimate_run(), 2)
    campaign.save()
    page = client.get(reverse("comparison:disagreements", args=[campaign.pk]))
    assert page.context["kind"] == Kind.ANY
    assert [link.kind for link in page.context["kinds"]] == list(Kind)


def test_an_imported_look_counts_as_another_ones(people):
    task = make_task(make_campaign(), make_solution(["One.", "Two."]))
    make_annotation(task, people[0], [-1])
    make_annotation(task, make_machine(), [1, 1])
    assert differing([task]) == [0]


@pytest.mark.parametrize("name", ["campaign", "disagreements"])
def test_the_pages_carry_the_campaigns_tabs(client, reviewer, tasks, name):
    campaign = tasks[0].campaign
    page = client.get(reverse(f"comparison:{name}", args=[campaign.pk])).content.decode()
    for tab in ("detail", "tasks", "members"):
        assert f'href="{reverse(f"campaigns:{tab}", args=[campaign.pk])}"' in page
    assert page.count("<h1>") == 1


def test_each_row_of_the_queue_leads_a_reviewer_to_its_task(client, reviewer, tasks):
    campaign = tasks[0].campaign
    page = client.get(reverse("campaigns:tasks", args=[campaign.pk])).content.decode()
    for task in tasks:
        assert f'href="{reverse("comparison:task", args=[campaign.pk, task.pk])}"' in page


def test_a_decision_leads_on_to_the_next_of_the_list_where_that_is_asked(client, reviewer, tasks):
    address = reverse("comparison:task", args=[tasks[0].campaign_id, tasks[2].pk]) + "?kind=people"
    answer = client.post(address, {"positions": ["1"], "then": "next"})
    following = reverse("comparison:task", args=[tasks[0].campaign_id, tasks[3].pk])
    assert answer.url == f"{following}?kind=people"
    assert Adjudication.objects.get().task == tasks[2]
    # A refused decision goes nowhere, and the last of the list has no next.
    assert client.post(address, {"then": "next"}).status_code == 200
    last = reverse("comparison:task", args=[tasks[0].campaign_id, tasks[5].pk]) + "?kind=people"
    assert "go to the next" not in client.get(last).content.decode()
    assert client.post(last, {"positions": ["1"], "then": "next"}).url == last


def test_a_task_that_no_list_led_to_names_none_as_the_way_back(client, reviewer, tasks):
    address, words = reverse("comparison:task", args=[tasks[0].campaign_id, tasks[0].pk]), "people differ</a>"
    assert words not in client.get(address).content.decode()
    assert words in client.get(address + "?kind=people").content.decode()


def test_whoever_comes_from_no_list_is_offered_no_next_of_one(client, reviewer, tasks):
    """To find it means to go over the whole campaign, and nobody asked for a list."""
    address = reverse("comparison:task", args=[tasks[0].campaign_id, tasks[2].pk])
    with CaptureQueriesContext(connection) as from_list:
        client.get(address + "?kind=people")
    with CaptureQueriesContext(connection) as alone:
        page = client.get(address)
    assert (page.context["previous"], page.context["following"]) == (None, None)
    assert "go to the next</button>" not in page.text
    assert len(alone) <= len(from_list) - 2
    assert client.post(address, {"positions": ["1"], "then": "next"}).url == address + "?"
