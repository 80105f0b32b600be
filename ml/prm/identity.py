"""Which run a run is: its settings as the card tells them, and one name for all that decides its result."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ml.prm.checkpoint import said_by_newest
from ml.prm.request import Request, tolerance
from ml.prm.resuming import other_settings
from ml.prm.training_settings import TrainingSettings
from ml.training_choices import NAMED_BASES

# What decides no update, and how steps and problems end: that is in `base_facts`, as the base has it where nobody asks.
NO_SETTINGS = ("save_every", "validate_every", "validation_limit", "separator", "problem_end")


def config_of(request: Request, settings: TrainingSettings) -> dict[str, Any]:
    """The settings, for the card."""
    return {
        **asdict(settings),
        **asdict(request.examples),
        "epochs": None if request.steps is not None else request.epochs,
        "head": request.head,
        "tolerance": tolerance(request),
        "trees": request.trees,
        "target_tokens": list(request.target_tokens),
        "lora_rank": request.lora_rank,
        "lora_alpha": _lora_alpha(request),
        "lora_dropout": request.lora_dropout,
        "lora_targets": list(request.lora_targets) if request.lora_rank else None,
        "second_opinion": request.opinion_said,
        "maximum_length": request.maximum_length,
        "too_long": request.too_long,
        "separator": request.separator,
        "problem_end": request.problem_end,
        "gradient_checkpointing": request.gradient_checkpointing,
        "compiled": request.is_compiled,
        "unpacked": not request.is_packed,
        "from_scratch": request.from_scratch,
        "extra_layers": request.extra_layers,
        "limit": request.limit,
        "frozen_labels": request.use_frozen_labels,
    }


def computing_of(request: Request, settings: TrainingSettings) -> dict[str, Any]:
    """What decides how much memory and time the run takes, and of its weights no more than how sums are rounded and
    what dropout draws: a run that ended out of memory goes on with less of it."""
    config = config_of(request, settings)
    found = {name: config[name] for name in ("gradient_checkpointing", "compiled")}
    # Else it decides which solutions of a problem share a tree.
    return {"tokens_per_row": settings.tokens_per_row, **found} if request.trees == "solution" else found


def fingerprint_of(snapshot: str, request: Request, settings: TrainingSettings) -> str:
    """Names the run: the same data, rule and settings. Where states are kept, when it is looked at and how it is
    computed does not count; what stands behind the base's name is `base_facts`."""
    idle = {*NO_SETTINGS, *computing_of(request, settings)}
    body = {name: said for name, said in config_of(request, settings).items() if name not in idle}
    body |= {"snapshot": snapshot, "rule": asdict(request.rule)}
    body["base"] = request.base if request.base in NAMED_BASES else None
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def asked_of(snapshot: str, request: Request, settings: TrainingSettings) -> str:
    """The fingerprint as far as the command tells it: how many updates an epoch has is known once examples are made."""
    return fingerprint_of(snapshot, request, replace(settings, steps=request.steps or 0))


def refuse_other_command(states: Path, snapshot: str, request: Request, settings: TrainingSettings) -> None:
    """Raises MisstepError where states are of another command, as far as it tells: at once, before a large snapshot's
    texts are tokenised."""
    said = said_by_newest(states)
    if said is not None and said.get("asked") != asked_of(snapshot, request, settings):
        raise other_settings(states)


def _lora_alpha(request: Request) -> float | None:
    if not request.lora_rank:
        return None
    return 2.0 * request.lora_rank if request.lora_alpha is None else request.lora_alpha
