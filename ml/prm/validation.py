"""How good a model is on the snapshot's validation split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ml.evaluation.first_mistake import first_mistake_report
from ml.prm.example import Example
from ml.prm.model import ProcessRewardModel
from ml.prm.packing import batches_within
from ml.prm.score import Scorer, Unscored
from ml.prm.tokenization import StepTokenizer
from ml.prm.train import TrainingSettings, loss_of, normaliser_in, packed_row
from ml.snapshot import SnapshotRow
from ml.targets import has_verdict


@dataclass(frozen=True)
class Validation:
    """The validation split beside a model in training: examples for the loss, rows for the first mistake.

    card: what is known of the model (objective, label rule, settings). Calling it measures the model as it is, without
    a gradient; what the split cannot measure is left out.
    """

    model: ProcessRewardModel
    tokenizer: StepTokenizer
    card: dict[str, Any]
    rows: Sequence[SnapshotRow]
    examples: Sequence[Example]
    settings: TrainingSettings

    @property
    def has_something(self) -> bool:
        return bool(self.examples) or any(map(has_verdict, self.rows))

    def __call__(self) -> dict[str, float]:
        figures = validation_figures(self.model, self.tokenizer, self.card, self.rows, self.settings.bfloat16)
        found = {"validation_loss": self.loss(), "validation_f1": (figures or {}).get("f1")}
        return {name: value for name, value in found.items() if value is not None}

    @torch.no_grad()
    def loss(self) -> float | None:
        """The objective's mean loss; None without examples."""
        if not self.examples:
            return None
        device = next(self.model.parameters()).device
        normaliser, total = normaliser_in(self.examples, self.settings), 0.0
        sizes = [example.tree.size for example in self.examples]
        for places in batches_within(sizes, self.settings.tokens_per_row):
            row = [self.examples[place] for place in places]
            with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.bfloat16):
                outputs = self.model(packed_row(row, device))
            total += float(loss_of(outputs, row, self.settings, normaliser))
        return total


def validation_figures(
    model: ProcessRewardModel,
    tokenizer: StepTokenizer,
    card: dict[str, Any],
    rows: Sequence[SnapshotRow],
    bfloat16: bool = False,
) -> dict[str, Any] | None:
    """First-mistake figures on the snapshot's validation split, threshold chosen there; None without rows."""
    judged = [row for row in rows if has_verdict(row)]
    if not judged:
        return None
    scorer = Scorer(model, tokenizer, card, bfloat16=bfloat16)
    found = scorer.score_all(Unscored(row.id, row.problem, row.steps) for row in judged)
    scores = [values for _, values in found]
    report = first_mistake_report(scores, [row.first_mistake for row in judged])
    # The counts of each kind say which of the figures nothing was measured for.
    counts = ("count", "count_wrong", "count_right")
    wanted = ("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact", *counts)
    return {name: report[name] for name in wanted}
