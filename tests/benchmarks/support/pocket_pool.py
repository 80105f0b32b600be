"""Pocket solutions that wait for labels: the checker stands for people, rollouts for the search."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml.formats import read
from ml.records import FinishReason
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, label_rows


@dataclass(frozen=True)
class Unlabelled:
    """A solution, the checker's first mistake in it, and what eight rollouts behind each step gave (or {})."""

    row: SnapshotRow
    first_mistake: int | None
    estimate: Mapping[str, Any]


def read_pool(solutions: Path, estimates: Path) -> list[Unlabelled]:
    """The solutions of `python -m ml sample`, with the estimates of those that the search has seen."""
    known = {line["id"]: line["steps"] for line in map(json.loads, estimates.open(encoding="utf-8"))}
    pool = []
    for labelled in read(solutions, "misstep"):
        solution, annotation = labelled.solution, labelled.annotation
        if annotation is None or not solution.steps:
            continue
        nothing: list[Any] = [None] * len(solution.steps)
        row = SnapshotRow(
            id=solution.id,
            problem_id=solution.problem.id,
            problem=solution.problem.text,
            steps=list(solution.steps),
            split="train",
            labels=nothing,
            label_source=nothing,
            answer=solution.problem.answer,
            final_answer=solution.final_answer,
            is_correct=solution.is_correct,
        )
        steps = known.get(solution.id, [])
        estimate = {name: [step[name] for step in steps] for name in ("visits", "correct")} if steps else {}
        pool.append(Unlabelled(row, annotation.first_mistake, estimate))
    return pool


def by_person(one: Unlabelled) -> SnapshotRow:
    """The row as a person without errors labels it: right up to the first mistake, and stop."""
    first, count = one.first_mistake, len(one.row.steps)
    ratings = [1 if first is None or k < first else -1 if k == first else None for k in range(count)]
    reason = FinishReason.SOLUTION if first is None else FinishReason.FOUND_ERROR
    human = {"ratings": ratings, "first_mistake": first, "finish_reason": reason, "annotators": 1}
    return label_rows([replace(one.row, human=human)], LabelRule("human"))[0]


def by_rollouts(one: Unlabelled, rollouts: int, seed: int) -> tuple[SnapshotRow, int]:
    """The row as `rollouts` of its rollouts label it, drawn without putting back, and how many these are."""
    draw = random.Random(f"{seed} {one.row.id}")
    correct, visits = [], []
    for right, seen in zip(one.estimate["correct"], one.estimate["visits"], strict=True):
        drawn = draw.sample([1] * right + [0] * (seen - right), min(rollouts, seen))
        correct.append(sum(drawn))
        visits.append(len(drawn))
    row = replace(one.row, automatic={"visits": visits, "correct": correct})
    return label_rows([row], LabelRule("automatic"))[0], sum(visits)
