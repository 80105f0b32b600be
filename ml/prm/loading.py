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
    PreTrainedModel,
)

from ml.errors import MisstepError
from ml.policies.model_folder import refuse_adapter, refuse_lacking
from ml.prm.attention import SPANS
from ml.prm.generic_head import put_two_layers, token_classifier_for
from ml.prm.model import head_of

# What some families do to the logits of the language model after its head; a plain head does none of it.
LOGIT_CHANGES = ("final_logit_softcapping", "logits_scaling", "logit_scale")
# Up to this width transformers' usual deviation leaves a scalar head's first outputs near 0, where tanh has a slope.
WIDTH = 128
EXPECTED = "expected a transformers model in safetensors"
# What helps where a base cannot be read in packed rows.
BY_ITSELF = "expected another base, or training with --unpacked (right, and slower)"


def load(
    folder: str | Path,
    outputs: int | None = None,
    has_language_head: bool = False,
    keeps_head: bool = False,
    is_packed: bool = True,
) -> PreTrainedModel:
    """A base (`outputs` given) or a checkpoint, in float32; with span attention, or its own where not `is_packed`.

    A base's linear head is new, drawn from torch's current seed, whatever head the folder holds; unless `keeps_head`,
    for a folder whose head was trained for the same. Only safetensors are read, and no code that a folder brings
    along is run. Raises MisstepError when the folder holds no model that can be read so.
    """
    refuse_adapter(Path(folder))
    settings: dict[str, Any] = {"dtype": torch.float32, "use_safetensors": True}
    settings |= {"trust_remote_code": False, "output_loading_info": True}
    if is_packed:
        settings["attn_implementation"] = SPANS
    try:
        _refuse_quantised(folder)
        if has_language_head:
            opened: Any = AutoModelForCausalLM.from_pretrained(str(folder), **settings)
            return _with_language_head(folder, *opened)
        asked = {} if outputs is None else {"num_labels": outputs}
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False, **asked)
        classifier = token_classifier_for(config)
        if outputs is None:
            opened = classifier.from_pretrained(str(folder), **settings)
            return _with_own_head(folder, *opened)
        config.classifier_dropout = 0.0
        # A head of another size is no obstacle, since it is new; anything else of another size is refused below.
        settings |= {"config": config, "ignore_mismatched_sizes": True}
        opened = classifier.from_pretrained(str(folder), **settings)
    except KeyError as error:
        # Families whose attention is chosen from a table of their own know none but theirs.
        if error.args != (SPANS,):
            raise MisstepError(f"{folder}: {error!r}, {EXPECTED}") from error
        raise MisstepError(
            f"{folder}: a {type_of(folder)} model has an attention of its own, {BY_ITSELF}"
        ) from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise MisstepError(f"{folder}: {error}, {EXPECTED}") from error
    return _with_linear_head(folder, opened[0], opened[1], keeps_head)


def context_of(config: Any, is_packed: bool = True) -> int:
    """How many tokens a path may have: the base's positions; in packed rows at most its window where a layer sees no
    further back, and what its short rotary factors are for where longer rows get others: a row holds short paths beside
    long ones.

    Attention by plan knows no window, and a path that is longer would be refused in the middle of training.
    """
    context = int(getattr(config, "max_position_embeddings", None) or 2048)
    if not is_packed:
        return context
    if short := short_context(config):
        context = min(context, short)
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if not window or (kinds is not None and "sliding_attention" not in kinds):
        return context
    return min(context, int(window))


def short_context(config: Any) -> int | None:
    """Up to which length of its longest path the rotary factors of a row stay, where they change (longrope)."""
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") != "longrope":
        return None
    said = rope.get("original_max_position_embeddings")
    found = said or getattr(config, "original_max_position_embeddings", None)
    return int(found) if found else None


def type_of(folder: str | Path) -> str:
    """The model's family, as its config names it."""
    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    return str(config.model_type)


def _refuse_quantised(folder: str | Path) -> None:
    """Raises MisstepError for weights that are trained in no way here: transformers asks for a library for them, and
    with it the matrices are no layers that adapters, splitting or a checkpoint in float32 know."""
    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    if quantised := getattr(config, "quantization_config", None):
        method = quantised.get("quant_method") or "a method without a name"
        raise MisstepError(f"{folder}: weights quantised by {method}, expected unquantised weights")


def _with_language_head(folder: str | Path, model: PreTrainedModel, found: dict[str, Any]) -> PreTrainedModel:
    """Raises MisstepError for a folder without such a head, and for a family that scales or caps its logits: ours
    would differ from its own."""
    refuse_lacking(folder, found["missing_keys"], "a whole language model, or --head linear")
    for name in LOGIT_CHANGES:
        if getattr(model.config, name, None) not in (None, 1, 1.0):
            raise MisstepError(f"this base sets {name}, expected one with a plain head, or --head linear")
    return model


def _with_own_head(folder: str | Path, model: PreTrainedModel, found: dict[str, Any]) -> PreTrainedModel:
    """A trained classifier as it stands. Raises MisstepError where weights are missing."""
    missing = set(found["missing_keys"])
    if missing and missing == {name for name, _ in model.named_parameters() if name.startswith("score.")}:
        missing = set() if put_two_layers(model, Path(folder)) else missing
    refuse_lacking(folder, missing, "a trained token classifier")
    return model


def _with_linear_head(
    folder: str | Path, model: PreTrainedModel, found: dict[str, Any], keeps_head: bool
) -> PreTrainedModel:
    """A base with a head to train. Raises MisstepError where weights below the head are missing, or of another size."""
    head = head_of(model)
    own = {name for name, parameter in model.named_parameters() if _is_of(parameter, head)}
    # Buffers are computed, whatever a file holds of them.
    below = {name for name, _ in model.named_parameters()} - own
    refuse_lacking(folder, below & set(found["missing_keys"]), "all weights that config.json says")
    other_sizes = {name for name, *_ in found["mismatched_keys"]}
    if other_sizes - own:
        raise MisstepError(
            f"{folder}: {min(other_sizes - own)} has another size than config.json says, {EXPECTED}"
        )
    # What was not in the folder was drawn already.
    was_read = own - other_sizes - set(found["missing_keys"])
    if was_read and not keeps_head:
        _draw(head, getattr(model.config, "initializer_range", 0.02))
    if not (was_read and keeps_head):
        _narrow_scalar(head)
    return model


def _is_of(parameter: nn.Parameter, module: nn.Module) -> bool:
    return any(parameter is own for own in module.parameters())


def _narrow_scalar(head: nn.Module) -> None:
    """Outputs of a fresh head grow with the root of the width and with the hidden states: at 3,584 and a root mean
    square of 3 they have a deviation of 3.6, where tanh is flat and squared errors are large. Drawn by the inverse of
    the width they begin near 0, whatever the base; a checkpoint of a run's own has the weights that it was begun with.
    """
    for part in head.modules():
        if isinstance(part, nn.Linear) and part.out_features == 1 and part.in_features > WIDTH:
            with torch.no_grad():
                part.weight.mul_(WIDTH / part.in_features)


def _draw(head: nn.Module, deviation: float) -> None:
    for part in head.modules():
        if isinstance(part, nn.Linear):
            nn.init.normal_(part.weight, std=deviation)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
