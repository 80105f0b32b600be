"""Answers as Python and sympy print them, in the notation of LaTeX: `x**2 + 8*pi` as `x^{2} + 8 \\pi`.

A grader that reads LaTeX stops at `**`, and takes what came before it for the whole.
"""

from __future__ import annotations

import re

# What a printed expression may be made of; anything else is left to the reading of LaTeX.
_PRINTED = re.compile(r"[\w\s.,+\-*/^()\[\]{}=<>!]+")
_SIGNS = re.compile(r"\*|(?<![A-Za-z])(?:pi|oo)(?![A-Za-z(])|(?:sqrt|exp)\(")
_POWER = re.compile(r"\s*\*\*\s*(\([^()]*\)|-?\w+(?:\.\d+)?)")
_ROOT = re.compile(r"(?<![A-Za-z])sqrt\(([^()]*)\)")
_EXPONENTIAL = re.compile(r"(?<![A-Za-z])exp\(([^()]*)\)")
_NAMES = {"pi": "\\pi", "oo": "\\infty", "I": "i"}
_NAME = re.compile(r"(?<![A-Za-z\\])(pi|oo|I)(?![A-Za-z(])")
# A product with the imaginary unit is read as one number only where nothing stands between.
_IMAGINARY = re.compile(r"\s*\*\s*I(?![A-Za-z(])")
_MATRIX = re.compile(r"Matrix\(\[\[(.*)\]\]\)")
# Brackets in brackets are opened from the inside.
_DEEPEST = 8


def readings(text: str) -> list[str]:
    """How an answer may be read: as it is, and as Python prints it. One with a power of Python's is not read as it is,
    nor at all where the power stays.
    """
    printed = from_python(text)
    return [one for one in ([text] if printed is None else [text, printed]) if "**" not in one]


def from_python(text: str) -> str | None:
    """The answer in LaTeX where it is in Python's notation; None where it is not, or may be LaTeX already."""
    if "\\" in text or "$" in text or not _PRINTED.fullmatch(text):
        return None
    if matrix := _MATRIX.fullmatch(text.strip()):
        rows = [_converted(row.replace(",", " & ")) for row in re.split(r"\]\s*,\s*\[", matrix[1])]
        inner = " \\\\ ".join(row for row in rows if row is not None)
        return f"\\begin{{pmatrix}}{inner}\\end{{pmatrix}}" if None not in rows else None
    return _converted(text) if _SIGNS.search(text) else None


def _converted(text: str) -> str | None:
    """In LaTeX; None where a power stays, as of what has brackets in brackets."""
    for _ in range(_DEEPEST):
        before = text
        text = _ROOT.sub(r"\\sqrt{\1}", text)
        text = _EXPONENTIAL.sub(r"e^{\1}", text)
        text = _POWER.sub(lambda found: f"^{{{found[1].removeprefix('(').removesuffix(')')}}}", text)
        if text == before:
            break
    if "**" in text:
        return None
    text = _IMAGINARY.sub("i", text)
    text = _NAME.sub(lambda found: _NAMES[found[1]] + " ", text)
    return re.sub(r"\s*\*\s*", r" \\cdot ", text)
