"""The process reward model: any transformers causal backbone with a head that reads tokens at step ends.

The head is a linear one of its own, and the checkpoint a plain `AutoModelForTokenClassification` folder; or it
is the language model's own at a few target tokens ("the prediction is a single token", Let's Verify Step by
Step) or at the tokens that came (`ml.prm.likelihood`), and the checkpoint a plain `AutoModelForCausalLM`
folder. What is ours is the forward pass: packed rows, attention over spans, and, where steps are read at their
ends, a last layer and head that compute only the tokens that are read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear
from transformers import (
    AutoModelForCausalLM,
    AutoModelForTokenClassification,
    LlamaConfig,
    PreTrainedModel,
)

from ml.errors import MisstepError
from ml.prm.adapters import targets_in
from ml.prm.attention import SPANS, attend_over_spans
from ml.prm.example import Example
from ml.prm.likelihood import (
    StepTokens,
    language_loss,
    read_steps,
    step_tokens,
    token_log_probabilities,
)
from ml.prm.moving import numbers
from ml.prm.one_by_one import hidden_one_by_one
from ml.prm.packing import Packed

# Backbones whose last layer we can run for chosen tokens alone: they share Llama's names. Others run whole.
LLAMA_SHAPED = ("LlamaModel", "MistralModel", "Qwen2Model", "Qwen3Model")


class ProcessRewardModel(nn.Module):
    """Wraps a transformers model; `forward` takes a packed row and returns logits per reading.

    target_ids: the vocabulary ids of the classes where the language model's own head is read, in the order
    negative, positive, neutral; empty where the model has another head. tolerance: given where steps are read
    by the chances of their own tokens (see `ml.prm.likelihood`), all but the `closing` last of each, which the layout
    put there. is_packed: whether a row goes through the model at once, or path by path (see `ml.prm.one_by_one`).
    """

    def __init__(
        self,
        model: nn.Module,
        target_ids: Sequence[int] = (),
        tolerance: float | None = None,
        closing: int = 0,
        is_packed: bool = True,
    ) -> None:
        super().__init__()
        self.model = model
        self.is_packed = is_packed
        self.target_ids = list(target_ids)
        self.tolerance = tolerance
        self.closing = closing

    @property
    def plain(self) -> Any:
        """The transformers model itself, also under a LoRA wrapper."""
        wrapped = getattr(self.model, "get_base_model", None)
        return wrapped() if wrapped else self.model

    def forward(self, packed: Packed) -> torch.Tensor:
        """Logits of every requested reading: shape [R, outputs]."""
        if self.tolerance is not None:
            at = step_tokens(packed, self.closing)
            return read_steps(self._log_probabilities(packed, at), at, self.tolerance)
        return self.read_out(self.hidden_read(packed)).index_select(0, packed.order)

    def hidden_read(self, packed: Packed) -> torch.Tensor:
        """Hidden states at the places that are read: shape [M, hidden]."""
        plain = self.plain
        backbone = getattr(plain, plain.base_model_prefix)
        if self.is_packed and type(backbone).__name__ in LLAMA_SHAPED:
            return _read_llama(backbone, packed)
        return self._all_hidden(packed).index_select(0, packed.reads)

    def with_language_loss(
        self, packed: Packed, examples: Sequence[Example], total: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The readings [R, 2], and the next-token loss on right steps from the same pass (see `ml.prm.likelihood`).

        Raises MisstepError for another head, which predicts no tokens.
        """
        if self.tolerance is None:
            raise MisstepError("a next-token loss beside another head, expected --head likelihood")
        at = step_tokens(packed, self.closing)
        log_p = self._log_probabilities(packed, at)
        return read_steps(log_p, at, self.tolerance), language_loss(log_p, at, examples, total)

    def _all_hidden(self, packed: Packed) -> torch.Tensor:
        """What the head may read at all tokens: [T, hidden]."""
        plain = self.plain
        backbone = getattr(plain, plain.base_model_prefix)
        if not self.is_packed:
            return hidden_one_by_one(backbone, packed)
        output = backbone(
            input_ids=packed.input_ids, position_ids=packed.position_ids, use_cache=False, plan=packed.plan
        )
        hidden: torch.Tensor = output.last_hidden_state[0]
        return hidden

    def _log_probabilities(self, packed: Packed, at: StepTokens) -> torch.Tensor:
        return token_log_probabilities(self._all_hidden(packed), self.plain.get_output_embeddings(), at)

    def read_out(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden states [M, hidden] to logits of the classes [M, outputs].

        In float32 whatever the rest runs in: bfloat16 has eight bits for a logit, and steps that differ would tie.
        """
        with torch.autocast(hidden.device.type, enabled=False):
            return self._read_out(hidden.float())

    def _read_out(self, hidden: torch.Tensor) -> torch.Tensor:
        plain = self.plain
        if not self.target_ids:
            logits: torch.Tensor = head_of(plain)(plain.dropout(hidden))
            return logits
        # Only the target tokens' rows: the logits of the whole vocabulary are never made.
        head = plain.get_output_embeddings()
        bias = getattr(head, "bias", None)
        targets = numbers(self.target_ids, head.weight.device)
        return linear(hidden, head.weight[targets], None if bias is None else bias[targets])


def head_of(model: Any) -> nn.Module:
    """The linear head: `score` in most causal families, `classifier` in the others."""
    head = getattr(model, "score", None)
    return head if head is not None else model.classifier


def small_config(vocabulary: int, outputs: int, **sizes: int) -> LlamaConfig:
    """A Llama of under a million parameters, for the pocket family and for trying things out."""
    chosen: dict[str, Any] = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, **sizes}
    chosen.setdefault("intermediate_size", chosen["hidden_size"] * 8 // 3 // 8 * 8)
    chosen.setdefault("max_position_embeddings", 2048)
    fixed: dict[str, Any] = {
        "num_labels": outputs,
        "classifier_dropout": 0.0,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        "tie_word_embeddings": False,
    }
    return LlamaConfig(
        vocab_size=vocabulary, num_key_value_heads=chosen["num_attention_heads"], **fixed, **chosen
    )


def build(config: Any, has_language_head: bool = False) -> PreTrainedModel:
    """A model with random weights (from torch's current seed) and span attention."""
    if has_language_head:
        return AutoModelForCausalLM.from_config(config, attn_implementation=SPANS)
    model = AutoModelForTokenClassification.from_config(config, attn_implementation=SPANS)
    _head_without_dropout(model)
    return model


def with_lora(
    model: PreTrainedModel,
    rank: int,
    seed: int,
    has_language_head: bool = False,
    targets: Sequence[str] = (),
    alpha: float | None = None,
    dropout: float = 0.0,
) -> nn.Module:
    """Freeze the base; train low-rank adapters on the named layers (without any, see `targets_in`), and a linear head
    whole.

    The language model's own head knows its tokens already and stays as it is. Raises MisstepError for a base
    that has not all of these.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    torch.manual_seed(seed)
    head = "score" if getattr(model, "score", None) is not None else "classifier"
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM if has_language_head else TaskType.TOKEN_CLS,
        r=rank,
        # peft says an integer, and only ever divides it by the rank.
        lora_alpha=2 * rank if alpha is None else alpha,  # type: ignore[arg-type]
        lora_dropout=dropout,
        # "all-linear" would wrap the head as well, which must be trained whole: name the layers.
        target_modules=targets_in(model, targets),
        modules_to_save=None if has_language_head else [head],
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise MisstepError(f"--lora: {error}; expected other --lora-targets") from error


def recompute_activations(model: Any) -> None:
    """Gradient checkpointing: activations are computed again on the way back instead of being kept."""
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})


def _head_without_dropout(model: nn.Module) -> None:
    dropout = getattr(model, "dropout", None)
    if isinstance(dropout, nn.Dropout):
        dropout.p = 0.0


def _read_llama(backbone: Any, packed: Packed) -> torch.Tensor:
    """Hidden states of the read tokens, shape [M, hidden]: all layers but the last run on the whole row."""
    hidden = backbone.embed_tokens(packed.input_ids)
    position_embeddings = backbone.rotary_emb(hidden, position_ids=packed.position_ids)
    for layer in backbone.layers[:-1]:
        hidden = layer(
            hidden,
            attention_mask=None,
            position_embeddings=position_embeddings,
            position_ids=packed.position_ids,
            use_cache=False,
            plan=packed.plan,
        )
    read: torch.Tensor = backbone.norm(_last_layer(backbone.layers[-1], hidden, position_embeddings, packed))
    return read[0]


def _last_layer(
    layer: Any,
    hidden: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    packed: Packed,
) -> torch.Tensor:
    """One decoder layer for the read tokens alone (keys and values of all): shape [1, M, hidden]."""
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    cosine, sine = position_embeddings
    query = _heads(attention, "q", normed.index_select(1, packed.reads))
    key, value = _heads(attention, "k", normed), _heads(attention, "v", normed)
    rotate = sys.modules[type(attention).__module__].apply_rotary_pos_emb
    read_cosine, read_sine = cosine.index_select(1, packed.reads), sine.index_select(1, packed.reads)
    query, _ = rotate(query, query, read_cosine, read_sine)
    key, _ = rotate(key, key, cosine, sine)
    dropout = attention.attention_dropout if layer.training else 0.0
    window = getattr(attention, "sliding_window", None)
    mixed, _ = attend_over_spans(
        attention, query, key, value, None, dropout=dropout, scaling=attention.scaling,
        plan=packed.read_plan, sliding_window=window,
    )  # fmt: skip
    mixed = attention.o_proj(mixed.reshape(1, mixed.shape[1], -1))
    residual = hidden.index_select(1, packed.reads) + mixed
    return residual + layer.mlp(layer.post_attention_layernorm(residual))


def _heads(attention: Any, name: str, hidden: torch.Tensor) -> torch.Tensor:
    """One projection, split into heads: [1, heads, length, head dimension]; Qwen3 norms queries and keys."""
    projected = getattr(attention, f"{name}_proj")(hidden)
    projected = projected.view(1, hidden.shape[1], -1, attention.head_dim)
    norm = getattr(attention, f"{name}_norm", None)
    return (norm(projected) if norm is not None else projected).transpose(1, 2)
