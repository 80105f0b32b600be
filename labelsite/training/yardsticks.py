"""Which labels a run's validation is judged by: figures of other ones do not compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from labelsite.training.joining import joined
from labelsite.training.label_checks import asked_rule, deciding_rule
from labelsite.training.models import TrainingRun
from ml.targets import LabelRule


def yardsticks(runs: Sequence[TrainingRun]) -> list[str]:
    """A letter for each run, the same where the snapshot's content and the label rule are; "" for all if all are."""
    found = [_yardstick(run) for run in runs]
    kinds = list(dict.fromkeys(found))
    return [chr(ord("A") + kinds.index(each)) if len(kinds) > 1 else "" for each in found]


def _yardstick(run: TrainingRun) -> tuple[str, str]:
    """The snapshot's hash and the whole rule, as the card has it, or before there is one, as the command decides it."""
    card: Mapping[str, Any] = getattr(getattr(run, "checkpoint", None), "card", {})
    if card:
        rule: Mapping[str, Any] = card.get("label_rule") or {}
    else:
        rule = deciding_rule(joined(run.snapshots), run.labels, asked_rule(run.configuration))
    # What is asked for names only what is not as usual.
    whole = {**asdict(LabelRule()), "labels": run.labels, **rule}
    # Of a registered one not every snapshot needs to be here.
    trained_on = (card.get("snapshot") or {}).get("sha256") or run.trained_on
    return trained_on, repr(sorted(whole.items()))
