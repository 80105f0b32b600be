"""A script pulls the stored estimates and scores of a campaign's steps bit by bit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from labelsite.campaigns.models import Campaign, Task
from tests.factories import (
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_scores,
    make_solution,
    make_task,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(campaign: Campaign) -> Task:
    task = make_task(campaign)
    # The same solution in another campaign has another task, which no line is of.
    make_task(make_campaign("D"), task.solution)
    return task


def pull(script: APIClient, campaign: Campaign, what: str, query: str = "") -> list[dict[str, Any]]:
    answer: Any = script.get(f"/api/v1/campaigns/{campaign.pk}/{what}/{query}")
    assert answer.status_code == 200, answer.content
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]


def test_the_campaigns_own_estimates_come_a_line_for_each_step(
    reviewer: APIClient, campaign: Campaign, task: Task
):
    assert pull(reviewer, campaign, "step-estimates") == []
    run = make_estimates(task.solution, [0.75, 0.0])
    make_estimates(make_solution(), [0.5, 0.5], run=run)
    campaign.estimate_run = run
    campaign.save()
    first, second = pull(reviewer, campaign, "step-estimates")
    steps = list(task.solution.step_rows.order_by("position"))
    assert first == {
        "id": first["id"], "run": run.pk, "task": task.pk, "solution": task.solution_id,
        "external_id": task.solution.external_id, "step": steps[0].pk, "position": 0, "option": 0,
        "visits": 16, "correct": 12, "q_value": 0.75, "hard": 1, "soft": 0.75, "quality_value": None,
    }  # fmt: skip
    assert (second["step"], second["q_value"]) == (steps[1].pk, 0.0)


def test_scores_come_a_line_for_each_step_of_the_run_that_is_asked_for(
    reviewer: APIClient, campaign: Campaign, task: Task
):
    own, other = make_scores(task.solution, [0.9, 0.1]), make_scores(task.solution, [0.6, 0.4])
    campaign.score_run = own
    campaign.save()
    assert [row["score"] for row in pull(reviewer, campaign, "step-scores")] == [0.9, 0.1]
    rows = pull(reviewer, campaign, "step-scores", f"?run={other.pk}")
    assert [(row["run"], row["task"], row["score"]) for row in rows] == [
        (other.pk, task.pk, 0.6), (other.pk, task.pk, 0.4),
    ]  # fmt: skip


def test_a_pull_goes_on_behind_its_last_line_while_the_run_still_works(
    reviewer: APIClient, campaign: Campaign, task: Task
):
    run = make_estimate_run(loaded_at=None)
    make_estimates(task.solution, [0.75, 0.0], run=run)
    seen = pull(reviewer, campaign, "step-estimates", f"?run={run.pk}")
    assert pull(reviewer, campaign, "step-estimates", f"?run={run.pk}&after={seen[-1]['id']}") == []
    later = make_task(campaign)
    make_estimates(later.solution, [1.0, 1.0], run=run)
    rows = pull(reviewer, campaign, "step-estimates", f"?run={run.pk}&after={seen[-1]['id']}")
    assert [row["task"] for row in rows] == [later.pk] * 2


@pytest.mark.parametrize("what", ["step-estimates", "step-scores"])
def test_an_id_of_another_run_or_none_at_all_is_refused(
    reviewer: APIClient, campaign: Campaign, task: Task, what: str
):
    make: Any = make_estimates if what == "step-estimates" else make_scores
    one, other = make(task.solution, [0.9, 0.1]), make(task.solution, [0.6, 0.4])
    last = pull(reviewer, campaign, what, f"?run={one.pk}")[-1]["id"]
    for query in (
        f"?run={other.pk}&after={last}", f"?run={one.pk}&after=x", f"?run={one.pk}&after={10**9}",
        f"?run={one.pk}&after={10**40}", "?run=x", f"?run={10**9}",
    ):  # fmt: skip
        answer = reviewer.get(f"/api/v1/campaigns/{campaign.pk}/{what}/{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed"), query


def test_many_lines_ask_no_more_than_one(
    reviewer: APIClient, campaign: Campaign, task: Task, django_assert_max_num_queries: Any
):
    run = make_scores(task.solution, [0.9, 0.1])
    for _ in range(5):
        make_scores(make_task(campaign).solution, [0.9, 0.1], run=run)
    with django_assert_max_num_queries(8):
        assert len(pull(reviewer, campaign, "step-scores", f"?run={run.pk}")) == 12


@pytest.mark.parametrize("what", ["step-estimates", "step-scores"])
def test_machine_labels_are_for_reviewers_and_admins(
    admin: APIClient,
    reviewer: APIClient,
    annotator: APIClient,
    outsider: APIClient,
    campaign: Campaign,
    what: str,
):
    scripts = (admin, reviewer, annotator, outsider, APIClient())
    url = f"/api/v1/campaigns/{campaign.pk}/{what}/"
    assert [script.get(url).status_code for script in scripts] == [200, 200, 403, 403, 401]
