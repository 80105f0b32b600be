"""A wake-up of before a restore, or of another site on the same broker, runs no job as other work than it is."""

from __future__ import annotations

import pytest

from labelsite.jobs.models import JobState
from tests.jobs.conftest import fresh
from tests.jobs.work import DJANGO_TASK, make_job, rows_loaded, run_and_load

pytestmark = pytest.mark.django_db


def test_a_wake_up_for_other_work_leaves_a_job_of_that_number_waiting() -> None:
    job = make_job(task_name=DJANGO_TASK)
    run_and_load(job.pk)
    assert (fresh(job).state, fresh(job).attempt, rows_loaded()) == (JobState.QUEUED, 0, [])


def test_a_wake_up_for_the_same_work_runs_it() -> None:
    job = make_job("print('{}')")
    run_and_load(job.pk)
    assert fresh(job).state == JobState.DONE
