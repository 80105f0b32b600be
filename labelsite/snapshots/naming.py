"""What a snapshot is called: as somebody wishes, or by what is in it, and never like another one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from django.utils import timezone

from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import LabelSource, Snapshot

# Leaves room for a number behind it.
LONGEST_NAME = 110


def default_name(campaign: Campaign, labels: str) -> str:
    """Whose labels, of which campaign, and when, in the language of whoever freezes; a long campaign's name is cut."""
    said = f" · {LabelSource(labels).label} · {timezone.localtime():%Y-%m-%d %H:%M}"
    return f"{campaign.name[: LONGEST_NAME - len(said)]}{said}"


def free_names(wanted: str) -> Iterator[str]:
    """`wanted` and then `wanted` with a number behind it, without the names that a snapshot already has."""
    wanted = wanted.strip()[:LONGEST_NAME] or "Snapshot"
    for number in count(1):
        name = wanted if number == 1 else f"{wanted} ({number})"
        if not Snapshot.objects.filter(name=name).exists():
            yield name
