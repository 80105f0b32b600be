"""A child that something outside ends: who asked for it decides what becomes of the job."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from labelsite.jobs import services
from labelsite.jobs.cancelling import cancel
from labelsite.jobs.models import Job, JobState
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job, rows_loaded, run_and_load
from tests.waiting import wait_until

# What a training does that the machine tells to stop: it saves and says with its status why it ended.
SAVE_AND_STOP = """
import pathlib, sys
state = pathlib.Path(sys.argv[1], "state")
if not state.exists():
    state.write_text("half"); print("stopped at update 7", file=sys.stderr); sys.exit(143)
"""
STOP_EACH_TIME = "import sys; sys.exit(143)"
SHUT_OUT = "import sys; print('another run is writing here', file=sys.stderr); sys.exit(75)"
KILL_ITSELF = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"


@pytest.mark.django_db
def test_a_child_that_the_machine_stops_goes_on_from_its_state_and_loses_no_attempt():
    job = make_job(SAVE_AND_STOP, maximum_attempts=1)
    run_and_load(job.pk)
    waiting = fresh(job)
    assert (waiting.state, waiting.attempt, waiting.maximum_attempts) == (JobState.QUEUED, 1, 2)
    assert (waiting.failure.code, waiting.failure.detail) == ("stopped", "stopped at update 7")
    run_and_load(job.pk)
    assert fresh(job).state == JobState.DONE
    assert rows_loaded() == ["row of attempt 2"]


@pytest.mark.django_db
def test_a_child_that_sigterm_kills_is_tried_again_too():
    job = make_job(KILL_ITSELF, maximum_attempts=1)
    run_and_load(job.pk)
    assert fresh(job).state == JobState.QUEUED


@pytest.mark.django_db
def test_a_child_that_is_stopped_each_time_fails_in_the_end(monkeypatch):
    monkeypatch.setattr(services, "MOST_UNCOUNTED", 3)
    job = make_job(STOP_EACH_TIME, maximum_attempts=2)
    for _ in range(3):
        run_and_load(job.pk)
    assert fresh(job).state == JobState.FAILED
    assert "attempt 3 of 3" in fresh(job).error


@pytest.mark.django_db(transaction=True)
def test_a_child_that_saves_and_stops_because_of_a_cancellation_stays_cancelled():
    job = make_job(
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        "pathlib.Path(sys.argv[1], 'begun').write_text('yes')\n"
        "time.sleep(60)\n"
    )
    runner = threading.Thread(target=lambda: (run_and_load(job.pk), connection.close()))
    runner.start()
    wait_until((job.outputs / "begun").exists, what="the child's start")
    cancel(job)
    runner.join(timeout=20)
    assert fresh(job).state == JobState.CANCELLED


@pytest.mark.django_db
def test_a_cancellation_in_the_moment_of_the_stop_ends_the_job():
    job = make_job(STOP_EACH_TIME)
    services.perform(
        job.pk, job.task_name, prepare=lambda *_: Job.objects.filter(pk=job.pk).update(cancel_requested=True)
    )
    assert fresh(job).state == JobState.CANCELLED


@pytest.mark.django_db
def test_a_child_that_finds_its_folder_in_use_is_tried_again_after_a_pause(
    settings, monkeypatch, django_capture_on_commit_callbacks
):
    settings.JOB_LEASE_SECONDS = 60
    woken: list[int] = []
    monkeypatch.setattr(services, "wake", lambda job: woken.append(job.pk))
    job = make_job(SHUT_OUT, maximum_attempts=1)
    with django_capture_on_commit_callbacks(execute=True):
        run_and_load(job.pk)
    waiting = fresh(job)
    assert (waiting.state, waiting.error) == (JobState.QUEUED, "another run is writing here")
    assert waiting.failure.code == "in_use"
    assert woken == [] and not Job.objects.waiting("default").exists()
    assert Job.objects.get(queued_at__gt=Now() + timedelta(seconds=30)) == job
    Job.objects.update(queued_at=Now())
    run_and_load(job.pk)
    assert (fresh(job).state, fresh(job).attempt) == (JobState.QUEUED, 2)
