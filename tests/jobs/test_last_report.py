"""The last report of an attempt reaches the row, however the attempt ends, and in the same write."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from labelsite.jobs import services
from labelsite.jobs.errors import JobCancelled
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job, JobState
from tests.jobs.conftest import fresh
from tests.jobs.work import make_job, run_and_load

pytestmark = pytest.mark.django_db

LAST_WORD = """
import json, os, signal, sys
print(json.dumps({"progress": {"done": 60, "total": 60, "message": "the last tree"}}), flush=True)
"""


@pytest.mark.parametrize(
    ("ending", "state"),
    [
        ("", JobState.DONE),
        ("sys.exit(1)", JobState.FAILED),
        ("os.kill(os.getpid(), signal.SIGKILL)", JobState.QUEUED),
    ],
)
def test_the_last_report_of_a_child_is_kept_with_its_end(ending, state):
    job = make_job(LAST_WORD + ending)
    run_and_load(job.pk)
    job = fresh(job)
    assert (job.state, job.progress.get("done"), job.progress.get("message")) == (state, 60, "the last tree")


@pytest.mark.parametrize(
    ("stop", "state"),
    [(JobCancelled("enough"), JobState.CANCELLED), (SystemExit(143), JobState.QUEUED)],
)
def test_the_last_report_is_kept_when_the_work_is_cancelled_or_handed_back(stop, state):
    job = make_job("")

    def work(_: Job, lease: Lease) -> None:
        lease.report(57, 60)
        lease.report(60, 60)
        raise stop

    with contextlib.suppress(SystemExit):
        services.perform(job.pk, job.task_name, work=work)
    assert (fresh(job).state, fresh(job).progress["done"]) == (state, 60)


def test_the_last_report_of_an_attempt_that_lost_its_job_is_not_written():
    job = make_job(LAST_WORD)

    def give_away(_: Job, __: Path) -> None:
        Job.objects.filter(pk=job.pk).update(attempt=2, progress={"done": 3})

    services.perform(job.pk, job.task_name, prepare=give_away)
    assert (fresh(job).state, fresh(job).progress) == (JobState.RUNNING, {"done": 3})


def test_a_report_that_the_database_would_refuse_does_not_undo_the_end_of_the_job():
    odd = '{"done": 1, "message": "a\\\\u0000b\\\\ud800", "metrics": {"loss": NaN}}'
    job = make_job(f"print('{{\"progress\": {odd}}}')")
    run_and_load(job.pk)
    job = fresh(job)
    assert (job.state, job.error) == (JobState.DONE, "")
    assert job.progress == {
        "done": 1,
        "message": "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}",
        "metrics": {"loss": None},
    }
