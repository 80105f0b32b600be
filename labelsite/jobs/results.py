"""What is kept of work that is over: the row of a job that has nothing left to do, and what is known of one only after
it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from labelsite.jobs.models import Job, JobKind, JobState
from labelsite.jobs.titles import as_columns
from labelsite.wording import Sayable


def record_done(verb: str, title: Sayable, spec: Mapping[str, Any] | None = None) -> Job:
    """Add a job that is done as it is made: it says when something that was made elsewhere was taken in."""
    return Job.objects.create(
        kind=JobKind.DJANGO,
        verb=verb,
        state=JobState.DONE,
        spec=dict(spec or {}),
        started_at=Now(),
        finished_at=Now(),
        **as_columns(title),
    )


@transaction.atomic
def add_to_result(job_id: int, news: Mapping[str, Any]) -> None:
    """Let the result of a job that is done say something more."""
    for job in Job.objects.defer("spec").select_for_update().filter(pk=job_id, state=JobState.DONE):
        Job.objects.filter(pk=job_id).update(result={**(job.result or {}), **news})
