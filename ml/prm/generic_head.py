"""A linear head for families that transformers has no token classifier of: its own generic one, on their backbone.

A checkpoint is opened here as any other. In transformers alone its backbone opens with `AutoModel`, and the head is
`score` in the same file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import nn
from transformers import AutoModelForTokenClassification, PreTrainedModel
from transformers.modeling_layers import GenericForTokenClassification
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from ml.errors import MisstepError

# Of transformers' classifiers, and of value models that other tools train.
HEADS = ("score.", "classifier.", "v_head.")
TWO_LAYERS = ("score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias")


def token_classifier_for(config: Any) -> Any:
    """What opens a model of this config with a linear head: transformers' own class where there is one.

    Raises MisstepError for a family without a backbone of text alone.
    """
    kind: Any = type(config)
    if kind in AutoModelForTokenClassification._model_mapping:
        return AutoModelForTokenClassification
    if config.get_text_config() is not config or kind not in MODEL_MAPPING:
        raise MisstepError(
            f"no linear head fits a {config.model_type} model, expected --head tokens, or another base"
        )
    return _classifier_on(MODEL_MAPPING[kind], kind)


@cache
def _classifier_on(backbone: Any, kind: type) -> type:
    family = next(base for base in backbone.__mro__ if base.__name__.endswith("PreTrainedModel"))
    if family is PreTrainedModel:
        raise MisstepError(
            f"no linear head fits a {backbone.__name__}, expected --head tokens, or another base"
        )
    name = family.__name__.removesuffix("PreTrainedModel") + "ForTokenClassification"
    body = {"base_model_prefix": backbone.base_model_prefix, "config_class": kind, "__module__": __name__}
    return type(name, (GenericForTokenClassification, family), body)


def heads_in(folder: Path) -> list[str]:
    """The names of the weights in a folder that are a trained head's, and no language model's own."""
    found: list[str] = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as tensors:
            held = set(tensors.keys())
            found += [name for name in held if name.startswith(HEADS)]
    return sorted(found)


def put_two_layers(model: Any, folder: Path) -> bool:
    """Give the model a head of two layers with a ReLU between them, as Qwen2.5-Math-PRM has it, where the folder holds
    one; returns whether it does."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as tensors:
            held = set(tensors.keys())
            names = [name for name in TWO_LAYERS if name in held]
            found |= {name.removeprefix("score."): tensors.get_tensor(name).float() for name in names}
    if len(found) != len(TWO_LAYERS):
        return False
    inner, outer = found["0.weight"].shape, found["2.weight"].shape
    head = nn.Sequential(nn.Linear(inner[1], inner[0]), nn.ReLU(), nn.Linear(outer[1], outer[0]))
    head.load_state_dict(found)
    model.score = head
    return True
