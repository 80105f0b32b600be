"""The Celery tasks of this app: they only join a job to the service that does the work."""

from __future__ import annotations

from labelsite.celery import application
from labelsite.jobs.services import perform
from labelsite.snapshots import freezing


@application.task(name=freezing.TASK)
def run_freeze(job_id: int) -> None:
    perform(job_id, freezing.TASK, gather=freezing.gather)
