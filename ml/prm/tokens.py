"""Token ids at four bytes each: a list of Python's numbers takes nine times as much for every token of a snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import TypeAlias

Tokens: TypeAlias = "array[int]"


def compact(ids: Iterable[int]) -> Tokens:
    """The ids, held compactly; what is compact already stays the same object, so that nodes go on sharing it."""
    return ids if isinstance(ids, array) else array("i", ids)


def remember(known: dict[str, Tokens], text: str, tokens: Tokens, most: int) -> Tokens:
    """Keep a text's tokens; the oldest text's make room for it."""
    if len(known) >= most:
        del known[next(iter(known))]
    known[text] = tokens
    return tokens
