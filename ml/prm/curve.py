"""Learning curves on a snapshot: a model for each kind of labels, sample size and seed, judged on held-out problems.

Every model is trained as `python -m ml train` would train it on its sample alone, in epochs, so that its updates grow
with its data. All are judged against people's labels, whosever labels they learned from.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ml.agreement import auc
from ml.devices import refuse_missing_device
from ml.errors import MisstepError, NothingToLearn
from ml.evaluation.first_mistake import metric
from ml.evaluation.judged import Judged, JudgedSolution
from ml.evaluation.rules import by_other_half
from ml.evaluation.step_curves import judged_steps
from ml.joined_snapshot import SEVERAL
from ml.prm.curve_folder import CurveFolder
from ml.prm.curve_samples import Sample, by_problem, counted, held_out, with_labels
from ml.prm.distributed import Group
from ml.prm.out_folder import states_of, writing_alone
from ml.prm.preparing import prepare
from ml.prm.request import Request, opened, with_rule
from ml.prm.run import fit
from ml.prm.score import TOKENS_PER_ROW, Scorer, Unscored
from ml.progress import Progress
from ml.snapshot import Snapshot, SnapshotRow, problem_hash
from ml.targets import label_rows
from ml.targets.rules import idle_parts, option_of


class Place(NamedTuple):
    """Where a point stands."""

    labels: str
    size: int
    seed: int

    @property
    def name(self) -> str:
        return f"{self.labels}-{self.size}-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """What is measured: kinds of labels, how many labelled solutions, how many seeds, and on which splits."""

    labels: Sequence[str]
    sizes: Sequence[int]
    seeds: int
    splits: Sequence[str]


def measure_curve(request: Request, plan: Plan, settings: Mapping[str, Any]) -> CurveFolder:
    """Measure what `request.out` does not hold yet; returns the folder. settings: what all its points have in common.

    Raises MisstepError before the first model where a kind of labels or the held-out rows cannot be had.
    """
    refuse_missing_device(request.device)
    with Group.joined(request.device) as group, writing_alone(request.out, group):
        if group.size > 1:
            raise MisstepError(
                f"{group.size} processes, expected one: each model of a curve is trained by one"
            )
        labels = plan.labels[0] if len(plan.labels) == 1 else SEVERAL
        snapshot = opened(replace(request, labels=labels))
        campaign = _Campaign(request, plan, snapshot, group)
        folder = CurveFolder(request.out, {"snapshot": snapshot.sha256, **settings})
        campaign.measure_missing(folder)
    return folder


class _Campaign:
    """A snapshot, read once, from which many models are trained."""

    def __init__(self, request: Request, plan: Plan, snapshot: Snapshot, group: Group) -> None:
        self.plan, self.snapshot, self.group = plan, snapshot, group
        refuse_idle(request, plan.labels)
        rows = list(snapshot)
        judges = with_rule(_asking(request, "human"), snapshot.manifest)
        self.judged = held_out(rows, plan.splits, judges.rule, judges.use_frozen_labels)
        learned = [row for row in rows if row.split == "train"]
        self.requests: dict[str, Request] = {}
        self.candidates: dict[str, list[SnapshotRow]] = {}
        for kind in plan.labels:
            self.requests[kind] = _asking(request, kind)
            self.candidates[kind] = _candidates(learned, self.requests[kind], snapshot)

    def places(self) -> list[Place]:
        """All points, small ones first, without sizes for which there are too few labels."""
        return [
            Place(kind, size, self.requests[kind].training.seed + number)
            for size in sorted(set(self.plan.sizes))
            for number in range(self.plan.seeds)
            for kind in self.plan.labels
            if size <= len(self.candidates[kind])
        ]

    def measure_missing(self, folder: CurveFolder) -> None:
        """Raises MisstepError where a kind of labels has too few for every size, and where no point can be measured."""
        places = self.places()
        for kind in self.plan.labels:
            if not any(place.labels == kind for place in places):
                raise MisstepError(
                    f"{kind} labels on {len(self.candidates[kind])} solutions of split train, expected at least"
                    f" {min(self.plan.sizes)}, the smallest of --sizes"
                )
        folder.available = {kind: len(rows) for kind, rows in self.candidates.items()}
        known = {(point["labels"], point["size"], point["seed"]) for point in folder.points}
        missing = [place for place in places if place not in known]
        begun = len(places) - len(missing)
        progress = Progress("models", len(places), begun_at=begun)
        for done, place in enumerate(missing, start=begun + 1):
            told = self._measured_or_left_out(place, folder)
            shutil.rmtree(states_of(folder.path / place.name), ignore_errors=True)
            progress.report(done, metrics=told, is_due=True)
        if not folder.points:
            raise MisstepError(f"no sample taught anything: {folder.left_out[-1]['reason']}")

    def _measured_or_left_out(self, place: Place, folder: CurveFolder) -> dict[str, Any]:
        """What is told of a point. A small sample may by chance hold labels of one kind, or no pair: nobody can draw it
        otherwise, and the other points are none the worse."""
        try:
            point = self._measure(place, folder)
        except NothingToLearn as error:
            folder.left_out.append({**place._asdict(), "reason": str(error)})
            print(f"python -m ml curve: {place.name} is left out: {error}", file=sys.stderr, flush=True)
            return place._asdict()
        folder.add(point)
        return {name: point[name] for name in (*Place._fields, "f1", "step_auc")}

    def _measure(self, place: Place, folder: CurveFolder) -> dict[str, Any]:
        started = time.monotonic()
        request = self.requests[place.labels]
        request = replace(
            request, out=folder.path / place.name, training=replace(request.training, seed=place.seed)
        )
        rows = by_problem(self.candidates[place.labels], place.seed)[: place.size]
        sample = Sample(
            self.snapshot.folder, self.snapshot.manifest, _fused_anew(rows, request, self.snapshot)
        )
        ready = prepare(request, sample, self.group)
        fitted = fit(ready, sample, self.group)
        scorer = Scorer(fitted.model, ready.base.tokenizer, fitted.card, bfloat16=ready.settings.bfloat16)
        return {
            **place._asdict(),
            **counted(rows, place.labels),
            "updates": ready.settings.steps,
            "train_loss": fitted.run.history[-1]["loss"],
            **figures(scorer, self.judged, min(ready.settings.tokens_per_row, TOKENS_PER_ROW)),
            "seconds": round(time.monotonic() - started, 1),
        }


def _candidates(rows: Sequence[SnapshotRow], request: Request, snapshot: Snapshot) -> list[SnapshotRow]:
    """The rows that have labels of this kind."""
    ruled = with_rule(request, snapshot.manifest)
    return with_labels(rows, ruled.rule, ruled.use_frozen_labels)


def _fused_anew(rows: list[SnapshotRow], request: Request, snapshot: Snapshot) -> list[SnapshotRow]:
    """The rows, whose frozen labels by fusion know of all rows: those of a sample must know of the sample alone."""
    ruled = with_rule(request, snapshot.manifest)
    is_fused = ruled.rule.labels == "mixed" and ruled.rule.mixture == "fusion"
    return label_rows(rows, ruled.rule) if is_fused and ruled.use_frozen_labels else rows


def _asking(request: Request, kind: str) -> Request:
    """The request for one kind of labels, without what says nothing about them."""
    idle = idle_parts(kind, request.asked)
    asked = {part: value for part, value in request.asked.items() if part not in idle}
    opinion = None if kind == "human" else request.second_opinion
    return replace(request, labels=kind, asked=asked, second_opinion=opinion)


def refuse_idle(request: Request, kinds: Sequence[str]) -> None:
    """Raises MisstepError for a part of the rule that would change nothing in any kind of labels."""
    idle = [set(idle_parts(kind, request.asked)) for kind in kinds]
    for part in set.intersection(*idle):
        raise MisstepError(
            f"--{option_of(part)} would change nothing in labels {', '.join(kinds)}, expected it left out"
        )


def figures(
    scorer: Scorer, rows: Sequence[SnapshotRow], tokens_per_row: int = TOKENS_PER_ROW
) -> dict[str, Any]:
    """F1 of the first mistake, each half of the problems with the threshold of the other half, and the steps' AUC."""
    waiting = (Unscored(row.id, row.problem, row.steps) for row in rows)
    found = scorer.score_all(waiting, tokens_per_row)
    scores = [values for _, values in found]
    judged = Judged(
        [
            JudgedSolution(values, row.first_mistake, row.is_correct, problem_hash(row.problem))
            for values, row in zip(scores, rows, strict=True)
        ]
    )
    said = by_other_half(judged)
    measured = {} if said is None else metric(said, judged.truths)
    flat, correct, _ = judged_steps(scores, judged.truths)
    wanted = ("f1", "accuracy_wrong", "accuracy_right", "exact", "count")
    return {**{name: measured.get(name) for name in wanted}, "step_auc": auc(flat, correct)}
