"""A script pulls what reviewers decided, what was replaced too, and misses nothing that is kept meanwhile."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign
from labelsite.comparison.models import Adjudication
from labelsite.comparison.services import adjudicate
from tests.factories import make_campaign, make_task, make_user
from tests.transactions import held, in_background


@pytest.fixture
def judge(db: None) -> User:
    return make_user("reviewer", username="ruth")


def pull(script: APIClient, campaign: Campaign, after: object = 0) -> list[dict[str, Any]]:
    answer: Any = script.get(f"/api/v1/campaigns/{campaign.pk}/decisions/?after={after}")
    assert answer.status_code == 200, answer.content
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]


def test_each_decision_comes_as_a_line_also_when_it_was_replaced(
    reviewer: APIClient, campaign: Campaign, judge: User
):
    assert pull(reviewer, campaign) == []
    task = make_task(campaign)
    old = adjudicate(task, judge, [1], note="drops the sign")
    new = adjudicate(task, judge, [-1], make_gold=True)
    # The same solution in another campaign is another task, whose decisions are no line here.
    adjudicate(make_task(make_campaign("D"), task.solution), judge, [0])
    first, second = pull(reviewer, campaign)
    assert first == {
        "id": old.pk, "task": task.pk, "solution": task.solution_id,
        "external_id": task.solution.external_id, "positions": [1], "note": "drops the sign",
        "reviewer": "ruth", "made_gold": False, "is_live": False, "created_at": old.created_at.isoformat(),
    }  # fmt: skip
    assert (second["id"], second["positions"], second["made_gold"], second["is_live"]) == (
        new.pk, [-1], True, True,
    )  # fmt: skip


def test_a_pull_goes_on_behind_its_last_line(reviewer: APIClient, campaign: Campaign, judge: User):
    for _ in range(2):
        adjudicate(make_task(campaign), judge, [0])
    seen = pull(reviewer, campaign)
    assert pull(reviewer, campaign, seen[0]["id"]) == seen[1:]
    assert pull(reviewer, campaign, seen[1]["id"]) == []
    later = adjudicate(make_task(campaign), judge, [0])
    assert [row["id"] for row in pull(reviewer, campaign, seen[1]["id"])] == [later.pk]


def test_an_id_of_another_campaign_or_none_at_all_is_refused(
    reviewer: APIClient, campaign: Campaign, judge: User
):
    elsewhere = adjudicate(make_task(), judge, [0])
    for after in (elsewhere.pk, "x", 10**9, 10**40, -1):
        answer = reviewer.get(f"/api/v1/campaigns/{campaign.pk}/decisions/?after={after}")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), after


@pytest.mark.django_db(transaction=True)
def test_a_pull_waits_for_a_decision_that_is_being_kept_under_a_lower_id(
    reviewer: APIClient, campaign: Campaign, judge: User
):
    slow, quick = make_task(campaign), make_task(campaign)
    found: list[dict[str, Any]] = []
    with held(lambda: adjudicate(slow, judge, [0])) as let_go:
        # Who keeps a decision does not wait for others who do.
        late = adjudicate(quick, judge, [0])
        pulling = in_background(lambda: found.extend(pull(reviewer, campaign)))
        pulling.join(0.5)
        assert pulling.is_alive() and not found
        let_go.set()
        pulling.join(20)
    assert [row["id"] for row in found] == sorted(Adjudication.objects.values_list("pk", flat=True))
    assert found[-1]["id"] == late.pk and len(found) == 2


def test_many_lines_ask_no_more_than_one(
    reviewer: APIClient, campaign: Campaign, judge: User, django_assert_max_num_queries: Any
):
    for _ in range(6):
        adjudicate(make_task(campaign), judge, [0])
    with django_assert_max_num_queries(10):
        assert len(pull(reviewer, campaign)) == 6


def test_decisions_are_for_reviewers_and_admins(
    admin: APIClient, reviewer: APIClient, annotator: APIClient, outsider: APIClient, campaign: Campaign
):
    scripts = (admin, reviewer, annotator, outsider, APIClient())
    url = f"/api/v1/campaigns/{campaign.pk}/decisions/"
    assert [script.get(url).status_code for script in scripts] == [200, 200, 403, 403, 401]
