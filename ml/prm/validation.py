"""How good a model is on the snapshot's validation split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from ml.evaluation.first_mistake import Scores, first_mistake_report
from ml.prm.distributed import Group
from ml.prm.example import Example
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import batches_within
from ml.prm.score import Scorer
from ml.prm.sharding import in_step
from ml.prm.tokenization import StepTokenizer
from ml.prm.training_settings import TrainingSettings
from ml.prm.update import loss_of, normaliser_in, packed_row
from ml.prm.validation_steps import Asked, asked_of, has_something, step_figures
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, has_verdict

COUNTS = ("count", "count_wrong", "count_right")
AT_THRESHOLD = ("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact")
# What of the figures stands beside the loss while a model trains.
WATCHED = ("f1", "step_auc")
IsStopping = Callable[[], bool]


class _Stopped(Exception):
    """Some process was asked to stop; raised in all of them."""


def _never() -> bool:
    return False


@dataclass
class Validation:
    """The validation split beside a model in training: examples for the loss, rows for the first mistake and the steps.

    card: what is known of the model (objective, label rule, settings). group: the processes that share the work.
    Calling it measures the model as it is, without a gradient; what the split cannot measure is left out. It asks
    before each packed row whether it should stop, and then finds None. figures: what it found the last time.
    """

    model: ProcessRewardModel
    tokenizer: StepTokenizer
    card: dict[str, Any]
    rows: Sequence[SnapshotRow]
    examples: Sequence[Example]
    settings: TrainingSettings
    group: Group
    figures: dict[str, Any] | None = None

    @property
    def has_something(self) -> bool:
        return bool(self.examples) or any(map(has_something, self.rows))

    def __call__(self, is_stopping: IsStopping = _never) -> dict[str, float] | None:
        bfloat16 = self.settings.bfloat16
        try:
            loss = self.loss(is_stopping)
            self.figures = validation_figures(
                self.model, self.tokenizer, self.card, self.rows, self.group, bfloat16, is_stopping
            )
        except _Stopped:
            return None
        watched = {f"validation_{name}": (self.figures or {}).get(name) for name in WATCHED}
        found = {"validation_loss": loss, **watched}
        return {name: value for name, value in found.items() if value is not None}

    @torch.no_grad()
    def loss(self, is_stopping: IsStopping = _never) -> float | None:
        """The objective's mean loss; None without examples."""
        if not self.examples:
            return None
        device = next(self.model.parameters()).device
        normaliser, total, is_stopped = normaliser_in(self.examples, self.settings), 0.0, False
        mine = self.group.share(self.examples, [example.tree.size for example in self.examples])
        for places in batches_within([example.tree.size for example in mine], self.settings.tokens_per_row):
            if is_stopped := is_stopping():
                break
            row = [mine[place] for place in places]
            with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.bfloat16):
                outputs = self.model(packed_row(row, device))
            total += float(loss_of(outputs, row, self.settings, normaliser))
        # Whoever stops still comes to where the others wait.
        total, stopped = self.group.add_numbers(total, float(is_stopped))
        if stopped:
            raise _Stopped
        return total


def validation_figures(
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    rows: Sequence[SnapshotRow],
    group: Group,
    bfloat16: bool = False,
    is_stopping: IsStopping = _never,
) -> dict[str, Any] | None:
    """First-mistake and step figures on the snapshot's validation split; None where it has nothing to measure.

    Each process scores its share, and all hear the figures. The weights may be split.
    """
    rows = [row for row in rows if has_something(row)]
    if not rows:
        return None
    rule = LabelRule.of(card["label_rule"])
    with_alternatives = card.get("config", {}).get("alternatives", True)
    asked = [asked_of(row, rule, with_alternatives) for row in rows]
    found = _scores(Scorer(model, tokenizer, card, bfloat16=bfloat16), asked, group, is_stopping)
    steps = [pair for one, scores in zip(asked, found, strict=True) for pair in one.measured(scores)]
    judged = [place for place, row in enumerate(rows) if has_verdict(row)]
    return {
        **_first_mistakes([found[k][0] for k in judged], [rows[k].first_mistake for k in judged]),
        **step_figures(steps, card["objective"] == "classifier"),
    }


def _first_mistakes(scores: Sequence[Scores], truths: Sequence[int | None]) -> dict[str, Any]:
    """ProcessBench's figures at the threshold that is best here, and how many solutions of each kind there are.

    The counts alone where one kind is missing: a threshold below (or above) all scores is right about the other one
    whatever the model says, and an F1 of 0 would say that it is poor.
    """
    report = first_mistake_report(scores, truths)
    counts = {name: report[name] for name in COUNTS}
    has_both = report["count_wrong"] and report["count_right"]
    return {**({name: report[name] for name in AT_THRESHOLD} if has_both else {}), **counts}


def _scores(
    scorer: Scorer, asked: Sequence[Asked], group: Group, is_stopping: IsStopping
) -> list[list[Scores]]:
    """The scores of all that is asked, of which each process reads its share; solutions of a problem stay together."""
    problems = [one.solutions[0].problem for one in asked]
    runs = [list(places) for _, places in groupby(range(len(asked)), key=problems.__getitem__)]
    mine = [place for run in group.share(runs, [_length(asked, run) for run in runs]) for place in run]

    def look_up() -> None:
        if is_stopping():
            raise _Stopped

    own: list[tuple[int, list[Scores]]] | None = None
    first = asked[0].solutions[0]
    with in_step(scorer.model, group, lambda: scorer.score(first.problem, first.steps)):
        waiting = (one for place in mine for one in asked[place].solutions)
        try:
            found = iter([scores for _, scores in scorer.score_all(waiting, before_row=look_up)])
            own = [(place, [next(found) for _ in asked[place].solutions]) for place in mine]
        except _Stopped:
            # The others wait for this process's word.
            own = None
    heard: dict[int, list[Scores]] = {}
    for part in group.gathered(own):
        if part is None:
            raise _Stopped
        heard.update(part)
    return [heard[place] for place in range(len(asked))]


def _length(asked: Sequence[Asked], run: Sequence[int]) -> int:
    """Characters of a problem and all that stands behind it: near enough to tokens, and known without a tokenizer."""
    found = len(asked[run[0]].solutions[0].problem)
    for place in run:
        whole, *beside = asked[place].solutions
        # An alternative's prefix is the solution's, and read with it.
        found += sum(map(len, whole.steps)) + sum(len(one.steps[-1]) for one in beside)
    return found
