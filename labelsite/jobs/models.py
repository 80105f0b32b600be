"""A Job row is the truth about one piece of long work; a Celery message is only its wake-up."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from labelsite.jobs.failures import Failure, failure
from labelsite.jobs.titles import LONGEST
from labelsite.wording import said

# The verb of the jobs that whoever asks for them runs at once, often in a web request.
ARRANGE = "arrange"


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class JobKind(models.TextChoices):
    ML = "ml", _("child process")
    DJANGO = "django", _("database work")


class JobQuerySet(models.QuerySet["Job"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> JobQuerySet:
        """What `user` may see: admins and reviewers every job, others those that they started."""
        if getattr(user, "is_reviewer", False):
            return self
        return self.filter(created_by_id=user.pk) if user.pk else self.none()

    def light(self) -> JobQuerySet:
        """Without the long columns: a scoring of 100,000 solutions names each of them in its spec."""
        return self.defer("spec", "result")

    def waiting(self, queue: str, seconds: float = 0) -> JobQuerySet:
        """Queued jobs, oldest first, that have waited for at least so long; light, the poller looks every second."""
        long_ago = Now() - timedelta(seconds=seconds)
        waiting = self.filter(state=JobState.QUEUED, queue=queue, queued_at__lte=long_ago)
        return waiting.light().order_by("pk")


def folder_token() -> str:
    return secrets.token_hex(4)


class Job(models.Model):
    title = models.CharField(max_length=LONGEST)
    # Its title where that is words and no name (see `titles`).
    words = models.JSONField(null=True)
    kind = models.CharField(max_length=8, choices=JobKind.choices, default=JobKind.ML)
    # The verb of `python -m ml`, or the name of work that Django itself does ("import").
    verb = models.CharField(max_length=40)
    # The Celery task that the poller wakes, for example "labelsite.autolabels.tasks.run_autolabel".
    task_name = models.CharField(max_length=120)
    queue = models.CharField(max_length=20, default="default")
    spec = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.QUEUED)
    # Part of its folder's name. An id comes again where an older database was put back, and the folder of the first
    # job of that id still lies there.
    folder_token = models.CharField(max_length=8, default=folder_token, db_default="", blank=True)
    # The fencing token: every write of a runner names the attempt that it belongs to.
    attempt = models.PositiveSmallIntegerField(default=0)
    maximum_attempts = models.PositiveSmallIntegerField(default=3)
    holder = models.CharField(max_length=120, blank=True)
    heartbeat_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    progress = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    # What the error is made of, so that it can be said in every language (see `failures`); none in older rows.
    refusal = models.JSONField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    # When it last began to wait: at first, after a retry, or when its lease was lost. In the future for one that
    # is to be tried again after a pause.
    queued_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["queue", "id"], condition=models.Q(state="queued"), name="job_waiting"),
            models.Index(fields=["expires_at"], condition=models.Q(state="running"), name="job_leases"),
        ]

    def __str__(self) -> str:
        return f"job {self.pk} ({self.title})"

    @property
    def said(self) -> str:
        """Its title in the reader's language."""
        return said(self.words)[:LONGEST] if self.words else self.title

    @property
    def failure(self) -> Failure:
        """Why its last attempt ended, in the reader's language."""
        return failure(self.error, self.refusal)

    @property
    def folder(self) -> Path:
        """Where the job keeps its files; all attempts share `out` in it, so that they can resume."""
        return Path(settings.VAR) / "jobs" / f"{self.pk}-{self.folder_token}"

    @property
    def inputs(self) -> Path:
        return self.folder / "in"

    @property
    def outputs(self) -> Path:
        return self.folder / "out"

    @property
    def attempt_folder(self) -> Path:
        return self.folder / f"attempt-{self.attempt}"

    @property
    def is_finished(self) -> bool:
        return self.state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took; None until it has ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    def obeys(self, user: AbstractBaseUser | AnonymousUser) -> bool:
        """Whether `user` may cancel it: an admin, or whoever started it."""
        return getattr(user, "is_admin", False) or (user.pk is not None and user.pk == self.created_by_id)


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self) -> WorkerQuerySet:
        """Workers that have said so within three of their beats."""
        return self.filter(seen_at__gte=Now() - timedelta(seconds=3 * Worker.BEAT_SECONDS))


class Worker(models.Model):
    """A worker process that said it was alive; a page says "no worker is running" when none did lately."""

    BEAT_SECONDS = 10

    name = models.CharField(max_length=120, unique=True)
    # The names of its queues, with commas.
    queues = models.CharField(max_length=120)
    # How many jobs it does at once.
    slots = models.PositiveSmallIntegerField(default=1, db_default=1)
    seen_at = models.DateTimeField()

    objects = WorkerQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.name} ({self.queues})"


class SiteIdentity(models.Model):
    """One row: a random name of this site, which its VAR holds too (see `shared_folder`)."""

    value = models.CharField(max_length=32)
