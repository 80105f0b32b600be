"""Tiny bases of other families, with random weights large enough that every layer matters."""

from __future__ import annotations

from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from tests.ml.prm.toys import tokenizer

SIZES = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 256, "pad_token_id": 0, "bos_token_id": None,
    "eos_token_id": None,
}  # fmt: skip
LINEAR = {
    "layer_types": ["linear_attention", "full_attention"], "head_dim": 8, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip
FAMILIES: dict[str, dict[str, Any]] = {
    "lfm2": {"layer_types": ["conv", "full_attention"], "block_ff_dim": 64},
    "qwen3_5_text": LINEAR,
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1, "expand": 2},
    "gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8},
    "bloom": {"n_layer": 2, "n_head": 4},
    "gptj": {"n_embd": 32, "n_layer": 2, "n_head": 4, "rotary_dim": 4, "n_positions": 256},
    "glm4_moe": {
        "head_dim": 8, "moe_intermediate_size": 16, "n_routed_experts": 4, "num_experts_per_tok": 2,
        "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    },
    "gemma3_text": {"head_dim": 8, "sliding_window": 256},
    "phi3": {
        "original_max_position_embeddings": 96,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4,
            "long_factor": [1.0, 2.0, 4.0, 8.0], "original_max_position_embeddings": 96,
        },
    },
}  # fmt: skip


def config_of(family: str, vocabulary: int, **changes: Any) -> Any:
    given = {**SIZES, "vocab_size": vocabulary, **FAMILIES.get(family, {}), **changes}
    return CONFIG_MAPPING[family](**given)


def stirred(model: Any) -> Any:
    """The model with weights drawn wide."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" not in name:
                parameter.normal_(0, 0.15)
    return model.eval()


def base_of(family: str, folder: Any, **changes: Any) -> Any:
    """A language model's folder with the tokenizer of the sums; returns the folder."""
    steps = tokenizer()
    config = config_of(family, len(steps.tokenizer), **changes)
    stirred(AutoModelForCausalLM.from_config(config)).save_pretrained(folder)
    steps.tokenizer.save_pretrained(folder)
    return folder
