"""Opens a transformers folder: a base, which gets a head for its new objective, or a checkpoint as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    PreTrainedModel,
)

from ml.errors import MisstepError
from ml.prm.attention import SPANS
from ml.prm.model import head_of

# What some families do to the logits of the language model after its head; a plain head does none of it.
LOGIT_CHANGES = ("final_logit_softcapping", "logits_scaling", "logit_scale")
EXPECTED = "expected a transformers model in safetensors"


def load(
    folder: str | Path,
    outputs: int | None = None,
    has_language_head: bool = False,
    keeps_head: bool = False,
) -> PreTrainedModel:
    """A base (`outputs` given) or a checkpoint, in float32 with span attention.

    A base's linear head is new, drawn from torch's current seed, whatever head the folder holds; unless `keeps_head`,
    for a folder whose head was trained for the same. Only safetensors are read, and no code that a folder brings
    along is run. Raises MisstepError when the folder holds no model that can be read so.
    """
    settings: dict[str, Any] = {"attn_implementation": SPANS, "dtype": torch.float32, "use_safetensors": True}
    settings |= {"trust_remote_code": False, "output_loading_info": True}
    try:
        if has_language_head:
            opened: Any = AutoModelForCausalLM.from_pretrained(str(folder), **settings)
            return _with_language_head(folder, *opened)
        if outputs is None:
            opened = AutoModelForTokenClassification.from_pretrained(str(folder), **settings)
            return opened[0]
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False, num_labels=outputs)
        config.classifier_dropout = 0.0
        # A head of another size is no obstacle, since it is new; anything else of another size is refused below.
        settings |= {"config": config, "ignore_mismatched_sizes": True}
        opened = AutoModelForTokenClassification.from_pretrained(str(folder), **settings)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise MisstepError(f"{folder}: {error}, {EXPECTED}") from error
    return _with_linear_head(folder, opened[0], opened[1], keeps_head)


def _with_language_head(folder: str | Path, model: PreTrainedModel, found: dict[str, Any]) -> PreTrainedModel:
    """Raises MisstepError for a folder without such a head, and for a family that scales or caps its logits: ours
    would differ from its own."""
    if found["missing_keys"]:
        lacking = ", ".join(sorted(found["missing_keys"])[:3])
        raise MisstepError(f"{folder} has no {lacking}, expected a whole language model, or --head linear")
    for name in LOGIT_CHANGES:
        if getattr(model.config, name, None) not in (None, 1, 1.0):
            raise MisstepError(f"this base sets {name}, expected one with a plain head, or --head linear")
    return model


def _with_linear_head(
    folder: str | Path, model: PreTrainedModel, found: dict[str, Any], keeps_head: bool
) -> PreTrainedModel:
    head = head_of(model)
    own = {name for name, parameter in model.named_parameters() if _is_of(parameter, head)}
    other_sizes = {name for name, *_ in found["mismatched_keys"]}
    if other_sizes - own:
        raise MisstepError(
            f"{folder}: {min(other_sizes - own)} has another size than config.json says, {EXPECTED}"
        )
    # What was not in the folder was drawn already.
    was_read = own - other_sizes - set(found["missing_keys"])
    if was_read and not keeps_head:
        _draw(head, getattr(model.config, "initializer_range", 0.02))
    return model


def _is_of(parameter: nn.Parameter, module: nn.Module) -> bool:
    return any(parameter is own for own in module.parameters())


def _draw(head: nn.Module, deviation: float) -> None:
    for part in head.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=deviation)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
