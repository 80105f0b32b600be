"""A second opinion on what rollouts said: labels that an earlier model cannot believe are left out.

Rollouts blame a right step when the policy fails behind it for reasons of its own, and pass a wrong one when two
slips cancel. A model trained on such labels learns what most of them agree on and doubts the rest; where it is sure
and the label says otherwise, the label is more often wrong than the model. Leaving those out is confident learning
(Northcutt et al. 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels"), here by solutions and with
two thresholds. What people said is never left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.prm.checkpoint import sha256_of
from ml.prm.score import Unscored, load_scorer
from ml.snapshot import SnapshotRow


@dataclass(frozen=True)
class SecondOpinion:
    """checkpoint: an earlier classifier. A step named as the first mistake is disbelieved above a score of `sure`,
    one that is labelled right below `doubtful`."""

    checkpoint: Path
    sure: float = 0.55
    doubtful: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 <= self.doubtful < self.sure <= 1.0:
            raise MisstepError(
                f"--second-opinion-sure {self.sure:g} and -doubtful {self.doubtful:g}, expected"
                " 0 <= doubtful < sure <= 1"
            )

    def on_card(self) -> dict[str, Any]:
        """What the card says: which weights, by their manifest's hash, and the thresholds."""
        manifest = sha256_of(self.checkpoint / "manifest.json")
        return {"manifest_sha256": manifest, "sure": self.sure, "doubtful": self.doubtful}


def believed_rows(
    rows: Sequence[SnapshotRow], opinion: SecondOpinion, device: str, counts: Counter[str]
) -> list[SnapshotRow]:
    """The rows, those without labels whose labels the earlier model cannot believe (`disbelieved_rows` in counts).

    Raises MisstepError for a checkpoint that is not whole or no classifier.
    """
    scorer = load_scorer(opinion.checkpoint, device)
    objective = scorer.card["objective"]
    if objective != "classifier":
        raise MisstepError(
            f"--second-opinion {opinion.checkpoint} has objective {objective}, expected classifier"
        )
    asked = [place for place, row in enumerate(rows) if "automatic" in row.label_source]
    waiting = (Unscored(str(place), rows[place].problem, rows[place].steps) for place in asked)
    kept = list(rows)
    for name, scores in scorer.score_all(waiting):
        row = rows[int(name)]
        if not is_believed(row, scores, opinion):
            counts["disbelieved_rows"] += 1
            kept[int(name)] = _unlabelled(row)
    return kept


def is_believed(row: SnapshotRow, scores: Sequence[float | None], opinion: SecondOpinion) -> bool:
    """Whether no label that rollouts gave is denied by a sure score. A step without a score is believed."""
    for place, (label, source, score) in enumerate(zip(row.labels, row.label_source, scores, strict=True)):
        if source != "automatic" or label is None or score is None:
            continue
        if place == row.first_mistake:
            if score > opinion.sure:
                return False
        elif label >= 0.5 and score < opinion.doubtful:
            return False
    return True


def _unlabelled(row: SnapshotRow) -> SnapshotRow:
    count = len(row.steps)
    return replace(row, labels=[None] * count, label_source=[None] * count, first_mistake=None)
