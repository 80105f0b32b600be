"""Answers that are numbers too large to compute: a grader that compared one would be at it for ever."""

from __future__ import annotations

import importlib.util
import math
import re

from ml.answer_exponents import is_beyond_floats
from ml.answer_notation import normalise

# Python takes minutes to compute a power of so many digits, on any computer. A library for large numbers, which sympy
# uses where it is installed, takes as long a thousand times further on.
_HAS_LIBRARY = any(importlib.util.find_spec(name) for name in ("gmpy2", "flint"))
DIGITS_BEYOND_COMPUTING = 1e11 if _HAS_LIBRARY else 1e8
# A power of two has one binary digit that is not 0, and math-verify has computed some further on in time.
DIGITS_BEYOND_COMPUTING_OF_TWO = max(2e8, DIGITS_BEYOND_COMPUTING)

_PLAIN_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
# A power's exponent is in braces or has one digit: what 2^10 means is for the grader to say.
_POWER = re.compile(r"(\d+)\^(?:(\d)|\{(.+)\})")
_FACTORIAL = re.compile(r"(\d+)!")
# The first of a tower of Python's powers is to all of the rest.
_PYTHONS_POWER = re.compile(r"(\d+)\s*\*\*\s*\(?(.+?)\)?")


def is_beyond_computing(answer: str, reference: str) -> bool:
    """Whether one is a power, a tower of powers or a factorial without bounds, and the other a plain number:
    math-verify computes the first to compare them. Beside anything else it may see the difference without. A number
    with an exponent that no float has it computes whatever stands beside it.
    """
    if is_beyond_floats(answer) or is_beyond_floats(reference):
        return True
    pair = normalise(_with_latex_powers(answer)), normalise(_with_latex_powers(reference))
    return any(
        _PLAIN_NUMBER.fullmatch(one) is not None and _digits(other) >= _bound_of(other)
        for one, other in (pair, pair[::-1])
    )


def _with_latex_powers(text: str) -> str:
    bases = []
    while (power := _PYTHONS_POWER.fullmatch(text.strip())) is not None:
        bases.append(power[1])
        text = power[2]
    return "".join(f"{base}^{{" for base in bases) + text + "}" * len(bases)


def _bound_of(text: str) -> float:
    power = _POWER.fullmatch(text)
    is_of_two = power is not None and int(power[1]).bit_count() == 1
    return DIGITS_BEYOND_COMPUTING_OF_TWO if is_of_two else DIGITS_BEYOND_COMPUTING


def _digits(text: str) -> float:
    """How many digits the power or factorial has that a text is; 0 where it is none."""
    factorial = _FACTORIAL.fullmatch(text)
    if factorial is not None:
        number = float(factorial[1])
        return number * (math.log10(number) - math.log10(math.e)) if number > 1 else 0.0
    power = _POWER.fullmatch(text)
    return _log10_of(power) if power is not None else 0.0


def _log10_of(power: re.Match[str]) -> float:
    return _digits_of_power(power[1], _value(power[2] or power[3]))


def _digits_of_power(base: str, exponent: float) -> float:
    return math.log10(float(base)) * exponent if float(base) > 1 else 0.0


def _value(text: str) -> float:
    """What an exponent is, infinite from where floats end; 0, which makes no power large, where it is no number."""
    # A loop: a tower may have more levels than Python's stack.
    bases = []
    while (power := _POWER.fullmatch(text)) is not None:
        bases.append(power[1])
        text = power[2] or power[3]
    value = float(text) if text.isdecimal() else 0.0
    for base in reversed(bases):
        digits = _digits_of_power(base, value)
        value = 10.0**digits if digits < 300 else math.inf
    return value
