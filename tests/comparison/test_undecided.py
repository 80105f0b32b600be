"""The lists of disagreements are what is left to decide; what is decided is there for whoever asks for it, too."""

from __future__ import annotations

import pytest
from django.urls import reverse

from labelsite.comparison.against import EVERYBODY, Against
from labelsite.comparison.disagreements import Kind, decided_counts, task_ids
from labelsite.comparison.services import adjudicate
from tests.factories import (
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
def reviewer(client):
    user = make_user("reviewer")
    client.force_login(user)
    return user


@pytest.fixture
def campaign():
    """In each of four solutions two people name different steps, and the run is earlier than both."""
    people, run = [make_user(username=name) for name in ("ann", "bob")], make_estimate_run()
    campaign = make_campaign(estimate_run=run)
    for _ in range(4):
        task = make_task(campaign, make_solution(["One.", "Two.", "Three."]), overlap=2)
        make_estimates(task.solution, [0.0, 0.0, 0.0], run, 0)
        for person, trajectory in zip(people, ([1, -1], [1, 1, -1]), strict=True):
            make_annotation(task, person, trajectory)
    return campaign


def numbers(campaign):
    return list(campaign.tasks.order_by("pk").values_list("pk", flat=True))


def listed(page):
    return [row.task.pk for row in page.context["rows"]]


@pytest.mark.parametrize("kind", ["people", "earlier"])
def test_a_list_shows_what_is_undecided_and_leads_to_what_is_decided_too(
    client, reviewer, campaign, kind
) -> None:
    first, second, third, fourth = numbers(campaign)
    adjudicate(campaign.tasks.get(pk=second), reviewer, [1])
    address = reverse("comparison:disagreements", args=[campaign.pk])
    page = client.get(address, {"kind": kind})
    assert listed(page) == [first, third, fourth]
    all_of_them = client.get(page.context["other_view"])
    assert listed(all_of_them) == [first, second, third, fourth]
    assert listed(client.get(all_of_them.context["other_view"])) == [first, third, fourth]
    assert f'kind={kind}&amp;decided=1"' in all_of_them.text


def test_a_list_of_which_all_is_decided_says_so_and_not_that_they_agree(client, reviewer, campaign) -> None:
    for task in campaign.tasks.all():
        adjudicate(task, reviewer, [1])
    address = reverse("comparison:disagreements", args=[campaign.pk])
    assert "Each of them is decided." in client.get(address).text
    assert "None. Here they agree." in client.get(address, {"kind": "misses"}).text


def test_next_and_previous_pass_over_what_is_decided_unless_the_list_had_it(
    client, reviewer, campaign
) -> None:
    first, second, third, fourth = numbers(campaign)
    for task in (second, third):
        adjudicate(campaign.tasks.get(pk=task), reviewer, [1])
    for task, beside, beside_all in [
        (first, (None, fourth), (None, second)),
        # Also from one that is decided itself.
        (third, (first, fourth), (second, fourth)),
    ]:
        address = reverse("comparison:task", args=[campaign.pk, task])
        for query, expected in [("?kind=people", beside), ("?kind=people&decided=1", beside_all)]:
            page = client.get(address + query)
            assert (page.context["previous"], page.context["following"]) == expected
    address = reverse("comparison:task", args=[campaign.pk, first])
    answer = client.post(address + "?kind=people", {"positions": ["1"], "then": "next"})
    assert answer.url == reverse("comparison:task", args=[campaign.pk, fourth]) + "?kind=people"


def test_the_counts_of_the_comparison_say_how_many_are_undecided(
    client, reviewer, campaign, django_assert_max_num_queries
) -> None:
    address = reverse("comparison:campaign", args=[campaign.pk])
    assert "undecided" not in client.get(address).text
    adjudicate(campaign.tasks.first(), reviewer, [1])
    with django_assert_max_num_queries(13):
        page = client.get(address)
    assert page.text.count("undecided: 3") == len([link for link in page.context["kinds"] if link.decided])
    for link in page.context["kinds"]:
        undecided = task_ids(campaign, campaign.estimate_run, link.kind, with_decided=False)
        assert link.undecided == len(undecided)


@pytest.mark.parametrize("against", [EVERYBODY, Against(is_gold=True), Against(is_blind=True)])
def test_what_is_decided_is_counted_by_the_same_rule_as_it_is_listed(reviewer, campaign, against) -> None:
    for task, gold in zip(campaign.tasks.order_by("pk"), ([0], [1], [2], [-1]), strict=True):
        campaign.tasks.filter(pk=task.pk).update(gold=gold, gold_source="test")
        adjudicate(task, reviewer, gold)
    run, kinds = campaign.estimate_run, [kind for kind in Kind if kind != Kind.PEOPLE]
    counts = decided_counts(campaign, run, kinds, against)
    assert counts == {kind: len(task_ids(campaign, run, kind, against=against)) for kind in kinds}
    assert sum(counts.values())
