"""Where Monty differs from CPython without raising an error, as far as a program's text shows it.

Found by running tables of calls through both (`test_monty_differences.py` has them). The text is searched, not
parsed: what is found in a comment or a string costs some milliseconds of real Python and is no mistake, and no
program, however deeply nested, can harm the parser of the calling process. What a pattern repeats is bounded or
possessive: there is one way only to match a text, so that a search is linear in it.
"""

from __future__ import annotations

import re

# Monty's own round is off where a decimal tie has no exact binary form; formatting is right, and rounds likewise.
# What is left out raises NotImplementedError, which sends a program to real Python.
ROUND = """
_builtin_round = round


def round(number, ndigits=None):
    if ndigits is None or not isinstance(number, float):
        return _builtin_round(number, ndigits)
    if not isinstance(ndigits, int) or not 0 <= ndigits <= 300 or number - number != 0:
        raise NotImplementedError('round')
    return float(f'{number:.{ndigits}f}')
"""

_DIFFERENT = re.compile(
    r"\b(?:hash|hasattr|getattr|locals)\s*\("
    # Functions of math whose last digit is another than the C library's.
    r"|\b(?:gamma|lgamma|cbrt|erfc|atanh)\b"
    # Empty matches of regular expressions; the version and limits of the interpreter.
    r"|\b(?:import|from)\b[^\n;]{0,200}\b(?:re|sys)\b"
)
# Without one of these words nothing above can be found; looking for words is ten times faster.
_WORDS = ("hash", "attr", "locals", "gamma", "cbrt", "erfc", "atanh", "import")
# A set's elements come in another order. Its display is looked for apart from strings, whose braces it shares.
_SET = re.compile(r"\b(?:frozen)?set\b\s*[(,)\[\]]|\bkeys\(\)\s*[&|^-]|\{\s{1,20}\{")
_NESTED = re.compile(r"\{\s{1,20}\{")
_ORDERLESS = re.compile(r"\b(?:len|min|max|sorted)\(set\(")
_QUOTED = {
    '"""': r'"""(?:[^"\\]++|\\.|"(?!""))*+',
    "'''": r"'''(?:[^'\\]++|\\.|'(?!''))*+",
    '"': r'"(?:[^"\\\n]++|\\.)*+',
    "'": r"'(?:[^'\\\n]++|\\.)*+",
}
# A quote that nothing closes stays, with what follows it, as one piece: else each quote in that would be tried anew.
_STRING = re.compile(
    "|".join(f"{opened}{quote}|({opened})" for quote, opened in _QUOTED.items()) + r"|#[^\n]*", re.DOTALL
)
_WITHOUT_STRINGS = r"''\1\2\3\4"
_FIRST_IN_BRACES = re.compile(r"\S")
_BRACKET = re.compile(r"[][(){}:]")
_EXCEPT = re.compile(r"\bexcept\b([^:\n]{0,200})")
_CLAUSE = re.compile(
    r"\s*+\(?\s*+(?:(?:ZeroDivision|Key|Index|StopIteration)(?:Error)?\s*+(?:,\s*+)?)+\)?\s*+(?:as \w+\s*)?"
)


def may_differ(code: str) -> bool:
    """Whether a step may print something else under Monty than under CPython, and raise nothing."""
    return _names_a_difference(code) or _catches_monty_s_own(code) or _shows_a_set_s_order(code)


def _names_a_difference(code: str) -> bool:
    return any(word in code for word in _WORDS) and _DIFFERENT.search(code) is not None


def _catches_monty_s_own(code: str) -> bool:
    """Whether the program may catch an exception that only Monty raises, so that nobody learns of it."""
    return "except" in code and any(_CLAUSE.fullmatch(clause) is None for clause in _EXCEPT.findall(code))


def _shows_a_set_s_order(code: str) -> bool:
    # Of equal keys the one that came first in the set is first in the sorted list.
    if "set" in code or "keys()" in code or _NESTED.search(code):
        ordered = code if "key" in code else _ORDERLESS.sub("(", code)
        if _SET.search(ordered):
            return True
    return "{" in code and _has_set_display(_STRING.sub(_WITHOUT_STRINGS, code))


def _has_set_display(code: str) -> bool:
    """Whether braces hold something other than a dict: no colon at their own depth."""
    opened: list[tuple[str, int]] = []
    has_colon: list[bool] = []
    for match in _BRACKET.finditer(code):
        sign = match[0]
        if sign in "([{":
            opened.append((sign, match.end()))
            has_colon.append(False)
        elif not opened:
            continue
        elif sign == ":":
            has_colon[-1] = True
        else:
            bracket, start = opened.pop()
            if not has_colon.pop() and bracket == "{" and _holds_elements(code, start, match.start()):
                return True
    return False


def _holds_elements(code: str, start: int, end: int) -> bool:
    first = _FIRST_IN_BRACES.search(code, start, end)
    return first is not None and not code.startswith("**", first.start(), end)
