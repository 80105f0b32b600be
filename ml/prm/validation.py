"""How good a model is on the snapshot's validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch

from ml.evaluation.first_mistake import Scores, first_mistake_report
from ml.prm.distributed import Group
from ml.prm.example import Example
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import batches_within
from ml.prm.score import Scorer, Unscored
from ml.prm.sharding import in_step
from ml.prm.tokenization import StepTokenizer
from ml.prm.train import TrainingSettings, loss_of, normaliser_in, packed_row
from ml.snapshot import SnapshotRow
from ml.targets import has_verdict


@dataclass(frozen=True)
class Validation:
    """The validation split beside a model in training: examples for the loss, rows for the first mistake.

    card: what is known of the model (objective, label rule, settings). group: the processes that share the work.
    Calling it measures the model as it is, without a gradient; what the split cannot measure is left out.
    """

    model: ProcessRewardModel
    tokenizer: StepTokenizer
    card: dict[str, Any]
    rows: Sequence[SnapshotRow]
    examples: Sequence[Example]
    settings: TrainingSettings
    group: Group

    @property
    def has_something(self) -> bool:
        return bool(self.examples) or any(map(has_verdict, self.rows))

    def __call__(self) -> dict[str, float]:
        figures = validation_figures(
            self.model, self.tokenizer, self.card, self.rows, self.group, self.settings.bfloat16
        )
        found = {"validation_loss": self.loss(), "validation_f1": (figures or {}).get("f1")}
        return {name: value for name, value in found.items() if value is not None}

    @torch.no_grad()
    def loss(self) -> float | None:
        """The objective's mean loss; None without examples."""
        if not self.examples:
            return None
        device = next(self.model.parameters()).device
        normaliser, total = normaliser_in(self.examples, self.settings), 0.0
        mine = self.group.share(self.examples, [example.tree.size for example in self.examples])
        for places in batches_within([example.tree.size for example in mine], self.settings.tokens_per_row):
            row = [mine[place] for place in places]
            with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.bfloat16):
                outputs = self.model(packed_row(row, device))
            total += float(loss_of(outputs, row, self.settings, normaliser))
        return self.group.add_numbers(total)[0]


def validation_figures(
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    rows: Sequence[SnapshotRow],
    group: Group,
    bfloat16: bool = False,
) -> dict[str, Any] | None:
    """First-mistake figures on the snapshot's validation split, threshold chosen there; None without rows.

    Each process scores its share, and all hear the figures. The weights may be split.
    """
    judged = [row for row in rows if has_verdict(row)]
    if not judged:
        return None
    scores = _scores(Scorer(model, tokenizer, card, bfloat16=bfloat16), judged, group)
    report = first_mistake_report(scores, [row.first_mistake for row in judged])
    # The counts of each kind say which of the figures nothing was measured for.
    counts = ("count", "count_wrong", "count_right")
    wanted = ("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact", *counts)
    return {name: report[name] for name in wanted}


def _scores(scorer: Scorer, rows: Sequence[SnapshotRow], group: Group) -> list[Scores]:
    """The scores of every row, of which each process reads its share; solutions of a problem stay together."""
    runs = [list(places) for _, places in groupby(range(len(rows)), key=lambda place: rows[place].problem)]
    mine = [place for run in group.share(runs, [_length(rows, run) for run in runs]) for place in run]
    with in_step(scorer.model, group, lambda: scorer.score(rows[0].problem, rows[0].steps)):
        found = scorer.score_all(Unscored(rows[k].id, rows[k].problem, rows[k].steps) for k in mine)
        own = [(place, values) for place, (_, values) in zip(mine, found, strict=True)]
    heard: dict[int, Scores] = {}
    for part in group.gathered(own):
        heard.update(part)
    return [heard[place] for place in range(len(rows))]


def _length(rows: Sequence[SnapshotRow], run: Sequence[int]) -> int:
    """Characters of a problem and its solutions: near enough to tokens, and known without a tokenizer."""
    return len(rows[run[0]].problem) + sum(len(step) for place in run for step in rows[place].steps)
