"""From ratings and estimates to training labels: one rule, applied at freezing and again at training."""

from ml.targets.deciding import decide_labels
from ml.targets.fusion import Fusion, Witnessed, fuse
from ml.targets.rules import Decision, LabelRule
from ml.targets.snapshot_rows import frozen_rule, has_verdict, label_rows, labelled
from ml.targets.testimony import WitnessRates

__all__ = [
    "Decision",
    "Fusion",
    "LabelRule",
    "WitnessRates",
    "Witnessed",
    "decide_labels",
    "frozen_rule",
    "fuse",
    "has_verdict",
    "label_rows",
    "labelled",
]
