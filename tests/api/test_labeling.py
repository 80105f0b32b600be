"""A script labels: next task, draft, heartbeat, submit, and what it may never read."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Campaign, Exposure, Task
from tests.api.conftest import script_of
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimates,
    make_machine,
    make_member,
    make_scores,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(ann: User) -> Campaign:
    return make_campaign(members=[ann], overlap=2)


@pytest.fixture
def task(campaign: Campaign) -> Task:
    solution = make_solution(["We add.", "So 5."], final_answer="5", is_correct=False, generator="a model")
    return make_task(campaign, solution, gold=[1], gold_source="reviewer", priority_reason="sure but wrong")


def next_task(client: APIClient, campaign: Campaign) -> dict[str, Any]:
    response = client.post(f"/api/v1/campaigns/{campaign.pk}/next/")
    assert response.status_code == 200, response.content
    return response.json()


def submission(found: dict[str, Any], ratings: list[int], **more: Any) -> dict[str, Any]:
    options = [option["id"] for option in found["options"]]
    return {
        "assignment": found["assignment"],
        "token": found["token"],
        "idempotency_key": str(uuid.uuid4()),
        "judgement": {
            "finish_reason": "found_error" if -1 in ratings else "solution",
            "ratings": [
                {"step": step, "rating": rating} for step, rating in zip(options, ratings, strict=True)
            ],
            "total_time_ms": 12_000,
        },
        **more,
    }


def submit(client: APIClient, body: dict[str, Any]) -> Any:
    return client.post("/api/v1/annotations/", body, format="json")


def test_a_task_is_claimed_kept_drafted_and_submitted(annotator: APIClient, campaign: Campaign, task: Task):
    found = next_task(annotator, campaign)
    assert [option["text"] for option in found["options"]] == ["We add.", "So 5."]
    assert next_task(annotator, campaign)["assignment"] == found["assignment"]
    assert found["task"] == task.pk
    assert "external_id" not in found
    url = f"/api/v1/assignments/{found['assignment']}/"
    assert annotator.post(f"{url}heartbeat/", {"token": found["token"]}, format="json").json() == {
        "held": True
    }
    draft = {"token": found["token"], "version": 0, "draft": {"ratings": {"1": 1}}}
    assert annotator.put(f"{url}draft/", draft, format="json").json() == {"version": 1, "held": True}
    assert next_task(annotator, campaign)["draft"] == {"ratings": {"1": 1}}
    response = submit(annotator, submission(found, [1, -1]))
    assert response.status_code == 201
    assert response.json()["first_mistake"] == 1
    annotation = Annotation.objects.get()
    assert (annotation.annotator.username, annotation.trajectory) == ("ann", [1, -1])


def test_the_same_submission_twice_is_stored_once(annotator: APIClient, campaign: Campaign, task: Task):
    body = submission(next_task(annotator, campaign), [1, 1])
    first, second = submit(annotator, body), submit(annotator, body)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert Annotation.objects.count() == 1


def test_the_key_may_stand_in_a_header(annotator: APIClient, campaign: Campaign, task: Task):
    body = submission(next_task(annotator, campaign), [1, 1])
    key = body.pop("idempotency_key")
    missing = submit(annotator, body)
    assert (missing.status_code, missing.json()["code"]) == (400, "malformed")
    sent = annotator.post("/api/v1/annotations/", body, format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert sent.status_code == 201
    assert str(Annotation.objects.get().idempotency_key) == key


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"token": str(uuid.uuid4())}, 409, "lease_lost"),
        ({"assignment": 10**9}, 404, "not_found"),
        ({"judgement": {"finish_reason": "give_up"}}, 422, "no_reason"),
        ({"judgement": {"finish_reason": "solution", "ratings": []}}, 422, "incomplete"),
        ({"judgement": {"finish_reason": "bored"}}, 400, "invalid"),
        ({"judgement": "all fine"}, 400, "invalid"),
        ({"idempotency_key": "again"}, 400, "invalid"),
    ],
)
def test_a_refusal_is_a_problem_with_a_code_and_stores_nothing(
    annotator: APIClient, campaign: Campaign, task: Task, change: dict, status: int, code: str
):
    response = submit(annotator, submission(next_task(annotator, campaign), [1, 1]) | change)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["detail"]
    assert not Annotation.objects.exists()


def test_a_first_mistake_that_the_ratings_contradict_is_refused_and_both_are_told(
    annotator: APIClient, campaign: Campaign, task: Task
):
    body = submission(next_task(annotator, campaign), [1, -1])
    body["judgement"]["first_mistake"] = 0
    response = submit(annotator, body)
    assert (response.status_code, response.json()["code"]) == (422, "contradiction")
    (told,) = response.json()["errors"]["judgement"]["first_mistake"]
    assert "first_mistake is 0, but by the ratings it is 1" in told
    assert not Annotation.objects.exists()
    body["judgement"]["first_mistake"] = 1
    assert submit(annotator, body).status_code == 201


def test_a_stale_draft_comes_back_with_the_newer_one(annotator: APIClient, campaign: Campaign, task: Task):
    found = next_task(annotator, campaign)
    url = f"/api/v1/assignments/{found['assignment']}/draft/"
    body = {"token": found["token"], "version": 0, "draft": {"first": 1}}
    annotator.put(url, body, format="json")
    response = annotator.put(url, body | {"draft": {"first": 0}}, format="json")
    assert response.status_code == 409
    assert (response.json()["code"], response.json()["draft"]) == ("stale_draft", {"first": 1})


def test_why_there_is_no_task_is_said(annotator: APIClient, ann: User):
    assert next_task(annotator, make_campaign(members=[ann]))["nothing"]["reason"] == "no_tasks"


def test_a_colleagues_assignment_is_not_mine(annotator: APIClient, campaign: Campaign, task: Task):
    colleague = make_user()
    make_member(campaign, colleague)
    found = next_task(annotator, campaign)
    other = script_of(colleague)
    url = f"/api/v1/assignments/{found['assignment']}/"
    body = {"token": found["token"], "version": 0, "draft": {}}
    token = {"token": found["token"]}
    assert other.post(f"{url}heartbeat/", token, format="json").json() == {"held": False}
    assert other.put(f"{url}draft/", body, format="json").status_code == 404
    assert submit(other, submission(found, [1, 1])).status_code == 404
    assert not Annotation.objects.exists()


def test_an_annotator_reads_nothing_of_machines_gold_and_other_people(
    annotator: APIClient, campaign: Campaign, task: Task, ann: User
):
    """Whatever an annotator's token gets from any endpoint, none of it holds what must stay hidden."""
    other = make_user(username="somebody-else")
    make_annotation(task, other, [1, -1], reason="peer-reason")
    make_annotation(task, make_machine("imported:secret-source"), [1, -1], origin="import")
    campaign.estimate_run = make_estimates(task.solution, [0.8125, 0.0625], first_mistake=1)
    campaign.score_run = make_scores(task.solution, [0.7317, 0.1234])
    campaign.ordering = "convincing_wrong"
    campaign.save()
    found = next_task(annotator, campaign)
    seen = [json.dumps(found)]
    for url in (
        "campaigns/",
        f"campaigns/{campaign.pk}/",
        f"campaigns/{campaign.pk}/annotations/",
        "jobs/",
        "snapshots/",
    ):
        seen.append(annotator.get(f"/api/v1/{url}").content.decode())
    seen.append(submit(annotator, submission(found, [1, -1])).content.decode())
    hidden = [
        "0.8125", "0.0625", "0.7317", "0.1234", "somebody-else", "peer-reason", "secret-source", "gold",
        "sure but wrong", "is_correct", "estimate_run", "score_run", "q_value", "a model", "screening",
    ]  # fmt: skip
    assert [word for word in hidden if any(word in text for text in seen)] == []


