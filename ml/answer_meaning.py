"""Whether two answers mean the same: what math-verify and `ml/answer_sympy.py` read in them, compared by math-verify.

Only the killable child uses this.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import sympy
from math_verify import parse, verify

from ml.answer_python import python_text, with_commas
from ml.answer_sympy import meaning_of

# More parts are not paired off one by one.
MOST_PARTS = 50
TWICE = re.compile(r"(?:\\left)?\[\s*([^,]+?)\s*,\s*\1\s*(?:\\right)?\]")


class Reading(NamedTuple):
    """One way to read an answer. is_printed: as Python's. is_list: it stands in brackets of a list."""

    meanings: list[Any]
    is_printed: bool
    is_list: bool


def means_the_same(answer: str, reference: str) -> bool:
    """Whether any reading of the answer is one of the reference's."""
    given = readings(answer)
    return any(_is_same(known, one) for known in readings(reference) for one in given)


def readings(text: str) -> list[Reading]:
    """How an answer may be read, the same for a reference: as LaTeX, as what Python prints, or as both where it may
    be either; not at all where a power of Python's cannot be read.
    """
    text = with_commas(text.strip())
    brackets = text[:1] + text[-1:]
    python = python_text(text)
    printed = None
    if python is not None and python.tree is not None:
        try:
            printed = meaning_of(python.tree)
        except Exception:
            # Unreadable, and any error of sympy's.
            printed = None
    found = [] if printed is None else [Reading([printed], True, brackets in ("[]", "()"))]
    is_latex = python is None or not python.is_certain or (printed is None and "**" not in text)
    is_twice = TWICE.fullmatch(text) is not None
    is_list = is_twice or brackets == "[]"
    return [*found, Reading(_latex(text, is_twice), False, is_list)] if is_latex else found


def _latex(text: str, is_twice: bool) -> list[Any]:
    # A bare LaTeX answer is only read as LaTeX inside dollars; the plain reading is the fallback.
    meanings = list(parse(f"${text}$", parsing_timeout=None)) or list(parse(text, parsing_timeout=None))
    return [_as_list(one) for one in meanings] if is_twice else meanings


def _as_list(meaning: Any) -> Any:
    """A list of the same twice, which sympy takes for the interval from there to there: for that one alone."""
    is_one = isinstance(meaning, sympy.FiniteSet) and len(meaning.args) == 1
    return sympy.Tuple(*meaning.args, *meaning.args) if is_one else meaning


def _is_same(known: Reading, one: Reading) -> bool:
    expected, given = known.meanings, one.meanings
    if known.is_printed or one.is_printed:
        expected, given = _with_common_symbols(expected, given)
    if _verified(expected, given):
        return True
    return any(_has_parts(gold, meaning, one) for gold in expected for meaning in given)


def _verified(expected: Any, given: Any) -> bool:
    return bool(verify(expected, given, timeout_seconds=None))


def _has_parts(gold: Any, meaning: Any, one: Reading) -> bool:
    """Whether the parts of what has no order are the answer's: Python prints solutions as [-2, 2], and a pair as
    [3, 4]. A reference in such brackets is the interval that it is.
    """
    if isinstance(gold, sympy.MatrixBase):
        return one.is_list and _has_rows(gold, _listed(meaning))
    if isinstance(gold, sympy.Interval):
        # (3, 4) is a pair more often than an open interval; the strict opinion disagrees, so that a person looks.
        is_pair = gold.left_open and gold.right_open and gold.measure.is_finite
        return bool(is_pair and one.is_list and _has_rows(sympy.Matrix(_listed(gold)), _listed(meaning)))
    if not isinstance(gold, sympy.FiniteSet | sympy.And):
        return False
    is_alike = one.is_printed and isinstance(meaning, sympy.FiniteSet | sympy.And)
    parts = list(meaning.args) if is_alike else _listed(meaning) if one.is_list else []
    # A set has what stands in it once.
    parts = parts[:1] if len(gold.args) == 1 and len(set(parts)) == 1 else parts
    is_of_kind = not isinstance(gold, sympy.And) or isinstance(meaning, sympy.And)
    return is_of_kind and _are_paired(gold.args, parts)


def _has_rows(gold: Any, rows: list[Any]) -> bool:
    """Whether a list of lists is a matrix, or a list a vector."""
    if rows and all(map(_listed, rows)):
        is_shaped = len(rows) == gold.rows and all(len(_listed(row)) == gold.cols for row in rows)
        parts = [part for row in rows for part in _listed(row)] if is_shaped else []
    else:
        parts = rows if min(gold.shape) == 1 else []
    return len(parts) == len(gold.flat()) and all(map(_verified, gold.flat(), parts))


def _listed(meaning: Any) -> list[Any]:
    """The parts of a list, which two ascending ones make look like an interval."""
    if isinstance(meaning, sympy.Interval):
        return [meaning.start, meaning.end] if meaning.left_open == meaning.right_open else []
    return list(meaning.args) if isinstance(meaning, sympy.Tuple | sympy.FiniteSet) else []


def _are_paired(expected: Sequence[Any], given: Sequence[Any]) -> bool:
    if len(expected) != len(given) or len(expected) > MOST_PARTS:
        return False
    left = list(given)
    for gold in expected:
        match = next((place for place, one in enumerate(left) if _verified(gold, one)), None)
        if match is None:
            return False
        del left[match]
    return True


def _with_common_symbols(*sides: list[Any]) -> tuple[list[Any], ...]:
    """Both sides with the same symbols for the same letters. LaTeX's have small letters, and no imaginary unit; they
    are real where no such unit is about.
    """
    symbols = {symbol for side in sides for one in side if _is_sympy(one) for symbol in one.free_symbols}
    has_unit = any(symbol.name == "i" for symbol in symbols)
    is_complex = has_unit or any(_is_sympy(one) and one.has(sympy.I) for side in sides for one in side)
    common = {symbol: _common(symbol.name, None if is_complex else True) for symbol in symbols}
    return tuple([one.xreplace(common) if _is_sympy(one) else one for one in side] for side in sides)


def _common(name: str, real: bool | None) -> Any:
    plain = name.replace("{", "").replace("}", "").replace("_", "").lower()
    if plain in ("i", "e"):
        return sympy.I if plain == "i" else sympy.E
    return sympy.Symbol(plain.replace("lambda", "lamda"), real=real)


def _is_sympy(meaning: Any) -> bool:
    return isinstance(meaning, sympy.Basic | sympy.MatrixBase)
