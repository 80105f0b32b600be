"""Numbers as Python prints very large and very small floats: 1e-05, 1e+16. Read as plain decimals where they can be
nothing else, and no further than floats go.
"""

from __future__ import annotations

import re
from decimal import Decimal

# Floats end at 1.8e308 and 5e-324. Written out, larger numbers would only be long.
MOST_DIGITS = 324
# A text of many such numbers grows a hundredfold when they are written out.
LONGEST_WRITTEN_OUT = 4_000

# No part of a word, a number in another base, a power or a longer number.
_BEFORE = r"(?<![\w.\\^_])"
_AFTER = r"(?![\w^!{]|\.\d|\.\.|\u2026|\\(?:overline|bar|dot|[lc]?dots)|\s*_)"
_MANTISSA = r"(?P<mantissa>\d+(?:\.\d*)?|\.\d+)"
_EXPONENT = re.compile(rf"{_BEFORE}{_MANTISSA}(?P<e>[eE])(?P<sign>[+-]?)(?P<exponent>\d{{1,4}}){_AFTER}")
# No computer holds what this may be: math-verify takes 1E999999999 for a number, and is at it for ever.
_BEYOND_FLOATS = re.compile(r"\d\.?[eE][+-]?\d*[1-9]\d{3}")


def without_exponents(text: str, euler: bool = False) -> str:
    """`text` with each number in exponent notation written out. euler: also one that may mean Euler's number, 2e-5."""
    if "e" not in text and "E" not in text:
        return text
    written = _EXPONENT.sub(lambda match: _written_out(match, euler), text)
    return written if len(written) <= max(len(text), LONGEST_WRITTEN_OUT) else text


def exponent_digits(text: str) -> int:
    """How many digits the first number in exponent notation has before its exponent; 0 where there is none."""
    match = _EXPONENT.search(text)
    return len(match["mantissa"].replace(".", "").lstrip("0")) if match is not None else 0


def is_beyond_floats(text: str) -> bool:
    """Whether `text` has an exponent, or what looks like one, that no float has."""
    return _BEYOND_FLOATS.search(text) is not None


def _written_out(match: re.Match[str], euler: bool) -> str:
    if int(match["exponent"]) > MOST_DIGITS or (not euler and _may_be_eulers(match)):
        return match[0]
    written = f"{Decimal(match[0]):f}"
    # These would be taken for the last digits of 1,234.
    ends_thousands = match.string[: match.start()].endswith((",", ",}", "\\,"))
    return match[0] if ends_thousands and len(written.partition(".")[0]) == 3 else written


def _may_be_eulers(match: re.Match[str]) -> bool:
    """2e-5 may be 2e minus 5. Nobody writes that with a 0 before the 5, nor a factor of 1 or 2.5."""
    is_difference = match["e"] == "e" and match["sign"] != "" and not match["exponent"].startswith("0")
    return is_difference and match["mantissa"].isdecimal() and match["mantissa"] != "1"
