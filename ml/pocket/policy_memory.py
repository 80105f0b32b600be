"""Keys and values of prefixes and of what is written after them, and the attention over both.

A prefix is read once for all its samples: they attend together to its keys, and each keeps keys of its own only
for what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ml.pocket.policy_engine import Attend, Engine
from ml.pocket.policy_prefixes import Read

# Own tokens come in chunks: what one chunk's products need fits the second-level cache.
CHUNK = 16

# What is known of a prefix, and its tokens after that.
Prefix = tuple[Read | None, Sequence[int]]


class Memory:
    """The memory of prefixes with `samples` rows each; the rows of place p begin at p * samples.

    Prefix keys stand in [layers, places, heads, width, tokens], values in [layers, places, heads, tokens,
    width]; own keys and values in chunks of [layers, tokens, rows, heads, width], `written` tokens in all.
    Every token of every row is read at each step, so rows stand side by side, without gaps between them.
    """

    def __init__(self, engine: Engine, prefixes: Sequence[Prefix], samples: int) -> None:
        """Read the prefixes (those that are known to their end must come last); `reads` is what that left."""
        self.engine, self.samples = engine, samples
        self.places, self.written = len(prefixes), 0
        self.lengths = torch.tensor([(known.length if known else 0) + len(ids) for known, ids in prefixes])
        shape = engine.layers, self.places, engine.heads
        self.prefix_keys = torch.zeros(*shape, engine.width, int(self.lengths.max()))
        self.prefix_values = torch.zeros(*shape, int(self.lengths.max()), engine.width)
        self.chunk_shape = engine.layers, CHUNK, self.places * samples, engine.heads, engine.width
        self.own_keys: list[torch.Tensor] = []
        self.own_values: list[torch.Tensor] = []
        for place, (known, _) in enumerate(prefixes):
            for start, part in known.segments() if known else ():
                self._put(place, start, part)
        unread = [prefix for prefix in prefixes if prefix[1]]
        self.reads = self._read(unread) if unread else []
        self.reads += [known for known, ids in prefixes if known and not ids]
        self._pad()

    def _put(self, place: int, start: int, read: Read) -> None:
        end = start + read.values.shape[2]
        self.prefix_keys[:, place, :, :, start:end] = read.keys
        self.prefix_values[:, place, :, start:end] = read.values

    def _pad(self) -> None:
        self.longest = int(self.lengths.max())
        self.padding = _masked(torch.arange(self.longest) >= self.lengths[:, None])[:, None, None, :]

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
            self.own_keys.append(torch.empty(self.chunk_shape))
            self.own_values.append(torch.empty(self.chunk_shape))
        self.written += 1

    def attend(self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attention of one new token a row to its prefix and to what its sample wrote."""
        rows, heads, width = query.shape
        places, samples = self.places, self.samples
        place = (self.written - 1) % CHUNK
        self.own_keys[-1][layer, place, :rows], self.own_values[-1][layer, place, :rows] = key, value
        own = torch.cat([(keys * query).sum(-1) for keys in self._own(self.own_keys, layer, rows)])
        own = own.view(self.written, places, samples, heads).permute(1, 3, 2, 0)
        together = query.reshape(places, samples, heads, width).transpose(1, 2)
        shared = together @ self.prefix_keys[layer, :places, ..., : self.longest] + self.padding
        weights = torch.cat((shared, own), dim=-1).softmax(-1)
        mixed = weights[..., : self.longest] @ self.prefix_values[layer, :places, :, : self.longest]
        mixed = mixed.transpose(1, 2).reshape(rows, heads, width)
        own = weights[..., self.longest :].permute(3, 0, 2, 1).reshape(self.written, rows, heads, 1)
        for values, part in zip(self._own(self.own_values, layer, rows), own.split(CHUNK), strict=True):
            mixed += (values * part).sum(0)
        return mixed.flatten(1)

    def _own(self, chunks: Sequence[torch.Tensor], layer: int, rows: int) -> Iterator[torch.Tensor]:
        """A layer's own keys or values [tokens, rows, heads, width], chunk by chunk."""
        for index, chunk in enumerate(chunks):
            yield chunk[layer, : self.written - index * CHUNK, :rows]

    def leave(self, place: int) -> None:
        """Free a place; the last prefix moves there with its samples, so that no place is idle."""
        last, samples = self.places - 1, self.samples
        if place != last:
            length = int(self.lengths[last])
            self.prefix_keys[:, place, ..., :length] = self.prefix_keys[:, last, ..., :length]
            self.prefix_values[:, place, :, :length] = self.prefix_values[:, last, :, :length]
            there, here = (slice(p * samples, (p + 1) * samples) for p in (place, last))
            for chunk in (*self.own_keys, *self.own_values):
                chunk[:, :, there] = chunk[:, :, here]
            self.lengths[place] = length
        self.places, self.lengths = last, self.lengths[:last]
        if last:
            self._pad()


def _masked(hidden: torch.Tensor) -> torch.Tensor:
    """0 where something may be seen, minus infinity where it is hidden."""
    return torch.zeros(hidden.shape).masked_fill_(hidden, -torch.inf)
