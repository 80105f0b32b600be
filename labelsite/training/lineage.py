"""Where a checkpoint comes from and where it went: back to campaign and people, forward to its scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from labelsite.accounts.models import User
from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns.models import Campaign
from labelsite.snapshots.labelers import labelers_of
from labelsite.snapshots.models import LabelSource, Snapshot
from labelsite.training.checkpoints import snapshots_on
from labelsite.training.models import Checkpoint


@dataclass(frozen=True, slots=True)
class Scored:
    """One use of the checkpoint."""

    run: ScoreRun
    campaigns: Sequence[Campaign]


@dataclass(frozen=True, slots=True)
class Lineage:
    """people: whose verdicts the frozen snapshots hold, and on how many of their solutions, the most first.

    elsewhere: the names of snapshots on the card that are not of this site; nothing more is known of them.
    """

    snapshots: Sequence[Snapshot]
    campaigns: Sequence[Campaign]
    elsewhere: Sequence[str]
    people: Sequence[tuple[User, int]]
    scored: Sequence[Scored]

    @property
    def is_of_rollouts(self) -> bool:
        return all(snapshot.labels == LabelSource.AUTOMATIC for snapshot in self.snapshots)


def lineage_of(checkpoint: Checkpoint) -> Lineage:
    """The checkpoint's past and future, in a handful of queries."""
    snapshots = checkpoint.run.snapshots
    here = {snapshot.sha256 for snapshot in snapshots}
    runs = checkpoint.score_runs.select_related("job").prefetch_related("campaigns").order_by("-pk")
    # A scoring of 100,000 solutions names each of them in its spec, and the page asks anew every two seconds.
    runs = runs.defer("job__spec", "job__result")
    return Lineage(
        snapshots=snapshots,
        campaigns=list(dict.fromkeys(snapshot.campaign for snapshot in snapshots)),
        elsewhere=[
            str(named.get("name") or named.get("sha256"))
            for named in snapshots_on(checkpoint.card)
            if named and named.get("sha256") not in here
        ],
        people=_people(snapshots),
        scored=[Scored(run, list(run.campaigns.all())) for run in runs],
    )


def _people(snapshots: Sequence[Snapshot]) -> list[tuple[User, int]]:
    labelers: Counter[int] = Counter()
    for snapshot in snapshots:
        if snapshot.labels != LabelSource.AUTOMATIC:
            labelers.update(labelers_of(snapshot))
    users = User.objects.in_bulk(labelers)
    people = [(users[pk], count) for pk, count in labelers.items() if pk in users]
    return sorted(people, key=lambda person: (-person[1], person[0].username))
