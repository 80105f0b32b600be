"""The numbers that a command's options take: what no run can have is refused with the arguments, before any set-up.

No comparison with NaN holds, so that it is refused, too.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import inf, nan


def positive(text: str) -> int:
    """A whole number above 0."""
    return _whole(text, 1, "a whole number above 0")


def not_negative(text: str) -> int:
    """A whole number, 0 or more."""
    return _whole(text, 0, "a whole number, 0 or more")


def zero_or_more(text: str) -> float:
    """A finite number, 0 or more."""
    return _real(text, lambda value: 0 <= value < inf, "a number, 0 or more")


def below_one(text: str) -> float:
    """A share, from 0 to below 1."""
    return _real(text, lambda value: 0 <= value < 1, "a number from 0 to below 1")


def finite(text: str) -> float:
    """Any number but an infinite one."""
    return _real(text, lambda value: -inf < value < inf, "a number")


def _whole(text: str, lowest: int, expected: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if value < lowest:
        raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}")
    return value


def _real(text: str, is_allowed: Callable[[float], bool], expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not is_allowed(value):
        raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}")
    return value
