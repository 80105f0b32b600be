"""Solutions on which a rule leaves no label: kept where that was asked for, they teach by their known answer alone
(`train --objective outcome`, and `--outcomes`).
"""

from __future__ import annotations

from ml.snapshot import SnapshotRow
from ml.targets.rules import is_bad_problem

# A manifest counts those that were kept under this name.
UNLABELLED = "solutions_kept_without_labels"


def has_labels(row: SnapshotRow) -> bool:
    """Whether some step has a label."""
    return any(label is not None for label in row.labels)


def has_evidence(row: SnapshotRow) -> bool:
    """Whether a person or rollouts said anything of it."""
    return bool(row.human or row.automatic)


def stays(row: SnapshotRow, keep_unlabelled: bool) -> bool:
    """Whether a row is frozen. A reference answer that was reported as bad makes no solution right or wrong."""
    has_answer = row.is_correct is not None and not is_bad_problem(row.human)
    return has_labels(row) or (keep_unlabelled and has_answer)
