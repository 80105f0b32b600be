"""Whose word is in a snapshot, as it recorded when it was frozen: later corrections change nothing in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from labelsite.snapshots.models import Snapshot
from ml.snapshot import SnapshotRow, read_snapshot

# A manifest's lineage has them under this name, each labeler's id with the number of their solutions.
LABELERS = "labelers"


def counting(rows: Iterable[SnapshotRow], labelers: Counter[str]) -> Iterator[SnapshotRow]:
    """The same rows; counts in how many of them each labeler is a witness, or rated steps before giving up."""
    for row in rows:
        human = row.human or {}
        labelers.update([*(human.get("witnesses") or ()), *(human.get("given_up_by") or ())])
        yield row


def labelers_of(snapshot: Snapshot, folder: Path) -> Mapping[int, int]:
    """How many of the snapshot's solutions each labeler judged, by the labeler's id.

    Raises MisstepError where neither the manifest nor the files in `folder` tell.
    """
    recorded = snapshot.manifest.get("lineage", {}).get(LABELERS)
    counts = _in_rows(folder) if recorded is None else recorded
    return {int(labeler): count for labeler, count in counts.items()}


@lru_cache(maxsize=64)
def _in_rows(folder: Path) -> Mapping[str, int]:
    """Older manifests do not name them but the rows do. A folder is named by its content, which never changes."""
    labelers: Counter[str] = Counter()
    for _ in counting(read_snapshot(folder), labelers):
        pass
    return labelers
