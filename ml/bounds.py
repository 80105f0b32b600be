"""The numbers that an option or a line may have: read from text, and said in words where the text is none of them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import inf
from typing import TypeGuard


def is_whole(value: object) -> TypeGuard[int]:
    """Whether a value is a whole number; JSON's true and false are some to Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_within(value: object, low: float, high: float) -> TypeGuard[int | float]:
    """Whether a value is a number from low to high: neither an infinity nor what is no number lies between the two."""
    return (is_whole(value) or isinstance(value, float)) and low <= value <= high


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers of one kind, `least` and `most` among them, and none of `above` and `below`. words: what is expected, for
    whoever gave another. No comparison with NaN holds, so that it is refused, too.
    """

    kind: type[int] | type[float]
    words: str
    least: float = -inf
    above: float = -inf
    most: float = inf
    below: float = inf

    def read(self, text: str) -> int | float:
        """The number that the text says; raises ValueError with the words."""
        try:
            value = self.kind(text)
        except ValueError:
            raise ValueError(self.words) from None
        if not (self.least <= value <= self.most and self.above < value < self.below):
            raise ValueError(self.words)
        return value

    def __call__(self, text: str) -> int | float:
        """The same, as the `type` of a command's argument."""
        try:
            return self.read(text)
        except ValueError as expected:
            raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}") from None


ABOVE_ZERO = Bounds(int, "a whole number above 0", least=1)
WHOLE = Bounds(int, "a whole number, 0 or more", least=0)
AMOUNT = Bounds(float, "a number, 0 or more", least=0)
LENGTH = Bounds(float, "a number above 0", above=0)
SHARE = Bounds(float, "a number from 0 to 1", least=0, most=1)
BELOW_ONE = Bounds(float, "a number from 0 to below 1", least=0, below=1)
INSIDE = Bounds(float, "a number above 0 and below 1", above=0, below=1)
UP_TO_ONE = Bounds(float, "a number above 0 and up to 1", above=0, most=1)
FINITE = Bounds(float, "a number")
