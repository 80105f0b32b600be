"""Prefixes that were read once, so that a longer one reads only what it adds: a trie of steps, oldest out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ml.recent import Recent

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
        self.kept: Recent[Parts, Read] = Recent(bytes_kept)

    def longest(self, parts: Parts) -> tuple[int, Read | None]:
        """How many of the parts are read already, and what that left."""
        for count in range(len(parts), 0, -1):
            found = self.kept.get(parts[:count])
            if found is not None:
                return count, found
        return 0, None

    def keep(self, parts: Parts, read: Read) -> None:
        """Remember a read; the oldest go when there are too many bytes of them."""
        self.kept.keep(parts, read, read.keys.nbytes + read.values.nbytes + read.scores.nbytes)
