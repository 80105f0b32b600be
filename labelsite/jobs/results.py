"""What is known of a job only after it is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from labelsite.jobs.models import Job, JobState


@transaction.atomic
def add_to_result(job_id: int, news: Mapping[str, Any]) -> None:
    """Let the result of a job that is done say something more."""
    for job in Job.objects.defer("spec").select_for_update().filter(pk=job_id, state=JobState.DONE):
        Job.objects.filter(pk=job_id).update(result={**(job.result or {}), **news})
