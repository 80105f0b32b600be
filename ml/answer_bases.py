"""Numbers that say their base: 121_3. A grader that reads LaTeX drops it, and takes all of them for decimal ones."""

from __future__ import annotations

import re
from fractions import Fraction

from ml.answer_notation import LONGEST_NUMBER, normalise

# An index is no base: what begins with a letter is a variable.
_IN_BASE = re.compile(
    r"(?P<sign>[+-]?)(?P<bracket>\()?(?P<whole>\d[\dA-Za-z]*)(?:\.(?P<part>[\dA-Za-z]+))?(?(bracket)\))"
    r"_(?:(?P<digit>\d)|\{(?P<base>\d{1,2})\}|(?P<bare>\d\d))"
)


def same_in_base(answer: str, reference: str) -> bool | None:
    """Whether two numbers that both say their base are equal; None where one says none, which may be dropped."""
    one, other = map(_value, (answer, reference))
    return None if one is None or other is None else one == other


def _value(text: str) -> Fraction | None:
    match = _IN_BASE.fullmatch(normalise(text)) if len(text) <= LONGEST_NUMBER else None
    if match is None:
        return None
    base = int(match["digit"] or match["base"] or match["bare"])
    part = match["part"] or ""
    try:
        value = Fraction(int(match["whole"] + part, base), base ** len(part))
    except ValueError:
        # A digit that the base does not have, or no base.
        return None
    return -value if match["sign"] == "-" else value
