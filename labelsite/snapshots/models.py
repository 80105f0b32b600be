"""Frozen, content-hashed labelled data."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from labelsite.campaigns.models import Campaign


class LabelSource(models.TextChoices):
    HUMAN = "human", _("people's labels")
    AUTOMATIC = "automatic", _("automatic labels")
    MIXED = "mixed", _("people's and automatic labels")


class SnapshotQuerySet(models.QuerySet["Snapshot"]):
    def counted(self) -> SnapshotQuerySet:
        """With the two counts that lists show, and without the manifest, which names every problem's split."""
        counts = models.F("manifest__counts__rows"), models.F("manifest__counts__labelled_steps")
        return self.defer("manifest").annotate(row_count=counts[0], step_count=counts[1])


class Snapshot(models.Model):
    name = models.CharField(max_length=120, unique=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="snapshots")
    labels = models.CharField(max_length=10, choices=LabelSource.choices)
    # Folder below VAR/snapshots, named by the hash of its content.
    folder = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    manifest = models.JSONField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SnapshotQuerySet.as_manager()
