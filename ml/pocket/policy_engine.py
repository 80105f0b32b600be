"""The pocket policy's forward pass and sampling loop, written out for one core.

A decoder of Llama's form needs some sixty lines; ours keeps one key-value cache for all rows, lets each row
stand at its own length, runs a prefix once for all its samples and drops finished rows from the batch.
A test holds it against transformers' implementation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn.functional import linear, rms_norm, scaled_dot_product_attention, silu

ROWS_AT_ONCE = 192


@dataclass(frozen=True, slots=True)
class Request:
    """A prefix to be continued once: its index among the prefixes, and the key of its random draws."""

    prefix: int
    key: int


@dataclass(frozen=True, slots=True)
class Generated:
    """The tokens written after a prefix (the stop token included) and their summed log probability."""

    tokens: list[int]
    log_probability: float


class Engine:
    """Weights and shape of a small Llama; `sample` continues token sequences."""

    def __init__(self, folder: Path) -> None:
        shape = json.loads((folder / "config.json").read_text())
        self.weights = {n: t.to(torch.float32) for n, t in load_file(folder / "model.safetensors").items()}
        self.layers: int = shape["num_hidden_layers"]
        self.heads: int = shape["num_attention_heads"]
        self.width: int = shape["hidden_size"] // self.heads
        self.epsilon: float = shape["rms_norm_eps"]
        self.longest: int = shape["max_position_embeddings"]
        base = (shape.get("rope_parameters") or shape).get("rope_theta", 10000.0)
        frequencies = base ** (-torch.arange(0, self.width, 2).float() / self.width)
        angles = torch.outer(torch.arange(self.longest).float(), frequencies).repeat(1, 2)
        self.cosine, self.sine = angles.cos(), angles.sin()
        self.embedding = self.weights["model.embed_tokens.weight"]

    def parameters(self) -> int:
        """How many numbers the policy has learned."""
        return sum(weight.numel() for weight in self.weights.values())

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, cache: Cache) -> torch.Tensor:
        """Logits [rows, length, vocabulary] for ids [rows, length] at their positions; the cache grows."""
        rows, length = ids.shape
        hidden = self.embedding[ids]
        cosine, sine = self.cosine[positions].unsqueeze(1), self.sine[positions].unsqueeze(1)
        mask = cache.mask(positions)
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            normed = self._norm(hidden, prefix + "input_layernorm.weight")
            query, key, value = (
                linear(normed, self.weights[f"{prefix}self_attn.{name}_proj.weight"])
                .view(rows, length, self.heads, self.width)
                .transpose(1, 2)
                for name in "qkv"
            )
            keys, values = cache.extend(layer, _rotated(key, cosine, sine), value, positions)
            mixed = scaled_dot_product_attention(_rotated(query, cosine, sine), keys, values, attn_mask=mask)
            mixed = mixed.transpose(1, 2).reshape(rows, length, -1)
            hidden = hidden + linear(mixed, self.weights[prefix + "self_attn.o_proj.weight"])
            normed = self._norm(hidden, prefix + "post_attention_layernorm.weight")
            gate = silu(linear(normed, self.weights[prefix + "mlp.gate_proj.weight"]))
            up = linear(normed, self.weights[prefix + "mlp.up_proj.weight"])
            hidden = hidden + linear(gate * up, self.weights[prefix + "mlp.down_proj.weight"])
        return linear(self._norm(hidden, "model.norm.weight"), self.embedding)

    def _norm(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return rms_norm(hidden, hidden.shape[-1:], self.weights[name], self.epsilon)

    @torch.inference_mode()
    def sample(
        self,
        prefixes: Sequence[Sequence[int]],
        requests: Sequence[Request],
        stops: frozenset[int],
        forbidden: Sequence[int],
        temperature: float,
        longest: int,
    ) -> list[Generated]:
        """Continue each request's prefix up to a stop token, or by at most `longest` tokens."""
        results: list[Generated | None] = [None] * len(requests)
        # Rows of like length share a batch, so that little of the cache is padding.
        order = sorted(
            range(len(requests)), key=lambda i: (len(prefixes[requests[i].prefix]), requests[i].prefix)
        )
        for begin in range(0, len(order), ROWS_AT_ONCE):
            chosen = order[begin : begin + ROWS_AT_ONCE]
            batch = _Batch(self, prefixes, [requests[i] for i in chosen], forbidden, temperature)
            for i, generated in zip(chosen, batch.run(stops, longest), strict=True):
                results[i] = generated
        return [result for result in results if result is not None]


