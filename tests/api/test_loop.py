"""The whole loop as scripts walk it: real samples, real rollouts, a reward model really trained, a new order."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from tests.ml.prm.warm_process import WarmProcess

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("warm_children")]
API = "/api/v1/"


def pocket_samples(folder: Path) -> bytes:
    path = folder / "samples.jsonl"
    command = ["sample", "--problems", "pocket:8", "--policy", "pocket", "--style", "prose", "--n", "2"]
    process = WarmProcess("ml", *command, "--out", str(path))
    _, words = process.communicate(timeout=120)
    assert process.returncode == 0, words
    return path.read_bytes()


def finish_jobs() -> None:
    """Do what a worker would, until nothing waits."""
    while job := Job.objects.filter(state=JobState.QUEUED).order_by("pk").first():
        run_here(job)
        job.refresh_from_db()
        assert job.state == JobState.DONE, job.error


def ask(client: APIClient, url: str, body: dict[str, Any] | None = None, status: int = 200) -> Any:
    response = client.get(API + url) if body is None else client.post(API + url, body, format="json")
    assert response.status_code == status, response.content
    return response.json()


def pulled(client: APIClient, campaign: int, what: str) -> list[dict[str, Any]]:
    answer: Any = client.get(f"{API}campaigns/{campaign}/{what}/")
    return [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]


def annotate(script: APIClient, campaign: int) -> None:
    """Claim a task and call its first step wrong."""
    task = ask(script, f"campaigns/{campaign}/next/", {})
    first = next(option["id"] for option in task["options"] if option["position"] == 0)
    judgement = {"finish_reason": "found_error", "ratings": [{"step": first, "rating": -1}]}
    body = {
        "assignment": task["assignment"],
        "token": task["token"],
        "idempotency_key": str(uuid.uuid4()),
        "judgement": judgement,
    }
    ask(script, "annotations/", body, status=201)


def test_scripts_walk_the_whole_loop(admin: APIClient, annotator: APIClient, ann: User, tmp_path: Path):
    file = SimpleUploadedFile("samples.jsonl", pocket_samples(tmp_path))
    sent = admin.post(f"{API}imports/", {"file": file, "campaign": "Loop"}, format="multipart")
    assert sent.status_code == 202, sent.content
    finish_jobs()
    (campaign,) = (found["id"] for found in ask(admin, "campaigns/")["results"])
    for _ in range(3):
        annotate(annotator, campaign)
    assert Annotation.objects.filter(annotator=ann).count() == 3

    run = ask(admin, f"campaigns/{campaign}/estimates/", {"rollouts": 2}, status=202)
    finish_jobs()
    assert ask(admin, f"estimates/{run['id']}/")["loaded_at"]
    estimated = pulled(admin, campaign, "step-estimates")
    assert estimated and {row["run"] for row in estimated} == {run["id"]}

    snapshot = ask(admin, "snapshots/", {"campaign": campaign, "labels": "mixed"}, status=201)
    assert snapshot["counts"]["rows"] >= 8
    assert snapshot["counts"]["labels_by_annotator"] == 3

    wanted = {"snapshot": snapshot["id"], "labels": "mixed", "configuration": {"steps": 5}}
    training = ask(admin, "trainings/", wanted, status=202)
    finish_jobs()
    trained = ask(admin, f"trainings/{training['id']}/")
    assert trained["checkpoint"] and trained["sha256"]
    assert trained["state"] == "done" and trained["metrics"]

    before = [row["task"] for row in ask(admin, f"campaigns/{campaign}/queue/")]
    scores = ask(admin, f"campaigns/{campaign}/scores/", {"checkpoint": trained["checkpoint"]}, status=202)
    finish_jobs()
    assert ask(admin, f"scores/{scores['id']}/")["state"] == "done"
    scored = pulled(admin, campaign, "step-scores")
    assert {row["step"] for row in estimated} <= {row["step"] for row in scored}
    after = ask(admin, f"campaigns/{campaign}/queue/")
    assert sorted(row["task"] for row in after) == sorted(before)
    assert [row["task"] for row in after] != before
    assert all(row["priority_reason"] for row in after)

    checkpoint = f"checkpoints/{trained['checkpoint']}/evaluations/"
    ask(admin, checkpoint, {"campaign": campaign}, status=202)
    finish_jobs()
    (evaluation,) = ask(admin, checkpoint)["results"]
    assert evaluation["state"] == "done" and evaluation["figures"]
