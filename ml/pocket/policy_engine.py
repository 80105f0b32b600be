"""The pocket policy's forward pass and sampling loop, written out for one core.

A decoder of Llama's form needs some sixty lines. Ours reads a prefix once for all its samples: the samples
of a prefix stand in one row of a grid [prefixes, samples], attend together to the prefix's keys, and each
keeps keys of its own only for what it wrote. A test holds it against transformers' implementation.
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

ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Generated:
    """The tokens written after a prefix (the stop token included) and their summed log probability."""

    tokens: list[int]
    log_probability: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to continue: where to stop, what never to write, how warm, and at most how many tokens."""

    stops: frozenset[int]
    forbidden: tuple[int, ...]
    temperature: float
    longest: int


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
        base: float = shape["rope_parameters"]["rope_theta"]
        frequencies = base ** (-torch.arange(0, self.width, 2).float() / self.width)
        angles = torch.outer(torch.arange(self.longest).float(), frequencies).repeat(1, 2)
        self.cosine, self.sine = angles.cos(), angles.sin()
        self.embedding = self.weights["model.embed_tokens.weight"]

    def parameters(self) -> int:
        """How many numbers the policy has learned."""
        return sum(weight.numel() for weight in self.weights.values())

    def forward(self, ids: torch.Tensor, positions: torch.Tensor, memory: Memory) -> torch.Tensor:
        """Logits [rows, length, vocabulary] for ids [rows, length] at their positions; the memory grows."""
        rows, length = ids.shape
        hidden = self.embedding[ids]
        cosine, sine = self.cosine[positions].unsqueeze(1), self.sine[positions].unsqueeze(1)
        for layer in range(self.layers):
            prefix = f"model.layers.{layer}."
            normed = self._norm(hidden, prefix + "input_layernorm.weight")
            query, key, value = (
                linear(normed, self.weights[f"{prefix}self_attn.{name}_proj.weight"])
                .view(rows, length, self.heads, self.width)
                .transpose(1, 2)
                for name in "qkv"
            )
            mixed = memory.attend(layer, _rotated(query, cosine, sine), _rotated(key, cosine, sine), value)
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
        self, prefixes: Sequence[Sequence[int]], keys: Sequence[Sequence[int]], sampling: Sampling
    ) -> list[list[Generated]]:
        """Continue prefix i once for each of keys[i], the seeds of its draws; all have as many keys."""
        results: list[list[Generated]] = [[] for _ in prefixes]
        # Prefixes of like length share a batch, so that little of the memory is padding.
        order = sorted(range(len(prefixes)), key=lambda i: len(prefixes[i]))
        at_once = max(1, ROWS_AT_ONCE // max(1, len(keys[0]) if keys else 1))
        for begin in range(0, len(order), at_once):
            chosen = order[begin : begin + at_once]
            batch = _Batch(self, [prefixes[i] for i in chosen], [keys[i] for i in chosen], sampling)
            for i, generated in zip(chosen, batch.run(), strict=True):
                results[i] = generated
        return results


def _rotated(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    first, second = states.chunk(2, dim=-1)
    return states * cosine + torch.cat((-second, first), dim=-1) * sine


class Memory:
    """Keys and values of the prefixes [groups, heads, length, width] and of each sample's own tokens.

    While `reading`, the prefixes (padded at their ends) are read with a causal mask. After that every forward
    pass brings one token for each place of the grid; own keys are [rows, heads, capacity, width], rows in the
    grid's order.
    """

    def __init__(self, lengths: torch.Tensor) -> None:
        self.prefix: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.own: list[tuple[torch.Tensor, torch.Tensor]] = []
        padding = torch.arange(int(lengths.max())) >= lengths.unsqueeze(1)
        self.padding = torch.zeros(padding.shape).masked_fill(padding, -torch.inf)[:, None, None, :]
        self.reading, self.written = True, 0

    def grow(self, rows: int, engine: Engine, by: int = 64) -> None:
        """Make room for the next tokens of every row."""
        self.reading = False
        if not self.own:
            empty = torch.zeros(rows, engine.heads, 0, engine.width)
            self.own = [(empty, empty)] * engine.layers
        if self.written == self.own[0][0].shape[2]:
            self.own = [(_longer(keys, by), _longer(values, by)) for keys, values in self.own]

    def keep(self, groups: torch.Tensor, rows: torch.Tensor) -> None:
        """Keep these prefixes, and these rows of the samples."""
        self.padding = self.padding[groups]
        self.prefix = [(keys[groups], values[groups]) for keys, values in self.prefix]
        self.own = [(keys[rows], values[rows]) for keys, values in self.own]

    def attend(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attention's result, in the query's shape [rows, heads, length, width]."""
        if self.reading:
            self.prefix.append((key, value))
            return scaled_dot_product_attention(query, key, value, is_causal=True)
        keys, values = self.own[layer]
        keys[:, :, self.written], values[:, :, self.written] = key[:, :, 0], value[:, :, 0]
        keys, values = keys[:, :, : self.written + 1], values[:, :, : self.written + 1]
        shared_keys, shared_values = self.prefix[layer]
        groups, heads, _, width = shared_keys.shape
        samples = len(query) // groups
        query = query * width**-0.5
        together = query.view(groups, samples, heads, width).transpose(1, 2)
        shared = together @ shared_keys.transpose(2, 3) + self.padding
        alone = (query @ keys.transpose(2, 3)).view(groups, samples, heads, -1).transpose(1, 2)
        weights = torch.cat((shared, alone), dim=-1).softmax(-1)
        shared, alone = weights.split((shared.shape[-1], alone.shape[-1]), dim=-1)
        mixed = (shared @ shared_values).transpose(1, 2).reshape(query.shape)
        return mixed + alone.transpose(1, 2).reshape(len(query), heads, 1, -1) @ values


def _longer(states: torch.Tensor, by: int) -> torch.Tensor:
    return torch.cat((states, states.new_zeros(*states.shape[:2], by, states.shape[3])), dim=2)


class _Batch:
    """Some prefixes sampled together. The grid's places name the results they serve, -1 for idle ones."""

    def __init__(
        self,
        engine: Engine,
        prefixes: Sequence[Sequence[int]],
        keys: Sequence[Sequence[int]],
        sampling: Sampling,
    ) -> None:
        self.engine, self.sampling = engine, sampling
        self.keys = np.array(keys, dtype=np.uint64)
        self.results = [[Generated([], 0.0)] * len(row) for row in keys]
        self.lengths = torch.tensor([len(prefix) for prefix in prefixes])
        self.ids = torch.zeros((len(prefixes), int(self.lengths.max())), dtype=torch.long)
        for row, prefix in enumerate(prefixes):
            self.ids[row, : len(prefix)] = torch.tensor(list(prefix))
        self.tokens: list[list[int]] = [[] for _ in range(self.keys.size)]
        self.scores = np.zeros(self.keys.size)

    def run(self) -> list[list[Generated]]:
        """Sample until every row has stopped."""
        groups, samples = self.keys.shape
        memory = Memory(self.lengths)
        positions = torch.arange(self.ids.shape[1]).expand_as(self.ids)
        read = self.engine.forward(self.ids, positions, memory)[torch.arange(groups), self.lengths - 1]
        logits = read.repeat_interleave(samples, 0)
        places = self.lengths.repeat_interleave(samples)
        longest = min(self.sampling.longest, self.engine.longest - int(self.lengths.max()))
        grid = np.arange(self.keys.size).reshape(groups, samples)
        for step in range(longest):
            drawn = self._draw(logits, grid.ravel(), step)
            grid = np.where(self._stopped(grid.ravel(), drawn).reshape(grid.shape), -1, grid)
            busy = (grid >= 0).sum(1)
            if not busy.any():
                break
            # Stopped rows idle until a quarter of the grid can go: each move copies the memory.
            if np.count_nonzero(busy) * busy.max() < 0.75 * grid.size:
                grid, kept_groups, kept = _packed(grid, busy)
                drawn, places = drawn[kept], places[kept]
                memory.keep(kept_groups, kept)
            memory.grow(grid.size, self.engine)
            logits = self.engine.forward(drawn.unsqueeze(1), places.unsqueeze(1), memory)[:, 0]
            memory.written += 1
            places = places + 1
        finished = [Generated(t, float(s)) for t, s in zip(self.tokens, self.scores, strict=True)]
        return [finished[group * samples : (group + 1) * samples] for group in range(groups)]

    def _draw(self, logits: torch.Tensor, owners: np.ndarray, step: int) -> torch.Tensor:
        """One token a row by the Gumbel trick; its log probability is the model's own, at temperature 1."""
        logits[:, list(self.sampling.forbidden)] = -torch.inf
        scaled = logits
        if self.sampling.temperature > 0:
            keys = self.keys.ravel()[np.maximum(owners, 0)]
            noise = torch.from_numpy(gumbel_noise(keys, step, logits.shape[1])).to(logits.dtype)
            scaled = logits / self.sampling.temperature + noise
        drawn = scaled.argmax(-1)
        chosen = torch.log_softmax(logits, -1).gather(1, drawn.unsqueeze(1)).squeeze(1)
        self.scores[owners[owners >= 0]] += chosen.double().numpy()[owners >= 0]
        return drawn

    def _stopped(self, owners: np.ndarray, drawn: torch.Tensor) -> np.ndarray:
        """Hand the drawn tokens to their results; say which rows have nothing more to do."""
        tokens = drawn.numpy()
        for owner, token in zip(owners.tolist(), tokens.tolist(), strict=True):
            if owner >= 0:
                self.tokens[owner].append(token)
        return (owners < 0) | np.isin(tokens, list(self.sampling.stops))


def _packed(grid: np.ndarray, busy: np.ndarray) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    """The grid without its idle rows and columns; the groups and the flat rows that stay, in its order."""
    groups = np.flatnonzero(busy)
    order = np.argsort(grid[groups] < 0, axis=1, kind="stable")[:, : busy.max()]
    flat = groups[:, None] * grid.shape[1] + order
    return grid.ravel()[flat], torch.from_numpy(groups), torch.from_numpy(flat.ravel())


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
