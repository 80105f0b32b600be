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

# Options that came later, with what they are where nobody asks for them: states go on which were saved before.
LATER: dict[str, Any] = {
    "compiled": False,
    "unpacked": False,
    "second_opinion": None,
    "preference_output": "tanh",
    "lora_dropout": 0.0,
    "too_long": "refuse",
    "fill_pairs": False,
    "least_margin": 0.0,
    "least_edit_distance": 0,
}

# Where adapters went by default before a base's own layers were found, which are these in Llama's kin: a name for the
# default, so that states go on. What it stands for in another base is in `base_facts`.
USUAL_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


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
        "lora_targets": list(request.lora_targets or USUAL_TARGETS) if request.lora_rank else None,
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


def fingerprint_of(
    snapshot: str, request: Request, settings: TrainingSettings, is_earlier: bool = False
) -> str:
    """Names the run: the same data, rule and settings. Where states are kept, when it is looked at and how it is
    computed does not count; what stands behind the base's name is `base_facts`.

    is_earlier: as versions of before named it, whose states go on: with how it is computed and where its base lies."""
    body = {**config_of(request, settings), "snapshot": snapshot, "rule": asdict(request.rule)}
    if body["rule"]["given_up"] == "keep":
        # Snapshots of before there was a choice hold nothing that was given up.
        del body["rule"]["given_up"]
    body["base"] = request.base if is_earlier or request.base in NAMED_BASES else None
    if not is_earlier:
        body = {name: said for name, said in body.items() if name not in computing_of(request, settings)}
    # How steps and problems end is in `base_facts`, which knew it before the card did.
    for name in ("save_every", "validate_every", "validation_limit", "separator", "problem_end"):
        body.pop(name)
    # So that states go on which were saved when any labels counted as frozen that no part of a rule was asked for.
    body["frozen_labels"] = not request.asked
    if settings.objective == "preference":
        # States of before, when other pairs were made of the same rows, are of another run.
        body["pairs"] = "by mean Q"
    for name, usual in {**LATER, "lora_alpha": _lora_alpha(replace(request, lora_alpha=None))}.items():
        if body.get(name) == usual:
            body.pop(name)
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def asked_of(snapshot: str, request: Request, settings: TrainingSettings, is_earlier: bool = False) -> str:
    """The fingerprint as far as the command tells it: how many updates an epoch has is known once examples are made."""
    return fingerprint_of(snapshot, request, replace(settings, steps=request.steps or 0), is_earlier)


def refuse_other_command(states: Path, snapshot: str, request: Request, settings: TrainingSettings) -> None:
    """Raises MisstepError where states are of another command, as far as it tells: at once, before a large snapshot's
    texts are tokenised. Where an earlier version wrote them, that is known if the number of updates was asked for."""
    said = said_by_newest(states)
    begun = said and said.get("fingerprint" if request.steps is not None else "asked")
    if begun and begun not in [asked_of(snapshot, request, settings, earlier) for earlier in (False, True)]:
        raise other_settings(states)


def _lora_alpha(request: Request) -> float | None:
    if not request.lora_rank:
        return None
    return 2 * request.lora_rank if request.lora_alpha is None else request.lora_alpha
