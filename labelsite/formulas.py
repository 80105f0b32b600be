"""Formulas in plain text, for code that must not cut or change them. The page sets them: `static/math.js`."""

from __future__ import annotations

import re

# As static/math.js finds them. An escaped dollar is a piece of its own: what it stands before is no formula. Nor is
# what stands beside a calculator note, "=$<<12*2=24>>24", where a dollar is money.
FORMULA = re.compile(
    r"""
    \\\$ | \$\$.+?\$\$ | \\\[.+?\\\] | \\\(.+?\\\)
    | \\begin\{(?P<environment>(?:align|equation|gather)\*?)\}.+?\\end\{(?P=environment)\}
    | \$(?![\s$]|<<)(?:\\.|(?!<<[^<>]*>>)[^$\\])+?(?<!\s)\$(?!\d|<<)
    | \$(?=\s++(?:[a-zA-Z]\s*=|[^$]*(?:\\[a-zA-Z]|[\^_])))(?![^$]*(?:\n\s*\n|<<))[^$]+(?<=\s)\$(?!<<)
    """,
    re.VERBOSE | re.DOTALL,
)
# As far as static/math.js looks for a formula's end.
LONGEST_SEARCH = 5000
# A formula that begins early is rather shown whole than left out, unless it would take so many times the limit.
PATIENCE = 3


def shortened(text: str, length: int) -> str:
    """The text in about `length` characters, and never half a formula: that would be shown as raw LaTeX."""
    if len(text) <= length:
        return text
    end = length
    for found in FORMULA.finditer(text[: length + LONGEST_SEARCH]):
        if found.end() > length:
            is_kept = found.start() < length // 2 and found.end() <= PATIENCE * length
            end = found.end() if is_kept else min(length, found.start())
            break
    return text if end >= len(text) else text[:end].rstrip() + "…"
