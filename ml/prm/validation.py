"""How good a model is on the snapshot's validation split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml.evaluation.first_mistake import first_mistake_report
from ml.prm.model import ProcessRewardModel
from ml.prm.score import Scorer, Unscored
from ml.prm.tokenization import StepTokenizer
from ml.snapshot import SnapshotRow
from ml.targets import has_verdict


def validation_figures(
    model: ProcessRewardModel, tokenizer: StepTokenizer, card: dict[str, Any], rows: Sequence[SnapshotRow]
) -> dict[str, Any] | None:
    """First-mistake figures on the snapshot's validation split, threshold chosen there; None without rows."""
    judged = [row for row in rows if has_verdict(row)]
    if not judged:
        return None
    scorer = Scorer(model, tokenizer, card)
    found = scorer.score_all(Unscored(row.id, row.problem, row.steps) for row in judged)
    scores = [values for _, values in found]
    report = first_mistake_report(scores, [row.first_mistake for row in judged])
    # The counts of each kind say which of the figures nothing was measured for.
    counts = ("count", "count_wrong", "count_right")
    wanted = ("threshold", "f1", "accuracy_wrong", "accuracy_right", "exact", *counts)
    return {name: report[name] for name in wanted}
