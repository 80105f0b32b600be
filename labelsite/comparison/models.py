"""What a reviewer decided where people and machines disagree."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from labelsite.campaigns.models import Task


class Adjudication(models.Model):
    """A reviewer's word on one task. A later word replaces it, and the earlier one stays on record."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="adjudications")
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="adjudications"
    )
    # Acceptable first-mistake positions; -1 stands for "no mistake", as in Task.gold.
    positions = ArrayField(models.SmallIntegerField())
    note = models.TextField(blank=True)
    made_gold = models.BooleanField(default=False)
    is_live = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["task"], condition=models.Q(is_live=True), name="adjudication_one_live"
            ),
            models.CheckConstraint(
                condition=models.Q(positions__len__gt=0), name="adjudication_names_a_position"
            ),
        ]
