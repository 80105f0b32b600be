"""The Celery tasks of this app: they only join a job to the service that does the work."""

from __future__ import annotations

from labelsite.campaigns import archive, arranging, filling, removal
from labelsite.celery import application
from labelsite.jobs.services import perform


@application.task(name=arranging.TASK)
def run_arrangement(job_id: int) -> None:
    arranging.work_off(job_id)


@application.task(name=archive.TASK)
def run_deletion(job_id: int) -> None:
    perform(job_id, archive.TASK, work=archive.work)


@application.task(name=filling.TASK)
def run_filling(job_id: int) -> None:
    perform(job_id, filling.TASK, gather=filling.gather)


@application.task(name=removal.TASK)
def run_removal(job_id: int) -> None:
    perform(job_id, removal.TASK, work=removal.work)
