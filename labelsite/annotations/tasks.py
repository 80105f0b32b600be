"""The Celery tasks of this app: they only join a job to the service that does the work."""

from __future__ import annotations

from labelsite.annotations import uploads
from labelsite.celery import application
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.services import perform


@application.task(name=uploads.TASK)
def run_import(job_id: int) -> None:
    perform(job_id, uploads.TASK, work=uploads.work)
    # Only once the import is committed is the file no longer needed; until then a retry reads it again.
    job = Job.objects.filter(pk=job_id, state=JobState.DONE).first()
    upload = uploads.find(job.spec["upload"]) if job else None
    if upload:
        uploads.discard(upload)
