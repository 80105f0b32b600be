"""Where a checkpoint comes from and where it went: back to campaign and people, forward to its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count

from labelsite.accounts.models import User
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.models import Snapshot
from labelsite.training.models import Checkpoint


@dataclass(frozen=True, slots=True)
class Scored:
    """One use of the checkpoint."""

    run: ScoreRun
    campaigns: Sequence[Campaign]


@dataclass(frozen=True, slots=True)
class Lineage:
    """people: who labeled in the campaign before the snapshot was frozen, and how many solutions each."""

    snapshot: Snapshot
    campaign: Campaign
    people: Sequence[tuple[User, int]]
    scored: Sequence[Scored]


def lineage_of(checkpoint: Checkpoint) -> Lineage:
    """The checkpoint's past and future, in four queries."""
    snapshot = checkpoint.run.snapshot
    people = (
        User.objects.filter(
            annotations__task__campaign=snapshot.campaign_id,
            annotations__is_live=True,
            annotations__created_at__lte=snapshot.created_at,
        )
        .annotate(looks=Count("annotations"))
        .order_by("-looks")
    )
    runs = checkpoint.score_runs.select_related("job").prefetch_related("campaigns").order_by("-pk")
    return Lineage(
        snapshot=snapshot,
        campaign=snapshot.campaign,
        people=[(user, user.looks) for user in people[:40]] if snapshot.labels != "automatic" else [],
        scored=[Scored(run, list(run.campaigns.all())) for run in runs],
    )
