"""Fetch a job and check the right to it in one call."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.shortcuts import get_object_or_404

from labelsite.jobs.models import Job


def job_or_404(user: AbstractBaseUser | AnonymousUser, pk: int) -> Job:
    """The job, if this person may see it; a 404 otherwise, as if there were none."""
    jobs = Job.objects.visible_to(user).select_related("created_by").defer("spec")
    return get_object_or_404(jobs, pk=pk)


def obedient_job_or_404(user: AbstractBaseUser | AnonymousUser, pk: int) -> Job:
    """The job, if this person may end it; a 403 for one who may only watch it."""
    job = job_or_404(user, pk)
    if not job.obeys(user):
        raise PermissionDenied
    return job


def may_retry(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Trying a job again begins its work anew, which is an admin's: whoever started it may be one no more."""
    return bool(getattr(user, "is_admin", False))


def job_to_retry_or_404(user: AbstractBaseUser | AnonymousUser, pk: int) -> Job:
    """The job, if this person may try it again; a 403 for one who may not."""
    job = job_or_404(user, pk)
    if not may_retry(user):
        raise PermissionDenied
    return job
