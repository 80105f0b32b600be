"""Whose word is in a snapshot, as it recorded when it was frozen: later corrections change nothing in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from labelsite.snapshots.models import Snapshot
from ml.snapshot import SnapshotRow

# A manifest's lineage has them under this name, each labeler's id with the number of their solutions.
LABELERS = "labelers"


def counting(rows: Iterable[SnapshotRow], labelers: Counter[str]) -> Iterator[SnapshotRow]:
    """The same rows; counts in how many of them each labeler is a witness, or rated steps before giving up."""
    for row in rows:
        human = row.human or {}
        labelers.update([*(human.get("witnesses") or ()), *(human.get("given_up_by") or ())])
        yield row


def labelers_of(snapshot: Snapshot) -> Mapping[int, int]:
    """How many of the snapshot's solutions each labeler judged, by the labeler's id."""
    recorded = snapshot.manifest.get("lineage", {}).get(LABELERS, {})
    return {int(labeler): count for labeler, count in recorded.items()}
