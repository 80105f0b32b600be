"""The pocket policy's forward pass, written out for one core. A decoder of Llama's form needs some sixty lines.

The pass knows nothing of batches: it takes tokens in rows and asks its caller to `attend`, so the same lines
serve a prefix that is read, the next token of many samples, and one sequence read alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch.nn.functional import linear, pad, rms_norm, silu

# (layer, query, key, value), each [rows, heads, width] with rotated positions and scaled queries, to the
# attention's result [rows, heads * width].
Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

# oneDNN's kernels are twice as fast as the default ones on AVX-512, and cost more to start. They are compiled
# for each number of rows at its first use, so that we have multiples of this one only.
ROWS_FOR_ONEDNN = 32


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's weights; projections that read the same input are one matrix."""

    before_attention: torch.Tensor
    query_key_value: torch.Tensor
    output: torch.Tensor
    before_mlp: torch.Tensor
    gate_up: torch.Tensor
    down: torch.Tensor


class Engine:
    """Weights and shape of a small Llama, and its forward pass."""

    def __init__(self, folder: Path) -> None:
        shape = json.loads((folder / "config.json").read_text())
        self.weights = {n: t.to(torch.float32) for n, t in load_file(folder / "model.safetensors").items()}
        self.layers: int = shape["num_hidden_layers"]
        self.heads: int = shape["num_attention_heads"]
        self.width: int = shape["hidden_size"] // self.heads
        self.epsilon: float = shape["rms_norm_eps"]
        self.longest: int = shape["max_position_embeddings"]
        self.vocabulary: int = shape["vocab_size"]
        base: float = shape["rope_parameters"]["rope_theta"]
        frequencies = base ** (-torch.arange(0, self.width, 2).float() / self.width)
        angles = torch.outer(torch.arange(self.longest).float(), frequencies)
        self._prepare(torch.float32, torch.polar(torch.ones_like(angles), angles))

    def _prepare(self, dtype: torch.dtype, rotations: torch.Tensor) -> None:
        self.dtype = dtype
        self.rotations = rotations
        self.embedding = self.weights["model.embed_tokens.weight"].to(dtype)
        self.last_norm = self.weights["model.norm.weight"].to(dtype)
        self._layers = [self._layer(f"model.layers.{index}.") for index in range(self.layers)]

    def _layer(self, prefix: str) -> _Layer:
        def weight(name: str) -> torch.Tensor:
            return self.weights[f"{prefix}{name}.weight"].to(self.dtype)

        # Halves that rotate together stand side by side, so that a rotation is one complex product; a dot
        # product of query and key does not mind the order.
        size = self.heads * self.width
        paired = torch.arange(size).view(self.heads, 2, -1).transpose(1, 2).flatten()
        query = weight("self_attn.q_proj")[paired] * self.width**-0.5
        return _Layer(
            weight("input_layernorm"),
            torch.cat((query, weight("self_attn.k_proj")[paired], weight("self_attn.v_proj"))),
            weight("self_attn.o_proj"),
            weight("post_attention_layernorm"),
            torch.cat((weight("mlp.gate_proj"), weight("mlp.up_proj"))),
            weight("mlp.down_proj"),
        )

    def parameters(self) -> int:
        """How many numbers the policy has learned."""
        return sum(weight.numel() for weight in self.weights.values())

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, attend: Attend) -> torch.Tensor:
        """The last hidden states [rows, hidden] of the tokens `ids` [rows] at their positions [rows]."""
        rows, size = len(ids), self.heads * self.width
        idle = -rows % ROWS_FOR_ONEDNN if rows >= ROWS_FOR_ONEDNN else 0
        ids, positions = pad(ids, (0, idle)), pad(positions, (0, idle))
        hidden = self.embedding[ids]
        rotation = self.rotations[positions].unsqueeze(1)
        for index, layer in enumerate(self._layers):
            mixed = _project(self._norm(hidden, layer.before_attention), layer.query_key_value)
            pairs = mixed[:, : 2 * size].view(rows + idle, 2 * self.heads, -1, 2)
            rotated = torch.view_as_real(torch.view_as_complex(pairs) * rotation).flatten(2)[:rows]
            value = mixed[:rows, 2 * size :].view(rows, self.heads, self.width)
            found = attend(index, rotated[:, : self.heads], rotated[:, self.heads :], value)
            hidden = hidden + _project(pad(found, (0, 0, 0, idle)), layer.output)
            gate, up = _project(self._norm(hidden, layer.before_mlp), layer.gate_up).chunk(2, dim=-1)
            hidden = hidden + _project(silu(gate) * up, layer.down)
        return hidden[:rows]

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores of every token [rows, vocabulary]."""
        return linear(self._norm(hidden, self.last_norm), self.embedding)

    def _norm(self, hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return rms_norm(hidden, hidden.shape[-1:], weight, self.epsilon)

    @cached_property
    def exact(self) -> Engine:
        """The same model in double precision."""
        other = object.__new__(Engine)
        other.__dict__.update(self.__dict__)
        other._prepare(torch.float64, self.rotations.to(torch.complex128))
        return other

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> torch.Tensor:
        """Scores of every token [vocabulary] after one sequence, read alone from its start."""

        def attend(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            query, key, value = (states.transpose(0, 1) for states in (query, key, value))
            later = torch.full((len(ids), len(ids)), -torch.inf, dtype=self.dtype).triu(1)
            weights = (query @ key.transpose(1, 2) + later).softmax(-1)
            return (weights @ value).transpose(0, 1).flatten(1)

        hidden = self.forward(torch.tensor(ids), torch.arange(len(ids)), attend)
        return self.logits(hidden[-1:])[0]


def _project(states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    if len(states) < ROWS_FOR_ONEDNN or states.dtype != torch.float32 or not _HAS_ONEDNN:
        return linear(states, weight)
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, weight, None, "none", [], "")
    return product


def _has_onednn() -> bool:
    """Whether this build of torch has oneDNN's linear layer, and it computes what ours does."""
    try:
        states, weight = torch.randn(ROWS_FOR_ONEDNN, 8), torch.randn(4, 8)
        product = torch.ops.mkldnn._linear_pointwise(states, weight, None, "none", [], "")
        return bool(torch.allclose(product, linear(states, weight), atol=1e-5))
    except (AttributeError, RuntimeError, NotImplementedError):
        return False


_HAS_ONEDNN = torch.backends.mkldnn.is_available() and _has_onednn()
