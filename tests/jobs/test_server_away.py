"""A policy's server that is away for a minute costs a job an attempt and a pause, not its life."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from labelsite.jobs import services
from labelsite.jobs.models import Job, JobState
from tests.factories import make_user
from tests.jobs.conftest import fresh
from tests.jobs.work import TASK, run_and_load
from tests.ml.policies.small_server import Server, completions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_folder")]
# The real command, which tries twice instead of six times, so that a test takes no quarter of a minute.
QUICKLY = """
import sys
from ml.policies import openai_client
openai_client.TRIES = 2
from ml.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def serve() -> Iterator[Callable[[Any], Server]]:
    servers: list[Server] = []

    def start(reply: Any) -> Server:
        servers.append(Server(reply))
        return servers[-1]

    yield start
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def nobody_at() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        return f"http://127.0.0.1:{place.getsockname()[1]}/v1"


def search_at(address: str, folder: Path) -> Job:
    """A job that searches one problem with the policy at an address."""
    problems = folder / "problems.jsonl"
    problems.write_text(json.dumps({"id": "1", "problem": "1 + 1 =", "answer": "2"}) + "\n")
    arguments = ["autolabel", "--problems", str(problems), "--policy", address, "--style", "prose"]
    command = [sys.executable, "-c", QUICKLY, *arguments, "--rollouts", "1", "--out", "{out}"]
    return services.enqueue("ml", "autolabel", {"command": command}, task_name=TASK, title="a search")


def pause_of(job: Job) -> float:
    return (fresh(job).queued_at - timezone.now()).total_seconds()


def end_the_pause() -> None:
    Job.objects.update(queued_at=Now())


def test_a_server_that_asks_for_patience_is_asked_again_after_a_pause(tmp_path: Path, serve) -> None:
    is_busy = [True]
    server = serve(lambda body, n: (429, {"error": "slow down"}) if is_busy[0] else completions(body, n))
    job = search_at(server.address, tmp_path)
    run_and_load(job.pk)
    waiting = fresh(job)
    assert (waiting.state, waiting.attempt, waiting.maximum_attempts) == (JobState.QUEUED, 1, 3)
    assert "HTTP 429" in waiting.error and "slow down" in waiting.error
    assert 90 < pause_of(job) <= 120 and not Job.objects.waiting("default").exists()
    is_busy[0] = False
    end_the_pause()
    run_and_load(job.pk)
    assert (fresh(job).state, fresh(job).attempt) == (JobState.DONE, 2)
    assert (job.outputs / "run.json").exists()


def test_a_wake_up_from_before_the_pause_does_not_cut_it_short(tmp_path: Path) -> None:
    job = search_at(nobody_at(), tmp_path)
    run_and_load(job.pk)
    begins_at = fresh(job).queued_at
    for _ in range(3):
        run_and_load(job.pk)
    waiting = fresh(job)
    assert (waiting.state, waiting.attempt, waiting.queued_at) == (JobState.QUEUED, 1, begins_at)


def test_pauses_grow_and_an_outage_that_stays_ends_the_job_with_its_reason(tmp_path: Path) -> None:
    job = search_at(nobody_at(), tmp_path)
    pauses = []
    for _ in range(2):
        run_and_load(job.pk)
        assert fresh(job).state == JobState.QUEUED
        pauses.append(pause_of(job))
        end_the_pause()
    assert 90 < pauses[0] <= 120 < 570 < pauses[1] <= 600
    run_and_load(job.pk)
    failed = fresh(job)
    assert failed.state == JobState.FAILED
    assert "Connection refused" in failed.error and "attempt 3 of 3" in failed.error
    with translation.override("ko"):
        assert "Connection refused, 예상: 2번 안의 응답" in failed.failure.said
        assert (failed.failure.code, failed.failure.detail) == ("server_away", "")
    # A person who tries it again begins anew, with the short pause.
    assert services.retry(failed)
    run_and_load(job.pk)
    assert fresh(job).state == JobState.QUEUED and 90 < pause_of(job) <= 120


def test_a_request_that_the_server_refuses_is_not_sent_again(tmp_path: Path, serve) -> None:
    server = serve(lambda body, n: (401, {"error": "no key"}))
    job = search_at(server.address, tmp_path)
    run_and_load(job.pk)
    assert fresh(job).state == JobState.FAILED and "HTTP 401" in fresh(job).error


def test_the_page_of_a_job_that_waits_for_a_server_says_why_and_until_when(
    tmp_path: Path, client: Client
) -> None:
    job = search_at(nobody_at(), tmp_path)
    client.force_login(make_user("admin"))
    address = reverse("jobs:detail", args=[job.pk])
    assert "Next attempt" not in client.get(address).content.decode()
    run_and_load(job.pk)
    page = client.get(address).content.decode()
    assert "Connection refused" in page and "Next attempt" in page and "begins by itself" in page


def test_a_job_says_that_its_server_does_not_answer_and_keeps_its_figures(tmp_path: Path) -> None:
    job = search_at(nobody_at(), tmp_path)
    Job.objects.filter(pk=job.pk).update(progress={"done": 3, "total": 9, "message": ""})
    run_and_load(job.pk)
    told = fresh(job).progress
    assert "does not answer" in told["message"] and "Connection refused" in told["message"]
    assert (told["done"], told["total"]) == (3, 9)


@pytest.mark.parametrize("address", ["http://host:eight/v1", "http:///v1"])
def test_a_malformed_address_ends_a_job_at_its_first_attempt(tmp_path: Path, address: str) -> None:
    job = search_at(address, tmp_path)
    run_and_load(job.pk)
    failed = fresh(job)
    assert (failed.state, failed.attempt) == (JobState.FAILED, 1) and address in failed.error
