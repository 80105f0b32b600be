"""Many whole numbers out of the database in one value, without a Python object for any of them.

Crossing row by row takes longer than the whole comparison, and so does a conversion for each number: columns share
64-bit words, each at its own place in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
# One bit of a word is its sign, and stays 0.
WORD = 63


@dataclass(frozen=True, slots=True)
class Column:
    """A whole number that is never null: its SQL, how many bits its values take, and the lowest of them."""

    sql: str
    bits: int = WORD
    lowest: int = 0


Columns = Mapping[str, Column]


def packed(columns: Columns) -> str:
    """The aggregate that gives all rows of the columns as one value."""
    words: dict[int, list[str]] = {}
    for name, word, shift in _places(columns):
        column = columns[name]
        words.setdefault(word, []).append(f"((({column.sql}) - ({column.lowest}))::int8 << {shift})")
    sent = " || ".join(f"int8send({' | '.join(parts)})" for parts in words.values())
    return f"string_agg({sent}, ''::bytea)"


def unpacked(columns: Columns, raw: bytes | None) -> dict[str, Integers]:
    """Each column as an array, shape [rows]."""
    places = list(_places(columns))
    words = np.frombuffer(raw or b"", dtype=">i8").reshape(-1, places[-1][1] + 1)
    natives = [np.ascontiguousarray(words[:, index], dtype=np.int64) for index in range(words.shape[1])]
    return {
        name: (natives[word] >> shift & (1 << columns[name].bits) - 1) + columns[name].lowest
        for name, word, shift in places
    }


def _places(columns: Columns) -> Iterator[tuple[str, int, int]]:
    """Each column's name, its word, and how far from the word's low end it stands."""
    word = shift = 0
    for name, column in columns.items():
        if shift + column.bits > WORD:
            word, shift = word + 1, 0
        yield name, word, shift
        shift += column.bits
