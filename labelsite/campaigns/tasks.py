"""The Celery task of this app: it only joins a job to the service that does the work."""

from __future__ import annotations

from labelsite.campaigns import arranging
from labelsite.celery import application


@application.task(name=arranging.TASK)
def run_arrangement(job_id: int) -> None:
    arranging.work_off(job_id)
