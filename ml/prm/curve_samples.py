"""The samples of a learning curve: labelled solutions taken problem by problem, each within the next larger one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ml.errors import MisstepError
from ml.evaluation.judged import half_of
from ml.snapshot import Snapshot, SnapshotRow, leaked_problems, problem_hash
from ml.targets import LabelRule, has_verdict, label_rows
from ml.targets.snapshot_rows import is_finished


@dataclass(frozen=True)
class Sample(Snapshot):
    """Some rows of a snapshot, to train on as if it had no others."""

    rows: Sequence[SnapshotRow]

    def __iter__(self) -> Iterator[SnapshotRow]:
        return iter(self.rows)


def with_labels(rows: Sequence[SnapshotRow], rule: LabelRule, is_frozen: bool) -> list[SnapshotRow]:
    """The rows on which the rule has a label, each with its evidence as it was."""
    decided = rows if is_frozen else label_rows(rows, rule)
    both = zip(rows, decided, strict=True)
    return [row for row, own in both if any(label is not None for label in own.labels)]


def by_problem(rows: Sequence[SnapshotRow], seed: int) -> list[SnapshotRow]:
    """The rows with problems in random order and a problem's solutions side by side.

    A problem's place is its own, whichever rows are asked for: samples of human and of automatic labels begin with the
    same problems where both have them.
    """
    hashes = [problem_hash(row.problem) for row in rows]
    places = {name: random.Random(f"{seed} {name}").random() for name in set(hashes)}
    order = sorted(range(len(rows)), key=lambda k: (places[hashes[k]], hashes[k]))
    return [rows[k] for k in order]


def rollouts_of(row: SnapshotRow) -> int | None:
    """Rollouts that the row's estimates stand on; None where they do not say how many.

    A finished solution's last step is graded by its own answer: its visits are no rollouts.
    """
    if not row.automatic:
        return 0
    visits = row.automatic.get("visits")
    if not visits or "lowest_q" in row.automatic:
        # Trajectories of a search tree share their rollouts: what each of them took is not known.
        return None
    is_graded = row.is_correct is not None and is_finished(row)
    return sum(seen or 0 for seen in (visits[:-1] if is_graded else visits))


def counted(rows: Sequence[SnapshotRow], labels: str) -> dict[str, Any]:
    """What a sample holds, and what it took: people's labels take no rollouts."""
    spent = [0 if labels == "human" else rollouts_of(row) for row in rows]
    return {
        "problems": len({problem_hash(row.problem) for row in rows}),
        "rollouts": None if None in spent else sum(one or 0 for one in spent),
    }


def held_out(
    rows: Sequence[SnapshotRow], splits: Sequence[str], rule: LabelRule, is_frozen: bool
) -> list[SnapshotRow]:
    """The rows of these splits whose first mistake people tell, with their labels.

    Raises MisstepError where they cannot be measured on: a threshold comes from the other half of the problems, and F1
    is of solutions with a mistake and of such without one.
    """
    if leaked := leaked_problems(rows):
        raise MisstepError(f"{len(leaked)} problems stand in more than one split, expected each in one")
    chosen = [row for row in rows if row.split in splits]
    judged = [row for row in (chosen if is_frozen else label_rows(chosen, rule)) if has_verdict(row, rule)]
    if len({(half_of(problem_hash(row.problem)), row.first_mistake is None) for row in judged}) < 4:
        raise MisstepError(
            f"split {' and '.join(splits)}: people's labels on {len(judged)} solutions, expected several problems,"
            " with and without a mistake in each half of them, to measure on"
        )
    return judged
