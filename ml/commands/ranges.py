"""The numbers that a command's options take: what no run can have is refused with the arguments, before any set-up."""

from __future__ import annotations

import argparse

from ml.bounds import ABOVE_ZERO, AMOUNT, BELOW_ONE, FINITE, WHOLE, Bounds


def positive(text: str) -> int:
    """A whole number above 0."""
    return int(_read(text, ABOVE_ZERO))


def not_negative(text: str) -> int:
    """A whole number, 0 or more."""
    return int(_read(text, WHOLE))


def zero_or_more(text: str) -> float:
    """A finite number, 0 or more."""
    return _read(text, AMOUNT)


def below_one(text: str) -> float:
    """A share, from 0 to below 1."""
    return _read(text, BELOW_ONE)


def finite(text: str) -> float:
    """Any number but an infinite one."""
    return _read(text, FINITE)


def _read(text: str, bounds: Bounds) -> float:
    try:
        return bounds.read(text)
    except ValueError as expected:
        raise argparse.ArgumentTypeError(f"{text!r}, expected {expected}") from None
