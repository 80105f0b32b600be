"""A wider model from one that has learned already, without a change of what it says.

What is new reads at random and writes nothing yet, so that training goes on from what the model knows and reaches all
of it (function-preserving growth, as in Chen et al. 2016, "Net2Net").
"""

from __future__ import annotations

import math

import torch
from transformers import LlamaConfig, LlamaForCausalLM

# Matrices whose products are added to what the layers hand on.
_WRITERS = ("o_proj", "down_proj")


@torch.no_grad()
def wider(model: LlamaForCausalLM, config: LlamaConfig) -> LlamaForCausalLM:
    """The model in the shape of `config`, which has more heads of the same size and as many layers.

    Neither is changed. Width d becomes D with zeros in the new places, over which each norm's mean now goes: its
    weights shrink by sqrt(d / D), and what keeps it from dividing by nothing by d / D.
    """
    share = model.config.hidden_size / config.hidden_size
    asked = {**config.to_dict(), "rms_norm_eps": model.config.rms_norm_eps * share}
    grown = LlamaForCausalLM(LlamaConfig.from_dict(asked))
    known = dict(model.named_parameters())
    for name, fresh in grown.named_parameters():
        old = known[name]
        if fresh.ndim == 1:
            fresh[: len(old)] = old * math.sqrt(share)
            continue
        if "embed" in name or any(writer in name for writer in _WRITERS):
            fresh.zero_()
        fresh[: old.shape[0], : old.shape[1]] = old
    return grown
