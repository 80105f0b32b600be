"""Answers as Python and sympy print them, `x**2 + 8*pi` or `Union(Interval(0, 1), {3})`: told from LaTeX by their
text, and taken apart by Python's own parser. Nothing here is evaluated; what the syntax tree means `ml/answer_sympy.py`
says. A grader that reads LaTeX stops at `**`, and takes what came before it for the whole.

What people write is read along with it where it has one meaning: products without a sign, `^` for a power, one `=`.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

# No final answer is longer or deeper; a parser that goes on for ever, or ends its process, is no use.
MOST_TOKENS, DEEPEST_BRACKETS = 600, 40

_GREEK = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi rho sigma tau upsilon phi chi psi omega"
    " Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega"
)
GREEK = frozenset(_GREEK.split())
CONSTANTS = frozenset(("pi", "oo", "inf", "E", "I", "EmptySet", "Reals"))
_FUNCTIONS = (
    "sqrt cbrt root exp log ln Abs abs floor ceiling sign re im conjugate factorial binomial Max Min"
    " sin cos tan cot sec csc asin acos atan acot asec acsc arcsin arccos arctan sinh cosh tanh asinh acosh atanh"
    " Rational Fraction Integer Float Interval Interval.open Interval.Lopen Interval.Ropen Union FiniteSet Eq Ne And Or"
    " Tuple Matrix MutableDenseMatrix ImmutableDenseMatrix np.float64 np.float32 np.int64 np.int32"
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
# Of letters only these are functions where brackets follow them; the others are factors.
UNKNOWN_FUNCTIONS = frozenset("fghFGH")

# Names that LaTeX has as well: what has no other sign of Python's may be either's.
_SHARED_NAMES = frozenset(("E", "I"))
# An index is part of a name, digits alone too: x_1, x_{12}, x1.
_TOKEN = re.compile(
    r"(?P<blank>\s+)|(?P<imaginary>(?:\d+\.?\d*|\.\d+)j(?!\w))|(?P<number>\d+\.?\d*|\.\d+)"
    r"|(?P<name>(?:Interval|np)\.[A-Za-z]\w*|[A-Za-z]+(?:_\{\w+\}|_?\d+|_[A-Za-z](?![A-Za-z]))?)"
    r"|(?P<operator>\*\*|\^|[<>=!]=|[-+*/<>=,&|:])|(?P<factorial>!)|(?P<opening>[(\[{])|(?P<closing>[)\]}])"
)
# Python puts a blank behind a comma, so that these are thousands where no brackets stand round them.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?![\d,])(?:\.\d+)?")
# Longer words are no products of letters, and of the short ones these are none.
_SPLIT_WORD = 3
_JOINING = frozenset(("and", "or"))
_WORDS = frozenset(("and", "or", "not", "if", "the", "for", "to", "in", "is", "by", "at", "of"))
_CALLED = FUNCTIONS | UNKNOWN_FUNCTIONS
# Numpy prints no commas between the parts of an array, and a point behind whole floats; with its name it does.
_NAMED_ARRAY = re.compile(r"(?:np\.|numpy\.)?array\((\[.*\])(?:,\s*dtype=\w+)?\)", re.DOTALL)
_ARRAY = re.compile(r"\[[\s\d.,+\-\[\]]+\]")
# A sign that stands apart from its number is a difference.
_BETWEEN_PARTS = re.compile(r"(?<=[\d.\]])\s+(?=[+-]?[\d.\[])")
_POINT_AT_THE_END = re.compile(r"(?<=\d)\.(?!\d)")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_HALF_OPEN = {("(", "]"): "Interval.Lopen(", ("[", ")"): "Interval.Ropen("}
_OPERATORS = {"^": "**", "=": "=="}
# Signs that LaTeX does not have, or not so.
_PYTHONS_OPERATORS = frozenset(("**", "==", "!=", "&", "|", ":"))


@dataclass(frozen=True, slots=True)
class PythonText:
    """An answer in Python's notation. is_certain: nobody writes it so in LaTeX. tree: None where it cannot be read."""

    is_certain: bool
    tree: ast.expr | None


class _Unreadable(Exception):
    """No expression of Python's, nor nearly one."""


def python_text(text: str) -> PythonText | None:
    """An answer as Python may have printed it; None where it has no sign of Python's notation."""
    writer = _Writer()
    try:
        _write(text, writer)
        source = writer.source()
    except _Unreadable:
        # The beginning of a power is not the answer.
        return PythonText(True, None) if "**" in text else None
    if not writer.has_sign:
        return None
    return PythonText(writer.is_certain, _parsed(source))


def with_commas(text: str) -> str:
    """An array as numpy prints it, `[[1. 2.]\\n [3. 4.]]`, as the list of its parts; any other text as it is."""
    named = _NAMED_ARRAY.fullmatch(text)
    text = named[1] if named is not None else text
    if not _ARRAY.fullmatch(text):
        return text
    return _POINT_AT_THE_END.sub("", _BETWEEN_PARTS.sub(", ", " ".join(text.split())))


def _parsed(source: str) -> ast.expr | None:
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(slots=True)
class _Level:
    """What stands between two brackets. operand: where the operand begins that was written last, None behind an
    operator. product: where the factors without a sign between them begin.
    """

    opening: str
    begin: int
    operand: int | None = None
    product: int | None = None
    is_exponent: bool = False


