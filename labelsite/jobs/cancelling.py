"""Asking a job to end, whatever happens to it meanwhile."""

from __future__ import annotations

from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from labelsite.jobs.models import Job, JobState


def cancel(job: Job) -> bool:
    """Ask for the end: a waiting job ends at once, a running one when its runner next looks (in seconds). False if it
    has ended already.

    In one statement: between two, a job that ran could be queued again, and neither would meet it.
    """
    is_waiting = Q(state=JobState.QUEUED)
    asked = Job.objects.filter(pk=job.pk, state__in=(JobState.QUEUED, JobState.RUNNING)).update(
        cancel_requested=True,
        # Of an attempt before; a job that runs has none.
        error="",
        refusal=None,
        state=Case(When(is_waiting, then=Value(JobState.CANCELLED)), default=F("state")),
        finished_at=Case(When(is_waiting, then=Now()), default=F("finished_at")),
    )
    return bool(asked)