def test_an_assisted_task_shows_machine_labels(annotator: APIClient, ann: User):
    campaign = make_campaign(members=[ann], exposure=Exposure.BEFORE)
    task = make_task(campaign)
    campaign.estimate_run = make_estimates(task.solution, [0.8125, 0.0625])
    campaign.save()
    found = next_task(annotator, campaign)
    assert [option["machine"]["q_value"] for option in found["options"]] == [0.8125, 0.0625]


def test_all_annotations_come_as_lines_to_admins_only(
    admin: APIClient, reviewer: APIClient, annotator: APIClient, campaign: Campaign, task: Task, ann: User
):
    first = make_annotation(task, ann, [1, -1])
    second = make_annotation(task, make_user(username="bob"), [1, 1])
    url = f"/api/v1/campaigns/{campaign.pk}/annotations/"
    assert annotator.get(url).status_code == reviewer.get(url).status_code == 403
    assert reviewer.get(url).json()["detail"] == "Only admins may do this."

    def pull(query: str = "") -> list[dict[str, Any]]:
        body = b"".join(admin.get(url + query).streaming_content).decode()  # type: ignore[attr-defined]
        return [json.loads(line) for line in body.splitlines()]

    assert [(row["annotator"], row["trajectory"]) for row in pull()] == [("ann", [1, -1]), ("bob", [1, 1])]
    assert pull()[0]["solution"]["positions"][0] == {
        "options": ["We add."], "sources": ["model"], "chosen": 0
    }  # fmt: skip
    assert [row["id"] for row in pull(f"?after={first.pk}")] == [second.pk]
    assert [row["labeler"] for row in pull("?shape=prm800k")] == ["ann", "bob"]
    for query, complaint in (
        ("?shape=pickle", "shape='pickle', expected one of misstep, prm800k"),
        ("?affter=3", "affter='3', no such field, expected after"),
        ("?after=x", "after='x', expected the id of an annotation of this campaign"),
    ):
        refused = admin.get(url + query)
        assert (refused.status_code, refused.json()["detail"]) == (400, complaint)
