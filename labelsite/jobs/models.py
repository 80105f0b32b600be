"""A Job row is the truth about one piece of long work; a Celery message is only its wake-up."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class Job(models.Model):
    title = models.CharField(max_length=200)
    # The verb of `python -m ml`, or the name of work that Django itself does ("import").
    verb = models.CharField(max_length=40)
    # The Celery task that the poller wakes, for example "labelsite.autolabels.tasks.run_autolabel".
    task_name = models.CharField(max_length=120)
    queue = models.CharField(max_length=20, default="default")
    spec = models.JSONField(default=dict)
    state = models.CharField(max_length=12, choices=JobState.choices, default=JobState.QUEUED)
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
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["queue", "id"], condition=models.Q(state="queued"), name="job_waiting"),
            models.Index(fields=["expires_at"], condition=models.Q(state="running"), name="job_leases"),
        ]


class Worker(models.Model):
    """A worker process that said it was alive; a page says "no worker is running" when none did lately."""

    name = models.CharField(max_length=120, unique=True)
    queues = models.CharField(max_length=120)
    seen_at = models.DateTimeField()
