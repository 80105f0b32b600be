"""A script lets machines work: estimates, training, scores, and the queue's order."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from labelsite.autolabels.models import EstimateRun, Shard
from labelsite.campaigns.models import Campaign
from labelsite.jobs.models import Job, JobState
from labelsite.snapshots.services import freeze
from labelsite.training.models import TrainingRun
from labelsite.training.services import start_training
from tests.factories import (
    make_annotation,
    make_estimate_run,
    make_estimates,
    make_job,
    make_scores,
    make_task,
    make_user,
)
from tests.training.test_pages import make_checkpoint, make_snapshot

pytestmark = pytest.mark.django_db


def test_estimates_are_started_and_watched(admin: APIClient, reviewer: APIClient, campaign: Campaign):
    make_task(campaign)
    wanted = {"method": "math-shepherd", "rollouts": 4, "seed": 7}
    url, key = f"/api/v1/campaigns/{campaign.pk}/estimates/", {"HTTP_IDEMPOTENCY_KEY": str(uuid4())}
    started = admin.post(url, wanted, format="json", **key)
    assert started.status_code == 202, started.content
    assert admin.post(url, wanted, format="json", **key).json() == started.json()
    other = admin.post(url, {**wanted, "seed": 8}, format="json", **key)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    assert admin.post(url, wanted, format="json", HTTP_IDEMPOTENCY_KEY="mine").status_code == 400
    run = EstimateRun.objects.get()
    assert (run.seed, run.parameters["rollouts"]) == (7, 4)
    found = reviewer.get(f"/api/v1/estimates/{run.pk}/").json()
    assert (found["state"], found["total"], found["loaded_at"]) == ("queued", 1, None)
    assert found["jobs"] == [Job.objects.get().pk]


def test_training_is_started_on_a_snapshot(admin: APIClient, reviewer: APIClient, campaign: Campaign):
    make_annotation(make_task(campaign), make_user())
    snapshot = freeze(campaign, "human")
    wanted = {"snapshot": snapshot.pk, "labels": "human", "configuration": {"steps": 3}}
    started = admin.post("/api/v1/trainings/", wanted, format="json")
    assert started.status_code == 202, started.content
    run = TrainingRun.objects.get()
    assert "--steps" in run.job.spec["arguments"]
    found = reviewer.get(f"/api/v1/trainings/{run.pk}/").json()
    assert (found["snapshot"], found["job"], found["checkpoint"]) == (snapshot.pk, run.job_id, None)
    assert (found["state"], found["configuration"], found["metrics"]) == ("queued", {"steps": 3}, None)
    assert (found["name"], found["base"], found["seed"]) == (run.name, "pocket", 0)
    assert started.json() == found


def test_a_finished_training_tells_its_checkpoint_and_what_was_measured(reviewer: APIClient):
    run = start_training(make_snapshot(), "mixed", configuration={"steps": 3})
    Job.objects.filter(pk=run.job_id).update(state=JobState.DONE)
    checkpoint = make_checkpoint(run)
    (row,) = reviewer.get("/api/v1/trainings/").json()["results"]
    assert row == reviewer.get(f"/api/v1/trainings/{run.pk}/").json()
    assert (row["state"], row["checkpoint"], row["sha256"]) == ("done", checkpoint.pk, checkpoint.sha256)
    assert row["metrics"]["validation"]["f1"] == 0.7


def test_runs_of_estimates_and_scores_are_listed_the_newest_first(
    admin: APIClient, reviewer: APIClient, campaign: Campaign
):
    task = make_task(campaign)
    make_estimates(task.solution, [1.0, 0.5])
    admin.post(f"/api/v1/campaigns/{campaign.pk}/estimates/", {"rollouts": 2}, format="json")
    rows = reviewer.get("/api/v1/estimates/").json()["results"]
    assert [row["state"] for row in rows] == ["queued", "done"]
    assert rows[0] == reviewer.get(f"/api/v1/estimates/{rows[0]['id']}/").json()

    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    make_scores(task.solution, [0.9, 0.1])
    body = {"checkpoint": checkpoint.pk}
    started = admin.post(f"/api/v1/campaigns/{campaign.pk}/scores/", body, format="json")
    assert started.status_code == 202, started.content
    newest, elsewhere = reviewer.get("/api/v1/scores/").json()["results"]
    assert newest == started.json() == reviewer.get(f"/api/v1/scores/{newest['id']}/").json()
    assert (newest["campaign"], newest["checkpoint"], newest["state"]) == (
        campaign.pk,
        checkpoint.pk,
        "queued",
    )
    assert (elsewhere["campaign"], elsewhere["checkpoint"], elsewhere["state"]) == (None, None, "done")


def test_lists_of_runs_ask_as_much_for_many_as_for_one(reviewer: APIClient, django_assert_max_num_queries):
    for _ in range(5):
        make_estimate_run()
    with django_assert_max_num_queries(6):
        assert len(reviewer.get("/api/v1/estimates/").json()["results"]) == 5


def test_the_list_of_estimates_reads_no_job_of_a_run_that_is_loaded(reviewer: APIClient):
    run = make_estimate_run()
    for number in (1, 0):
        Shard.objects.create(run=run, number=number, job=make_job(), size=3, loaded_at=run.loaded_at)
    with CaptureQueriesContext(connection) as asked:
        (row,) = reviewer.get("/api/v1/estimates/").json()["results"]
    assert (row["state"], row["done"], row["total"]) == ("done", 6, 6)
    assert row["jobs"] == list(run.shards.order_by("number").values_list("job", flat=True))
    assert not [query["sql"] for query in asked if "jobs_job" in query["sql"]]
    assert row == reviewer.get(f"/api/v1/estimates/{run.pk}/").json()


def test_an_evaluation_is_started_and_listed_and_refused_as_the_page_does(
    admin: APIClient, reviewer: APIClient, campaign: Campaign
):
    task = make_task(campaign)
    checkpoint = make_checkpoint(start_training(make_snapshot(), "mixed"))
    url, body = f"/api/v1/checkpoints/{checkpoint.pk}/evaluations/", {"campaign": campaign.pk}
    unscored = admin.post(url, body, format="json")
    assert (unscored.status_code, "expected it to score it first" in unscored.json()["detail"]) == (422, True)
    scored = make_scores(task.solution, [0.9, 0.1])
    scored.job = make_job(spec={"campaign": campaign.pk})
    scored.save()
    checkpoint.score_runs.add(scored)
    key = {"HTTP_IDEMPOTENCY_KEY": str(uuid4())}
    unlabelled = admin.post(url, body, format="json", **key)
    assert (unlabelled.status_code, "has a label" in unlabelled.json()["detail"]) == (422, True)
    assert admin.post(url, {**body, "kind": "taste"}, format="json").status_code == 400
    assert admin.post(url, {"campaign": 10**9}, format="json").status_code == 400
    make_annotation(task, make_user())
    # What was refused kept no key.
    started = admin.post(url, body, format="json", **key)
    assert started.status_code == 202, started.content
    assert admin.post(url, body, format="json", **key).json() == started.json()
    assert (started.json()["kind"], started.json()["state"]) == ("first-mistake", "queued")
    assert reviewer.get(url).json()["results"] == [started.json()]
    assert reviewer.get("/api/v1/evaluations/").json()["results"] == [started.json()]


def test_the_queue_is_listed_in_its_order(reviewer: APIClient, campaign: Campaign):
    last, first = make_task(campaign), make_task(campaign, priority=2, priority_reason="sure but wrong")
    make_task(campaign, remaining=0)
    make_task(campaign, kind="gold", gold=[0], priority=9)
    queue = reviewer.get(f"/api/v1/campaigns/{campaign.pk}/queue/").json()
    assert [(row["task"], row["priority_reason"]) for row in queue] == [
        (first.pk, "sure but wrong"),
        (last.pk, ""),
    ]
    assert len(reviewer.get(f"/api/v1/campaigns/{campaign.pk}/queue/?limit=1").json()) == 1
    assert reviewer.get(f"/api/v1/campaigns/{campaign.pk}/queue/?limit=all").status_code == 400


@pytest.mark.parametrize(
    ("url", "body", "status"),
    [
        ("campaigns/{campaign}/estimates/", {"policy": "--config=/etc/passwd"}, 400),
        ("campaigns/{campaign}/estimates/", {"policy": "gpt-4"}, 400),
        ("estimates/", {"source": "pocket", "limit": 1, "policy": "localhost:8000/v1"}, 400),
        ("campaigns/{campaign}/estimates/", {"method": "guessing"}, 400),
        ("campaigns/{campaign}/estimates/", {"rollouts": 0}, 400),
        ("campaigns/{campaign}/estimates/", {}, 422),
        ("campaigns/{campaign}/scores/", {"checkpoint": 10**9}, 400),
        ("trainings/", {"snapshot": 10**9, "labels": "human"}, 400),
        ("trainings/", {"labels": "human", "base": "--out=/"}, 400),
    ],
)
def test_what_cannot_be_done_is_refused_and_starts_no_job(
    admin: APIClient, campaign: Campaign, url: str, body: dict, status: int
):
    response = admin.post("/api/v1/" + url.format(campaign=campaign.pk), body, format="json")
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    assert not Job.objects.exists()


def test_a_password_in_a_policy_s_address_is_refused_and_not_repeated(admin: APIClient, campaign: Campaign):
    make_task(campaign)
    wanted = {"policy": "http://me:secret@host/v1"}
    response = admin.post(f"/api/v1/campaigns/{campaign.pk}/estimates/", wanted, format="json")
    assert response.status_code == 400, response.content
    assert "without a password" in response.content.decode() and "secret" not in response.content.decode()
    assert not EstimateRun.objects.exists() and not Job.objects.exists()


def test_machines_obey_admins_and_show_themselves_to_reviewers(
    admin: APIClient, reviewer: APIClient, annotator: APIClient, outsider: APIClient, campaign: Campaign
):
    make_annotation(make_task(campaign, overlap=2), make_user())
    one = f"/api/v1/campaigns/{campaign.pk}/"
    admin.post(f"{one}estimates/", {}, format="json")
    wanted = {"snapshot": freeze(campaign, "human").pk, "labels": "human"}
    admin.post("/api/v1/trainings/", wanted, format="json")
    checkpoint = make_checkpoint(TrainingRun.objects.get())
    scores = make_scores(make_task(campaign).solution, [0.9, 0.1])
    table = [
        ("post", f"{one}estimates/", {}, [202, 403, 403, 403]),
        ("post", f"{one}scores/", {}, [400, 403, 403, 403]),
        ("post", "/api/v1/trainings/", wanted, [202, 403, 403, 403]),
        ("get", f"{one}queue/", None, [200, 200, 403, 403]),
        ("get", "/api/v1/estimates/", None, [200, 200, 403, 403]),
        ("post", "/api/v1/estimates/", {"source": "nowhere"}, [400, 403, 403, 403]),
        ("get", "/api/v1/scores/", None, [200, 200, 403, 403]),
        ("get", f"/api/v1/scores/{scores.pk}/", None, [200, 200, 403, 403]),
        ("get", "/api/v1/evaluations/", None, [200, 200, 403, 403]),
        ("post", f"/api/v1/checkpoints/{checkpoint.pk}/evaluations/", {}, [400, 403, 403, 403]),
        ("get", f"/api/v1/estimates/{EstimateRun.objects.get().pk}/", None, [200, 200, 403, 403]),
        ("get", f"/api/v1/trainings/{TrainingRun.objects.earliest('pk').pk}/", None, [200, 200, 403, 403]),
    ]
    for method, url, body, expected in table:
        scripts = (admin, reviewer, annotator, outsider)
        got = [getattr(script, method)(url, body, format="json").status_code for script in scripts]
        assert got == expected, f"{method} {url}"
