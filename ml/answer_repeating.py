r"""Decimals whose digits repeat for ever: exactly where a line says so, 0.\overline{3}, and as far as dots tell it,
0.333...
"""

from __future__ import annotations

import re
from fractions import Fraction

_LINED = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>\d*)\.(?P<before>\d*)\\(?:overline|bar)(?:\{(?P<period>\d{1,12})\}|(?P<digit>\d))"
)
# One digit three times, or several of them twice.
_REPEATED = (
    r"(?<![\d.,])(?P<whole>\d{1,20})\.(?P<before>\d{0,20}?)"
    r"(?:(?P<digit>\d)(?P=digit){2,20}|(?P<period>\d{2,6}?)(?P=period){1,9})"
)
_DOTS = r"(?:\.{3}|\u2026|\\[lc]?dots)"
_DOTTED = re.compile(rf"(?P<sign>[+-]?){_REPEATED}{_DOTS}\.?")
_ENDS_DOTTED = re.compile(rf"{_REPEATED}\.{{3,4}}$")


def lined_value(normalised: str) -> Fraction | None:
    """What a decimal with a line over its last digits is; None for anything else."""
    return _value(_LINED.fullmatch(normalised))


def dotted_value(normalised: str) -> Fraction | None:
    """What a decimal with dots behind digits that repeat is most likely meant to be; None for anything else."""
    return _value(_DOTTED.fullmatch(normalised))


def without_full_stops(text: str) -> str:
    """`text` without the full stops at its end, but for dots that say that digits repeat."""
    return text if text.endswith("...") and _ENDS_DOTTED.search(text) else text.rstrip(".")


def _value(match: re.Match[str] | None) -> Fraction | None:
    if match is None:
        return None
    before, period = match["before"], match["period"] or match["digit"]
    shift = 10 ** len(before)
    value = Fraction(int(match["whole"] + before or "0"), shift)
    value += Fraction(int(period), shift * (10 ** len(period) - 1))
    return -value if match["sign"] == "-" else value
