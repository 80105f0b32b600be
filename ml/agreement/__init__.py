"""How far people agree with each other and with machines: counts and correlations, in numpy throughout.

Shapes: n labels are arrays of length n; a first mistake is a 0-based position, and NONE (-1) stands for "no
mistake". A measure that the data leave undefined (nobody disagreed by chance, one class is empty) is None,
never a made-up 0 or 1.
"""

from __future__ import annotations

from ml.agreement.chance import cohen_kappa, krippendorff_alpha, percent_agreement
from ml.agreement.curves import Reliability, RocCurve, auc, reliability, roc_curve
from ml.agreement.first_mistakes import (
    NONE,
    FirstMistakeAgreement,
    compare_first_mistakes,
    encode,
    first_mistake_confusion,
    step_bias,
    within_one,
)
from ml.agreement.intervals import (
    FEWEST_PROBLEMS,
    bootstrap_intervals,
    clustered_interval,
    wilson_interval,
)

__all__ = [
    "FEWEST_PROBLEMS",
    "NONE",
    "FirstMistakeAgreement",
    "Reliability",
    "RocCurve",
    "auc",
    "bootstrap_intervals",
    "clustered_interval",
    "cohen_kappa",
    "compare_first_mistakes",
    "encode",
    "first_mistake_confusion",
    "krippendorff_alpha",
    "percent_agreement",
    "reliability",
    "roc_curve",
    "step_bias",
    "wilson_interval",
    "within_one",
]
