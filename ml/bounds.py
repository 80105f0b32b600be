"""The numbers that an option may have: read from text, and said in words where the text is none of them.

No comparison with NaN holds, so that it is refused, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers of one kind. words: what is expected, for whoever gave another. allows: whether it is within."""

    kind: type[int] | type[float]
    words: str
    allows: Callable[[float], bool]

    def read(self, text: str) -> int | float:
        """The number that the text says; raises ValueError with the words."""
        try:
            value = self.kind(text)
        except ValueError:
            raise ValueError(self.words) from None
        if not self.allows(value):
            raise ValueError(self.words)
        return value


ABOVE_ZERO = Bounds(int, "a whole number above 0", lambda value: value > 0)
WHOLE = Bounds(int, "a whole number, 0 or more", lambda value: value >= 0)
AMOUNT = Bounds(float, "a number, 0 or more", lambda value: 0 <= value < inf)
LENGTH = Bounds(float, "a number above 0", lambda value: 0 < value < inf)
SHARE = Bounds(float, "a number from 0 to 1", lambda value: 0 <= value <= 1)
BELOW_ONE = Bounds(float, "a number from 0 to below 1", lambda value: 0 <= value < 1)
INSIDE = Bounds(float, "a number above 0 and below 1", lambda value: 0 < value < 1)
FINITE = Bounds(float, "a number", lambda value: -inf < value < inf)
