"""Fresh layers on top of a base: room to compare what it expects with what was written."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from ml.errors import MisstepError
from ml.prm.model import LLAMA_SHAPED, build


def deepened(model: PreTrainedModel, count: int, has_language_head: bool = False) -> PreTrainedModel:
    """The model with `count` fresh layers on top that begin as the identity.

    A policy's last layers hold what it expects next. A mistake shows where that differs from what comes, and
    somewhere the two have to be compared: without further layers, training must first make room for it.
    Raises MisstepError for a family whose layers are not stacked like Llama's.
    """
    backbone = getattr(model, model.base_model_prefix)
    if type(backbone).__name__ not in LLAMA_SHAPED:
        raise MisstepError(
            f"layers on top of a {type(backbone).__name__}, expected {', '.join(LLAMA_SHAPED)}"
        )
    config = copy.deepcopy(model.config)
    depth = config.num_hidden_layers
    config.num_hidden_layers = depth + count
    if getattr(config, "layer_types", None):
        config.layer_types = [*config.layer_types, *[config.layer_types[-1]] * count]
    deeper = build(config, has_language_head)
    deeper.load_state_dict(model.state_dict(), strict=False)
    for layer in getattr(deeper, deeper.base_model_prefix).layers[depth:]:
        begin_as_identity(layer)
    return deeper


def begin_as_identity(layer: Any) -> None:
    """Change a layer stacked like Llama's so that it adds nothing yet; training reaches all of it from there."""
    nn.init.zeros_(layer.self_attn.o_proj.weight)
    nn.init.zeros_(layer.mlp.down_proj.weight)