def _rotated(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    first, second = states.chunk(2, dim=-1)
    return states * cosine + torch.cat((-second, first), dim=-1) * sine


class Cache:
    """Keys and values of every row so far: [layers, rows, heads, capacity, width] each."""

    def __init__(self, engine: Engine, rows: int, capacity: int) -> None:
        shape = (engine.layers, rows, engine.heads, capacity, engine.width)
        self.keys, self.values = torch.zeros(shape), torch.zeros(shape)
        self.used = 0

    def mask(self, positions: torch.Tensor) -> torch.Tensor:
        """Which columns each query may see: those up to its own position. [rows, 1, length, used]."""
        self.used = max(self.used, int(positions.max()) + 1)
        return (torch.arange(self.used) <= positions.unsqueeze(-1)).unsqueeze(1)

    def extend(
        self, layer: int, key: torch.Tensor, value: torch.Tensor, positions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write key and value [rows, heads, length, width] at their positions; return all used columns."""
        rows = torch.arange(len(positions)).unsqueeze(1)
        self.keys[layer][rows, :, positions] = key.transpose(1, 2)
        self.values[layer][rows, :, positions] = value.transpose(1, 2)
        return self.keys[layer, :, :, : self.used], self.values[layer, :, :, : self.used]

    def take(self, rows: torch.Tensor, capacity: int) -> None:
        """Keep (or repeat) these rows, with room for `capacity` columns."""
        for name in ("keys", "values"):
            old = getattr(self, name)
            new = torch.zeros((old.shape[0], len(rows), old.shape[2], capacity, old.shape[4]))
            used = min(self.used, capacity)
            new[:, :, :, :used] = old[:, rows, :, :used]
            setattr(self, name, new)


class _Batch:
    """Some requests sampled together."""

    def __init__(
        self,
        engine: Engine,
        prefixes: Sequence[Sequence[int]],
        requests: Sequence[Request],
        forbidden: Sequence[int],
        temperature: float,
    ) -> None:
        self.engine, self.temperature, self.forbidden = engine, temperature, list(forbidden)
        distinct = list(dict.fromkeys(request.prefix for request in requests))
        self.rows = torch.tensor([distinct.index(request.prefix) for request in requests])
        self.keys = np.array([request.key for request in requests], dtype=np.uint64)
        self.lengths = torch.tensor([len(prefixes[p]) for p in distinct])
        self.ids = torch.zeros((len(distinct), int(self.lengths.max())), dtype=torch.long)
        for row, prefix in enumerate(distinct):
            self.ids[row, : len(prefixes[prefix])] = torch.tensor(list(prefixes[prefix]))

    def run(self, stops: frozenset[int], longest: int) -> list[Generated]:
        """Sample until every row has stopped."""
        capacity = min(int(self.lengths.max()) + longest, self.engine.longest)
        cache = Cache(self.engine, len(self.ids), int(self.lengths.max()))
        # Padding behind a short prefix is written to the cache too; the row's own tokens overwrite it.
        positions = torch.arange(self.ids.shape[1]).expand_as(self.ids)
        last = self.engine.forward(self.ids, positions, cache)[torch.arange(len(self.ids)), self.lengths - 1]
        cache.take(self.rows, capacity)
        logits, places = last[self.rows], self.lengths[self.rows]
        owners = np.arange(len(self.rows))  # which request each row of the batch serves
        going = np.ones(len(owners), dtype=bool)
        tokens: list[list[int]] = [[] for _ in owners]
        scores = np.zeros(len(owners))
        for step in range(longest):
            drawn, log_probabilities = self._draw(logits, self.keys[owners], step)
            scores[owners[going]] += log_probabilities[going]
            for row, token in enumerate(drawn.tolist()):
                if going[row]:
                    tokens[owners[row]].append(token)
                    going[row] = token not in stops and int(places[row]) + 1 < capacity
            if not going.any():
                break
            # Rows that have stopped idle in the batch until a quarter can go: each move copies the cache.
            if going.mean() < 0.75:
                kept = torch.from_numpy(np.flatnonzero(going))
                owners, drawn, places, going = owners[going], drawn[kept], places[kept], going[going]
                cache.take(kept, capacity)
            places = places.clamp(max=capacity - 1)
            logits = self.engine.forward(drawn.unsqueeze(1), places.unsqueeze(1), cache)[:, 0]
            places = places + 1
        return [Generated(t, float(s)) for t, s in zip(tokens, scores, strict=True)]

    def _draw(self, logits: torch.Tensor, keys: np.ndarray, step: int) -> tuple[torch.Tensor, np.ndarray]:
        """One token a row by the Gumbel trick, and its log probability under the model as it is."""
        logits[:, self.forbidden] = -torch.inf
        scaled = logits
        if self.temperature > 0:
            noise = torch.from_numpy(gumbel_noise(keys, step, logits.shape[1])).to(logits.dtype)
            scaled = logits / self.temperature + noise
        drawn = scaled.argmax(-1)
        chosen = torch.log_softmax(logits, -1).gather(1, drawn.unsqueeze(1)).squeeze(1)
        return drawn, chosen.double().numpy()


def gumbel_noise(keys: np.ndarray, step: int, size: int) -> np.ndarray:
    """Gumbel draws [rows, size] that depend on each row's key and the step alone, never on the batch.

    The uniform numbers come from SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator.
    """
    with np.errstate(over="ignore"):
        counter = np.uint64(step) * np.uint64(size) + np.arange(1, size + 1, dtype=np.uint64)
        state = keys[:, None] + counter[None, :] * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    uniform = ((state >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return -np.log(-np.log(uniform))
