"""How good a model is on the snapshot's validation split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ml.errors import MisstepError
from ml.evaluation.first_mistake import AT_THRESHOLD, Scores, first_mistake_report
from ml.prm.distributed import Group
from ml.prm.example import Example
from ml.prm.model import ProcessRewardModel
from ml.prm.score import TOKENS_PER_ROW, Scorer
from ml.prm.sharding import in_step
from ml.prm.tokenization import StepTokenizer
from ml.prm.training_settings import TrainingSettings
from ml.prm.update import normaliser_in
from ml.prm.validation_reading import Problem, Reading, problems_of
from ml.prm.validation_steps import Asked, asked_of, has_something, step_figures
from ml.said import Said
from ml.snapshot import SnapshotRow
from ml.targets import LabelRule, has_verdict

COUNTS = ("count", "count_wrong", "count_right")
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
        settings = self.settings
        scorer = Scorer(self.model, self.tokenizer, self.card, bfloat16=settings.bfloat16)
        try:
            loss, self.figures = _measured(
                scorer, self.rows, self.group, self.examples, settings, settings.tokens_per_row, is_stopping
            )
        except _Stopped:
            return None
        watched = {f"validation_{name}": (self.figures or {}).get(name) for name in WATCHED}
        found = {"validation_loss": loss, **watched}
        return {name: value for name, value in found.items() if value is not None}


def validation_figures(
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    rows: Sequence[SnapshotRow],
    group: Group,
    bfloat16: bool = False,
    tokens_per_row: int = TOKENS_PER_ROW,
) -> dict[str, Any] | None:
    """First-mistake and step figures on the snapshot's validation split; None where it has nothing to measure.

    Each process scores its share, and all hear the figures. The weights may be split.
    """
    scorer = Scorer(model, tokenizer, card, bfloat16=bfloat16)
    return _measured(scorer, rows, group, limit=min(tokens_per_row, TOKENS_PER_ROW))[1]


def _measured(
    scorer: Scorer,
    rows: Sequence[SnapshotRow],
    group: Group,
    examples: Sequence[Example] = (),
    settings: TrainingSettings | None = None,
    limit: int = TOKENS_PER_ROW,
    is_stopping: IsStopping = _never,
) -> tuple[float | None, dict[str, Any] | None]:
    """The objective's mean loss on the examples, and the figures of the rows; None for what there is nothing of."""
    card, rows = scorer.card, [row for row in rows if has_something(row)]
    rule, config = LabelRule.of(card["label_rule"]), card["config"]
    asked = [asked_of(row, rule, config["alternatives"]) for row in rows]
    by_token = card["objective"] == "outcome" and bool(examples) and config["outcome_tokens"] == "all"
    normaliser = normaliser_in(examples, settings) if examples and settings else 1.0
    reading = Reading(scorer, asked, settings, normaliser, by_token, limit)
    loss, scores = _read(reading, problems_of(asked, examples, scorer.tokenizer), group, is_stopping)
    return (loss if examples else None), (_figures(rows, asked, scores, card) if rows else None)


def _read(
    reading: Reading, problems: Sequence[Problem], group: Group, is_stopping: IsStopping
) -> tuple[float, list[list[Scores]]]:
    """The loss and the scores of all that is asked, of which each process reads its share, problem by problem."""

    def look_up() -> None:
        if is_stopping():
            raise _Stopped

    scorer, asked, is_whole = reading.scorer, reading.asked, True
    mine = group.share(problems, [problem.length(asked) for problem in problems])
    with in_step(scorer.model, group, lambda: _read_anything(scorer, asked[0])):
        try:
            reading.read(mine, look_up)
        except _Stopped:
            # The others wait for this process's word.
            is_whole = False
        except torch.OutOfMemoryError as error:
            raise _out_of_memory(reading.limit) from error
    heard: dict[int, list[Scores]] = {}
    loss = 0.0
    for part in group.gathered((reading.loss, reading.scores) if is_whole else None):
        if part is None:
            raise _Stopped
        loss += part[0]
        heard.update(part[1])
    return loss, [heard[place] for place in range(len(asked))]


def _out_of_memory(tokens: int) -> MisstepError:
    return MisstepError(
        Said(
            "the device ran out of memory at the validation split, in packed rows of up to %(tokens)s tokens, expected"
            " room for them: every update that it came after is kept, and the same command goes on from there, without"
            " --trees problem with a lower --tokens-per-row, too",
            tokens=tokens,
        )
    )


def _read_anything(scorer: Scorer, one: Asked) -> None:
    """A pass whose result nobody wants."""
    scorer.score(one.solutions[0].problem, one.solutions[0].steps)


def _figures(
    rows: Sequence[SnapshotRow], asked: Sequence[Asked], found: Sequence[list[Scores]], card: dict[str, Any]
) -> dict[str, Any]:
    steps = [pair for one, scores in zip(asked, found, strict=True) for pair in one.measured(scores)]
    rule = LabelRule.of(card["label_rule"])
    judged = [place for place, row in enumerate(rows) if has_verdict(row, rule)]
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
