"""Where a checkpoint comes from and where it went: back to campaign and people, forward to its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelsite.accounts.models import User
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.labelers import labelers_of
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.snapshots.services import folder_of
from labelsite.training.models import Checkpoint
from ml.errors import MisstepError

MOST_PEOPLE = 40


@dataclass(frozen=True, slots=True)
class Scored:
    """One use of the checkpoint."""

    run: ScoreRun
    campaigns: Sequence[Campaign]


@dataclass(frozen=True, slots=True)
class Lineage:
    """people: whose verdicts the frozen snapshot holds, and on how many of its solutions, the most first."""

    snapshot: Snapshot
    campaign: Campaign
    people: Sequence[tuple[User, int]]
    scored: Sequence[Scored]


def lineage_of(checkpoint: Checkpoint) -> Lineage:
    """The checkpoint's past and future, in four queries."""
    snapshot = checkpoint.run.snapshot
    runs = checkpoint.score_runs.select_related("job").prefetch_related("campaigns").order_by("-pk")
    # A scoring of 100,000 solutions names each of them in its spec, and the page asks anew every two seconds.
    runs = runs.defer("job__spec", "job__result")
    return Lineage(
        snapshot=snapshot,
        campaign=snapshot.campaign,
        people=_people(snapshot),
        scored=[Scored(run, list(run.campaigns.all())) for run in runs],
    )


def _people(snapshot: Snapshot) -> list[tuple[User, int]]:
    """Nobody where the snapshot's files are gone: the annotations of today do not tell what was frozen."""
    if snapshot.labels == LabelSource.AUTOMATIC:
        return []
    try:
        labelers = labelers_of(snapshot, folder_of(snapshot))
    except MisstepError:
        return []
    users = User.objects.in_bulk(labelers)
    people = [(users[pk], count) for pk, count in labelers.items() if pk in users]
    return sorted(people, key=lambda person: (-person[1], person[0].username))[:MOST_PEOPLE]
