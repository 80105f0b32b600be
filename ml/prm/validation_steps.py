"""The labelled steps of held-out solutions, and of the alternatives beside them: what is scored, and how it came out.

A first mistake is known of whole solutions alone. Where people rated many candidates of each step (PRM800K, phase 1),
all that they call wrong stands beside the trajectory, and only single steps can tell a good model from a poor one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from ml.agreement import auc
from ml.evaluation.first_mistake import Scores
from ml.prm.curve_samples import by_problem
from ml.prm.score import Unscored
from ml.snapshot import SnapshotRow, problem_hash
from ml.targets import has_verdict
from ml.targets.rules import LabelRule, label_of
from ml.targets.snapshot_rows import is_wrong, last_place_for_alternatives
from ml.targets.unlabelled import has_labels


def chosen(rows: Sequence[SnapshotRow], limit: int | None) -> list[SnapshotRow]:
    """At most `limit` of the rows that have something to measure: whole problems in an order of their own, which no
    file, seed or run changes, so that a smaller limit takes some of what a larger one takes. Of a first problem with
    more solutions than that, the first ones."""
    if limit is None:
        return list(rows)
    ordered = by_problem([row for row in rows if has_something(row) or row.is_correct is not None], seed=0)
    found: list[SnapshotRow] = []
    for _, solutions in groupby(ordered, key=lambda row: problem_hash(row.problem)):
        own = list(solutions)
        if found and len(found) + len(own) > limit:
            break
        found += own
    return found[:limit]


def has_something(row: SnapshotRow) -> bool:
    """Whether a row can be measured."""
    return has_labels(row) or has_verdict(row)


@dataclass(frozen=True)
class Asked:
    """What is scored for one row: the solution and, after it, each rated alternative behind its prefix.

    right: of each labelled step of the solution (None for the others) and then of each alternative.
    """

    solutions: Sequence[Unscored]
    right: Sequence[bool | None]

    def measured(self, scores: Sequence[Scores]) -> Iterator[tuple[float, bool]]:
        """Score and label of each labelled step that the context has room for; `scores`: those of `solutions`."""
        own = [*scores[0], *(found[-1] for found in scores[1:])]
        for score, is_right in zip(own, self.right, strict=True):
            if score is not None and is_right is not None:
                yield score, is_right


def asked_of(row: SnapshotRow, rule: LabelRule, with_alternatives: bool) -> Asked:
    """What of a row can be measured. People who are of two minds say neither right nor wrong; half of the rollouts
    from a right step may fail.
    """
    right = [
        None
        if label is None or (label == 0.5 and row.label_source[k] != "automatic")
        else not is_wrong(row, k, rule)
        for k, label in enumerate(row.labels)
    ]
    options = list(_alternatives(row, rule)) if with_alternatives and rule.labels != "automatic" else []
    beside = [Unscored(row.id, row.problem, [*row.steps[:place], text]) for place, text, _ in options]
    whole = Unscored(row.id, row.problem, row.steps)
    return Asked([whole, *beside], [*right, *(is_right for _, _, is_right in options)])


def _alternatives(row: SnapshotRow, rule: LabelRule) -> Iterator[tuple[int, str, bool]]:
    """Rated alternatives in whose prefix no mistake is known, each text once, as training takes them."""
    last = last_place_for_alternatives(row, rule)
    known = {(k, row.steps[k]) for k, label in enumerate(row.labels) if label is not None}
    for option in row.options:
        place, text = option["position"], option["text"]
        label = label_of(option.get("rating"), rule.neutral)
        if label is None or place > last or not text.strip() or (place, text) in known:
            continue
        known.add((place, text))
        yield place, text, label > 0.5


def step_figures(measured: Sequence[tuple[float, bool]], is_classifier: bool) -> dict[str, Any]:
    """How many labelled steps there are, how well the scores order them, and of a classifier how many fall on the
    right side of a half. The order is left out where all are right, or all wrong.
    """
    if not measured:
        return {}
    scores = np.array([score for score, _ in measured])
    right = np.array([is_right for _, is_right in measured])
    found: dict[str, Any] = {"step_count": len(measured), "step_count_wrong": int((~right).sum())}
    order = auc(scores, right)
    if order is not None:
        found["step_auc"] = order
    if is_classifier:
        found["step_accuracy"] = float(((scores > 0.5) == right).mean())
    return found
