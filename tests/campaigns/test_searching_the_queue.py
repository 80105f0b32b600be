"""A task is found in the queue by the words of its problem, its source, its writer and its number."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from labelsite.campaigns.models import Campaign, TaskKind
from tests.factories import make_campaign, make_problem, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign() -> Campaign:
    """Trains of two sources and writers, and a boat; a gold item and a screening item, and a train that is done."""
    campaign = make_campaign()
    for text, source, generator, fields in (
        ("A train leaves at noon.", "gsm8k", "small", {}),
        ("A boat leaves at noon.", "gsm8k", "large", {}),
        ("Two TRAINS meet & greet.", "math", "large", {}),
        ("A golden train.", "math", "small", {"kind": TaskKind.GOLD, "gold": [0]}),
        ("A train to be admitted.", "math", "small", {"kind": TaskKind.SCREENING, "gold": [0]}),
        ("A train that is gone.", "gsm8k", "small", {"state": "done", "remaining": 0}),
    ):
        problem = make_problem(text, source=source)
        make_task(campaign, make_solution(problem=problem, generator=generator), **fields)
    return campaign


def reader(client: Client, role: str = "reviewer") -> Client:
    client.force_login(make_user(role))
    return client


def found(client: Client, campaign: Campaign, **asked: object) -> list[str]:
    page = client.get(f"/campaigns/{campaign.pk}/tasks/", asked)
    return [task.solution.problem.text for task in page.context["rows"]]


@pytest.mark.parametrize(
    ("asked", "texts"),
    [
        ({"words": "train"}, ["A train leaves at noon.", "Two TRAINS meet & greet."]),
        ({"words": "train", "source": "math"}, ["Two TRAINS meet & greet."]),
        ({"generator": "large"}, ["A boat leaves at noon.", "Two TRAINS meet & greet."]),
        ({"first": 2, "last": 2}, ["A boat leaves at noon."]),
        ({"words": "train", "state": "done"}, ["A train that is gone."]),
        ({"words": "train", "kind": "gold"}, ["A golden train."]),
        ({"words": "train", "kind": "screening"}, ["A train to be admitted."]),
        ({"words": "plane"}, []),
    ],
)
def test_a_search_narrows_whichever_list_is_shown(client, campaign, asked, texts) -> None:
    assert found(reader(client), campaign, **asked) == texts


def test_what_was_searched_for_stays_through_pages_states_and_actions(client, campaign, monkeypatch) -> None:
    monkeypatch.setattr("labelsite.campaigns.queue_views.PAGE", 1)
    address = f"/campaigns/{campaign.pk}/tasks/"
    page = reader(client, "admin").get(address, {"words": "train", "source": ""}).content.decode()
    links = {unescape(link) for link in re.findall(r'href="(\?[^"]+)"', page)}
    states = {f"?kind=work&state={state}&words=train" for state in ("open", "done", "set_aside")}
    kinds = {f"?kind={kind}&words=train" for kind in ("work", "gold", "screening")}
    assert states | kinds <= links
    (further,) = [link for link in links if "after=" in link]
    second = client.get(address + further)
    assert [task.solution.problem.text for task in second.context["rows"]] == ["Two TRAINS meet & greet."]
    assert second.context["further"] == ""
    actions = re.findall(r'method="post" action="([^"]+/(?:reorder|pick|kind)/[^"]*)"', page)
    assert len(actions) == 3
    for action in actions:
        answer = client.post(unescape(action), {"section": "s", "kind": "work"})
        assert answer.url.startswith(address) and "words=train" in answer.url, action


def test_a_search_that_cannot_be_is_told_and_finds_nothing(client, campaign) -> None:
    page = reader(client).get(f"/campaigns/{campaign.pk}/tasks/", {"first": 3, "last": 2})
    assert not page.context["rows"]
    assert "The last number comes before the first one." in page.content.decode()


def test_without_a_search_the_fields_are_folded_and_cost_no_query(
    client, campaign, django_assert_max_num_queries
) -> None:
    reader(client)
    with django_assert_max_num_queries(10):
        page = client.get(f"/campaigns/{campaign.pk}/tasks/").content.decode()
    assert "<details><summary>Find tasks" in page and 'name="words"' in page
    assert (
        "<details open><summary>Find tasks"
        in client.get(f"/campaigns/{campaign.pk}/tasks/", {"words": "boat"}).content.decode()
    )
