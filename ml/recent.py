"""What is worth keeping and can be had again (answers, states, reads), within a budget of bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

# What an entry takes beside its content: the objects that hold it, and its place in the dict.
ENTRY_BYTES = 512


def text_bytes(texts: Iterable[str]) -> int:
    """The memory that texts take."""
    return sum(map(sys.getsizeof, texts))


class Recent(Generic[Key, Value]):
    """The values used last; the others go when there are too many bytes of them. Not thread-safe."""

    def __init__(self, bytes_kept: int) -> None:
        self.bytes_kept, self.bytes = bytes_kept, 0
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """An earlier value, or None."""
        found = self._entries.get(key)
        if found is None:
            return None
        self._entries.move_to_end(key)
        return found[0]

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Remember a value whose content has `size` bytes."""
        earlier = self._entries.pop(key, None)
        self._entries[key] = value, size + ENTRY_BYTES
        self.bytes += size + ENTRY_BYTES - (earlier[1] if earlier else 0)
        while self.bytes > self.bytes_kept:
            self.bytes -= self._entries.popitem(last=False)[1][1]
