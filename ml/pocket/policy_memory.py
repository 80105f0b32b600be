"""Keys and values of prefixes and of what is written after them, and the attention over both.

A prefix is read once for all its samples: they attend together to its keys, and each keeps keys of its own only
for what it wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ml.pocket.policy_engine import Attend, Engine
from ml.pocket.policy_prefixes import Read

# Own tokens come in chunks, so that memory grows without being copied. A product over a whole chunk is several
# times as fast as one over an odd number of tokens, so what is not written yet is multiplied too, and masked.
CHUNK = 16

# What is known of a prefix, and its tokens after that.
Prefix = tuple[Read | None, Sequence[int]]


@dataclass(frozen=True, slots=True)
class _InUse:
    """Of one layer what a step reads: prefixes by place and head, and own chunks with a matrix for each head of
    each row.
    """

    prefix_keys: torch.Tensor
    prefix_values: torch.Tensor
    own_keys: list[torch.Tensor]
    own_values: list[torch.Tensor]


class Memory:
    """The memory of prefixes with `samples` rows each; the rows of place p begin at p * samples.

    Prefix keys stand in [layers, places, heads, width, tokens], values in [layers, places, heads, tokens,
    width]; own ones in chunks of [layers, places, heads, samples, width, tokens] and [..., tokens, width],
    `written` tokens in all. Each order is the one in which a step multiplies.
    """

    def __init__(self, engine: Engine, prefixes: Sequence[Prefix], samples: int) -> None:
        """Read the prefixes (those that are known to their end must come last); `reads` is what that left."""
        self.engine, self.samples = engine, samples
        self.places, self.written = len(prefixes), 0
        self.lengths = torch.tensor([(known.length if known else 0) + len(ids) for known, ids in prefixes])
        shape = engine.layers, self.places, engine.heads
        self.prefix_keys = torch.zeros(*shape, engine.width, int(self.lengths.max()))
        self.prefix_values = torch.zeros(*shape, int(self.lengths.max()), engine.width)
        self.chunk_shape = *shape, samples
        self.own_keys: list[torch.Tensor] = []
        self.own_values: list[torch.Tensor] = []
        for place, (known, _) in enumerate(prefixes):
            for start, part in known.segments() if known else ():
                self._put(place, start, part)
        unread = [prefix for prefix in prefixes if prefix[1]]
        self.reads = self._read(unread) if unread else []
        self.reads += [known for known, ids in prefixes if known and not ids]
        self.is_stale = True

    def _put(self, place: int, start: int, read: Read) -> None:
        end = start + read.values.shape[2]
        self.prefix_keys[:, place, :, :, start:end] = read.keys
        self.prefix_values[:, place, :, start:end] = read.values

    def _read(self, prefixes: Sequence[Prefix]) -> list[Read]:
        """Read the tokens after what is known, in one pass; they take the first places."""
        starts = torch.tensor([known.length if known else 0 for known, _ in prefixes])
        counts = torch.tensor([len(ids) for _, ids in prefixes])
        rows, longest = len(prefixes), int(counts.max())
        ids = torch.zeros(rows, longest, dtype=torch.long)
        for row, (_, new) in enumerate(prefixes):
            ids[row, : len(new)] = torch.tensor(new)
        positions = (starts[:, None] + torch.arange(longest)).clamp_(max=self.engine.longest - 1)
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        hidden = self.engine.forward(
            ids.flatten(), positions.flatten(), self._reading(starts, longest, found)
        )
        scores = self.engine.logits(hidden[torch.arange(rows) * longest + counts - 1])
        keys = torch.stack([keys for keys, _ in found]).transpose(3, 4)
        values = torch.stack([values for _, values in found])
        reads = []
        for row, (known, new) in enumerate(prefixes):
            own_keys, own_values = keys[:, row, ..., : len(new)], values[:, row, :, : len(new)]
            read = Read(known, int(starts[row]) + len(new), own_keys.clone(), own_values.clone(), scores[row])
            self._put(row, int(starts[row]), read)
            reads.append(read)
        return reads

    def _reading(
        self, starts: torch.Tensor, longest: int, found: list[tuple[torch.Tensor, torch.Tensor]]
    ) -> Attend:
        """Attention of new tokens to what is known of their prefix, and to the new ones before them."""
        rows, known = len(starts), int(starts.max())
        later = torch.full((longest, longest), -torch.inf).triu(1)
        unknown = _masked(torch.arange(known) >= starts[:, None])[:, None, None, :]

        def attend(layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            query, key, value = (
                states.reshape(rows, longest, self.engine.heads, -1).transpose(1, 2)
                for states in (query, key, value)
            )
            found.append((key, value))
            inside = query @ key.transpose(2, 3) + later
            if not known:
                mixed = inside.softmax(-1) @ value
            else:
                before = query @ self.prefix_keys[layer, :rows, ..., :known] + unknown
                weights = torch.cat((before, inside), -1).softmax(-1)
                mixed = weights[..., :known] @ self.prefix_values[layer, :rows, :, :known]
                mixed += weights[..., known:] @ value
            return mixed.transpose(1, 2).flatten(2).flatten(0, 1)

        return attend

    def begin_step(self) -> None:
        """Make room for one more token of every row."""
        if self.written % CHUNK == 0:
            self.own_keys.append(torch.zeros(*self.chunk_shape, self.engine.width, CHUNK))
            self.own_values.append(torch.zeros(*self.chunk_shape, CHUNK, self.engine.width))
            self.is_stale = True
        if self.is_stale:
            self._arrange()
        self.mask[..., self.longest + self.written] = 0.0
        self.written += 1

    def _arrange(self) -> None:
        """Cut out what a step reads: of each layer the places in use, and which of their tokens are hidden."""
        self.longest = int(self.lengths.max())
        beyond = torch.arange(self.longest) >= self.lengths[:, None]
        unwritten = torch.arange(CHUNK * len(self.own_keys)) >= self.written
        hidden = torch.cat((beyond, unwritten.expand(self.places, -1)), dim=1)
        self.mask = _masked(hidden)[:, None, None, :]
        self.in_use = [
            _InUse(
                self.prefix_keys[layer, : self.places, ..., : self.longest],
                self.prefix_values[layer, : self.places, :, : self.longest],
                [chunk[layer, : self.places].flatten(0, 2) for chunk in self.own_keys],
                [chunk[layer, : self.places].flatten(0, 2) for chunk in self.own_values],
            )
            for layer in range(self.engine.layers)
        ]
        self.is_stale = False

    def attend(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attention of one new token a row to its prefix and to what its sample wrote."""
        query, key, value = (
            states.view(self.places, self.samples, *states.shape[1:]).transpose(1, 2)
            for states in (query, key, value)
        )
        known, place = self.in_use[layer], (self.written - 1) % CHUNK
        alone = query.reshape(-1, 1, self.engine.width)
        known.own_keys[-1][..., place] = key.reshape(alone.shape)[:, 0]
        known.own_values[-1][:, place] = value.reshape(alone.shape)[:, 0]
        shared = query @ known.prefix_keys
        own = [(alone @ keys).view(*shared.shape[:3], CHUNK) for keys in known.own_keys]
        weights = torch.cat((shared, *own), dim=-1).add_(self.mask).softmax(-1)
        mixed = weights[..., : self.longest] @ known.prefix_values
        added = mixed.view(alone.shape)
        parts = weights[..., self.longest :].flatten(0, 2).unsqueeze(1).split(CHUNK, dim=-1)
        for part, values in zip(parts, known.own_values, strict=True):
            added.baddbmm_(part, values)
        return mixed.transpose(1, 2).flatten(2).flatten(0, 1)

    def leave(self, place: int) -> None:
        """Free a place; the last prefix moves there with its samples, so that no place is idle."""
        last = self.places - 1
        if place != last:
            length = int(self.lengths[last])
            self.prefix_keys[:, place, ..., :length] = self.prefix_keys[:, last, ..., :length]
            self.prefix_values[:, place, :, :length] = self.prefix_values[:, last, :, :length]
            for chunk in (*self.own_keys, *self.own_values):
                chunk[:, place] = chunk[:, last]
            self.lengths[place] = length
        self.places, self.lengths = last, self.lengths[:last]
        self.is_stale = True


def _masked(hidden: torch.Tensor) -> torch.Tensor:
    """0 where something may be seen, minus infinity where it is hidden."""
    return torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf)