@dataclass(slots=True)
class _Writer:
    """Python's source of an answer, piece by piece. Factors without a sign between them bind before a division, as in
    LaTeX: 1/2x is 1/(2x).
    """

    pieces: list[str] = field(default_factory=list)
    levels: list[_Level] = field(default_factory=lambda: [_Level("", 0)])
    has_sign: bool = False
    is_certain: bool = False
    is_list: bool = False

    @property
    def _level(self) -> _Level:
        return self.levels[-1]

    def operand(self, source: str, is_number: bool = False) -> None:
        """A number, a name or a call's name."""
        if is_number and self._level.operand is not None and not self._level.is_exponent:
            # Two numbers side by side may be a row of numpy's, or a mixed number.
            raise _Unreadable
        self._join()
        self.pieces.append(source)

    def operator(self, operator: str) -> None:
        level = self._level
        is_power = operator in ("**", "^")
        is_sign_of_exponent = operator in "+-" and level.is_exponent
        if not is_power and not is_sign_of_exponent:
            self._end_product()
            level.operand = None
        level.is_exponent = is_power or is_sign_of_exponent
        self.is_list |= operator == "," and len(self.levels) == 1
        self.pieces.append(_OPERATORS.get(operator, operator))
        self.has_sign |= operator == "*" or operator in _PYTHONS_OPERATORS
        self.is_certain |= operator in _PYTHONS_OPERATORS

    def open(self, bracket: str, is_call: bool) -> None:
        if len(self.levels) > DEEPEST_BRACKETS:
            raise _Unreadable
        is_grouping = bracket == "{" and self._level.is_exponent
        if not is_call:
            self._join()
        self.levels.append(_Level("call" if is_call else "{(" if is_grouping else bracket, len(self.pieces)))
        self.pieces.append("(" if is_grouping else bracket)

    def close(self, bracket: str) -> None:
        self._end_product()
        level = self.levels.pop()
        if not self.levels:
            raise _Unreadable
        if level.opening == "{(" and bracket == "}":
            bracket = ")"
        elif (level.opening, bracket) in _HALF_OPEN:
            self.pieces[level.begin] = _HALF_OPEN[level.opening, bracket]
            bracket = ")"
        elif _PAIRS["(" if level.opening == "call" else level.opening[0]] != bracket:
            raise _Unreadable
        self.pieces.append(bracket)

    def source(self) -> str:
        self._end_product()
        if len(self.levels) != 1:
            raise _Unreadable
        source = "".join(self.pieces)
        return f"FiniteSet({source})" if self.is_list else source

    def _join(self) -> None:
        """Make room for an operand: it is a factor of the one before it, unless an operator stands between."""
        level = self._level
        if level.is_exponent:
            level.is_exponent = False
        elif level.operand is None:
            level.operand = len(self.pieces)
        else:
            if level.product is None:
                level.product = level.operand
                self.pieces[level.operand] = "(" + self.pieces[level.operand]
            self.pieces.append("*")

    def _end_product(self) -> None:
        if self._level.product is not None:
            self.pieces.append(")")
            self._level.product = None


def _write(text: str, writer: _Writer) -> None:
    place = 0
    for _ in range(MOST_TOKENS):
        if place == len(text):
            return
        thousands = _THOUSANDS.match(text, place) if len(writer.levels) == 1 else None
        if thousands is not None:
            writer.operand(thousands[0].replace(",", ""), is_number=True)
            place = thousands.end()
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise _Unreadable
        place = match.end()
        _write_token(match, text[place:].lstrip()[:1] == "(", writer)
    if place < len(text):
        raise _Unreadable


def _write_token(match: re.Match[str], is_before_bracket: bool, writer: _Writer) -> None:
    match match.lastgroup:
        case "imaginary":
            writer.has_sign = True
            writer.operand(match[0], is_number=True)
        case "number":
            # Python refuses whole numbers that begin with a zero.
            writer.operand(_without_zeros(match[0]), is_number=True)
        case "name":
            _write_name(match[0], is_before_bracket, writer)
        case "operator":
            writer.operator(match[0])
        case "factorial" if writer.pieces and writer.pieces[-1].isalnum():
            writer.pieces[-1] = f"factorial({writer.pieces[-1]})"
        case "opening":
            writer.open(match[0], is_call=bool(writer.pieces) and writer.pieces[-1].lstrip("(") in _CALLED)
        case "closing":
            writer.close(match[0])
        case "factorial":
            raise _Unreadable


def _write_name(name: str, is_before_bracket: bool, writer: _Writer) -> None:
    name = name.replace("{", "").replace("}", "")
    name = "lamda" if name == "lambda" else name
    if name in _JOINING and len(writer.levels) == 1:
        writer.operator(",")
    elif name in _WORDS or (name in FUNCTIONS and not is_before_bracket):
        raise _Unreadable
    elif name in FUNCTIONS or name in CONSTANTS:
        writer.has_sign = True
        writer.is_certain |= name not in _SHARED_NAMES
        writer.operand(name)
    elif is_symbol(name):
        writer.has_sign |= name in GREEK
        writer.operand(name)
    elif name.isalpha() and len(name) <= _SPLIT_WORD and not is_before_bracket:
        for letter in name:
            writer.operand(letter)
    else:
        raise _Unreadable


def is_symbol(name: str) -> bool:
    """Whether a name is that of a variable: a letter, Latin or Greek, with or without an index."""
    letter = name.partition("_")[0].rstrip("0123456789")
    return len(letter) == 1 or letter in GREEK


def _without_zeros(number: str) -> str:
    return number.lstrip("0") if number.lstrip("0") not in ("", ".") else "0"
