"""Several hosts on one database: what the poller of each may run, and whose jobs are whose."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from labelsite.jobs import lease, services
from labelsite.jobs.lateness import Lateness
from labelsite.jobs.lease import claim, has_vanished, holder_name
from labelsite.jobs.models import Job, JobState, Worker
from labelsite.jobs.poller import Poller
from tests.jobs.work import make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def overdue() -> dict[str, Job]:
    jobs = {queue: make_job("") for queue in ("default", "gpu")}
    Job.objects.update(queued_at="2020-01-01T00:00:00Z")
    Job.objects.filter(pk=jobs["gpu"].pk).update(queue="gpu")
    return jobs


def test_a_poller_for_one_queue_runs_only_its_jobs_and_wakes_and_takes_back_all(overdue, monkeypatch) -> None:
    woken: list[int] = []
    ran: list[str] = []
    monkeypatch.setattr(services, "wake", lambda job: woken.append(job.pk) or True)
    monkeypatch.setattr(Poller, "_run", lambda _, job: ran.append(job.queue))
    monkeypatch.setattr(Lateness, "is_over", lambda _, job: True)
    lost = make_job("")
    claim(lost.pk)
    Job.objects.filter(pk=lost.pk).update(queue="gpu", expires_at="2020-01-01T00:00:00Z")
    poller = Poller(patience=0, queues=["default"])
    poller.round()
    assert ran == ["default"]
    assert sorted(woken) == sorted(job.pk for job in overdue.values())
    lost.refresh_from_db()
    assert lost.state == JobState.QUEUED
    assert Worker.objects.get(name=poller.name).queues == "default"
    Poller(patience=0).round()
    assert "gpu" in ran


def test_a_queue_that_there_is_not_is_refused() -> None:
    with pytest.raises(CommandError, match="tpu, expected some of default,gpu"):
        call_command("poll_jobs", "--queues", "default,tpu")


def test_another_machine_of_the_same_name_never_takes_a_running_job_for_vanished(
    tmp_path, monkeypatch
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("11111111-aaaa")
    theirs.write_text("22222222-aaaa")
    monkeypatch.setattr(lease.socket, "gethostname", lambda: "worker")
    monkeypatch.setattr(lease, "BOOT_ID", theirs)
    # Nothing here has that process id.
    holder = holder_name().replace(f" {os.getpid()} ", " 999999999 ")
    assert has_vanished(holder) and len(holder) <= 120
    monkeypatch.setattr(lease, "BOOT_ID", ours)
    assert not has_vanished(holder)


@pytest.mark.parametrize(
    ("options", "expected"), [(["-Q", "gpu"], 1), (["-Q", "default,gpu"], 1), (["-Q", "gpu", "-c", "2"], 2)]
)
def test_a_worker_of_the_gpu_queue_trains_one_model_at_a_time_unless_asked_otherwise(
    options, expected, environment
) -> None:
    # Celery prints its pool's size first; a broker that is not there ends it in time.
    command = [sys.executable, "-m", "celery", "-A", "labelsite", "worker", *options]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout
        line = next(line for line in process.stdout if "concurrency:" in line)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert f"concurrency: {expected} " in line
