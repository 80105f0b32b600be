"""Several snapshots that are trained on together, as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labelsite.snapshots.models import Snapshot
from ml.joined_snapshot import joined_manifest
from ml.snapshot import combined_hash


def joined_hash(snapshots: Sequence[Snapshot]) -> str:
    """The sha256 of the one, or of all in this order, as a card names it."""
    hashes = [each.sha256 for each in snapshots]
    return combined_hash(hashes) if len(hashes) > 1 else hashes[0]


def joined_name(snapshots: Sequence[Snapshot]) -> str:
    return " + ".join(each.name for each in snapshots)


def joined(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The one, or a row that is never saved: the name, labels, rule and summed counts of all."""
    if len(snapshots) == 1:
        return snapshots[0]
    manifest = joined_manifest(
        [{"labels": each.labels, **each.manifest, "sha256": each.sha256} for each in snapshots]
    )
    counts: Counter[str] = Counter()
    for each in snapshots:
        counts.update(each.manifest.get("counts", {}))
    return Snapshot(
        name=joined_name(snapshots),
        labels=manifest["labels"],
        sha256=manifest["sha256"],
        manifest={**manifest, "counts": dict(counts)},
    )
