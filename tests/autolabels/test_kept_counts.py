"""The form for a search asks anew at each change, and every two seconds while a pilot runs: for the same solutions."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from labelsite.autolabels import budget
from labelsite.campaigns.models import Campaign
from tests.factories import make_campaign, make_problem, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db
FORM = {"method": "math-shepherd", "policy": "pocket", "seed": "0"}


@pytest.fixture
def campaign(client: Client) -> Campaign:
    client.force_login(make_user("admin"))
    campaign = make_campaign()
    for _ in range(3):
        make_task(campaign, make_solution(["One.", "Two."]))
    make_task(campaign, make_solution(["One."], make_problem("Why?", answer=None)))
    return campaign


def asked(client: Client, campaign: Campaign, **fields: str) -> tuple[budget.Budget, int]:
    """What the form is told, and how many queries went over the campaign's solutions."""
    with CaptureQueriesContext(connection) as queries:
        page = client.get(reverse("comparison:estimate", args=[campaign.pk]), {**FORM, **fields})
    counted = [query for query in queries if "COUNT" in query["sql"] and "campaigns_task" in query["sql"]]
    return page.context["budget"], len(counted)


def test_a_large_campaign_s_solutions_are_counted_once_whatever_changes_in_the_form(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LARGE", 2)
    first, counted = asked(client, campaign, rollouts="4")
    assert (first.items, first.steps, first.without_answer, first.rollouts) == (3, 6, 1, 4)
    assert counted
    again, counted = asked(client, campaign, rollouts="8")
    assert (again.items, again.steps, again.without_answer, again.rollouts) == (3, 6, 1, 8)
    assert again.most_rollouts == 2 * (first.most_rollouts or 0) and not counted
    by_majority, counted = asked(client, campaign, rollouts="4", reference="self-consistency", voters="5")
    assert (by_majority.items, by_majority.without_answer) == (4, 0) and counted
    assert (
        by_majority.votes
        == 5 * Campaign.objects.filter(pk=campaign.pk).values("tasks__solution__problem").distinct().count()
    )
    cache.clear()
    make_task(campaign, make_solution(["One."]))
    assert asked(client, campaign, rollouts="4")[0].items == 4


def test_what_is_kept_of_one_method_is_no_price_of_another_that_spares_right_answers(
    client: Client, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "LARGE", 1)
    assert asked(client, campaign, method="math-shepherd")[1]
    assert asked(client, campaign, method="omegaprm")[1]
    assert not asked(client, campaign, method="omegaprm", rollouts="2")[1]


def test_a_small_campaign_is_counted_as_it_stands(client: Client, campaign: Campaign) -> None:
    asked(client, campaign, rollouts="4")
    make_task(campaign, make_solution(["One."]))
    assert asked(client, campaign, rollouts="4")[0].items == 4
