"""Token ids at four bytes each: a list of Python's numbers takes nine times as much for every token of a snapshot."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

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


def has_unknown(tokenizer: Any, text: str, ids: Sequence[int]) -> bool:
    """Whether the tokenizer cannot say some of the text.

    The unknown token may be no stopgap (GPT-2's is its end of texts, too): where the text spells it, it is meant.
    """
    unknown = tokenizer.unk_token_id
    return unknown is not None and ids.count(unknown) > text.count(tokenizer.unk_token)
