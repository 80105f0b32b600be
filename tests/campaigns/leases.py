"""What tests of the queue do with a lease."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from labelsite.campaigns import services
from labelsite.campaigns.models import Assignment


def expire(lease: Assignment) -> None:
    """Its time ran out a second ago; nobody has taken note yet."""
    Assignment.objects.filter(pk=lease.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def finish(lease: Assignment) -> None:
    services.complete(lease.pk, lease.annotator_id, str(lease.token))
