"""Prefixes that were read once, so that a longer one reads only what it adds: a trie of steps, oldest out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch

Parts = tuple[tuple[int, ...], ...]

BYTES_KEPT = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Read:
    """What reading a prefix left: its own last tokens' keys [layers, heads, width, tokens] and values
    [layers, heads, tokens, width], the scores of the next token, and the prefix that it extends.
    """

    parent: Read | None
    length: int
    keys: torch.Tensor
    values: torch.Tensor
    scores: torch.Tensor

    def segments(self) -> list[tuple[int, Read]]:
        """The reads that make up the prefix, each with the position of its first token."""
        chain: list[tuple[int, Read]] = []
        read: Read | None = self
        while read is not None:
            chain.append((read.length - read.values.shape[2], read))
            read = read.parent
        return chain


class ReadPrefixes:
    """Reads by the token ids of their parts (question, first step, second step ...)."""

    def __init__(self, bytes_kept: int = BYTES_KEPT) -> None:
        self.bytes_kept, self.bytes = bytes_kept, 0
        self._reads: OrderedDict[Parts, Read] = OrderedDict()

    def longest(self, parts: Parts) -> tuple[int, Read | None]:
        """How many of the parts are read already, and what that left."""
        for count in range(len(parts), 0, -1):
            found = self._reads.get(parts[:count])
            if found is not None:
                self._reads.move_to_end(parts[:count])
                return count, found
        return 0, None

    def keep(self, parts: Parts, read: Read) -> None:
        """Remember a read; the oldest go when there are too many bytes of them."""
        earlier = self._reads.pop(parts, None)
        self._reads[parts] = read
        self.bytes += _size(read) - (_size(earlier) if earlier else 0)
        while self.bytes > self.bytes_kept and len(self._reads) > 1:
            self.bytes -= _size(self._reads.popitem(last=False)[1])


def _size(read: Read) -> int:
    return read.keys.nbytes + read.values.nbytes + read.scores.nbytes
