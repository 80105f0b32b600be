"""Integer expressions of + - * and parentheses: parsed, shown and evaluated with their brackets kept.

The normal form is a sum of signed products. A factor is an integer, a letter, or a bracketed sum; so
`(-9 + 2 * (A - -1))` round-trips to the same text, which lets a checker compare every `=` of a chain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ml.errors import MisstepError

# Nothing of the family comes near these; they keep hostile text from costing time or stack.
_MOST_DIGITS, _DEEPEST = 18, 60
_TOKEN = re.compile(r"\s*(?:([0-9]+)|([A-Z])|([-+*()]))")


class NotAnExpression(MisstepError):
    """The text is not an expression of integers, capital letters, + - * and parentheses."""


@dataclass(frozen=True, slots=True)
class Term:
    """One signed product of a sum: `sign` is 1 or -1, `factors` are multiplied."""

    sign: int
    factors: tuple[Factor, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms added up. As a factor it stands in brackets."""

    terms: tuple[Term, ...]


Factor = int | str | Sum


def number(value: int) -> Sum:
    """The sum that is just one integer."""
    return Sum((Term(1, (value,)),))


def as_number(factor: Factor) -> int | None:
    """The integer that a factor is, brackets around a lone integer included; None for anything else."""
    if isinstance(factor, int):
        return factor
    if isinstance(factor, str) or len(factor.terms) != 1 or len(factor.terms[0].factors) != 1:
        return None
    inner = as_number(factor.terms[0].factors[0])
    return None if inner is None else factor.terms[0].sign * inner


def without_brackets(factor: Factor) -> Factor:
    """A lone number without its brackets; any other factor as it is."""
    value = as_number(factor)
    return factor if value is None else value


def strip_brackets(expression: Sum) -> Sum:
    """The expression without brackets around the whole of it, as `((600 + 12))` is `600 + 12`."""
    while (
        len(expression.terms) == 1 and expression.terms[0].sign > 0 and len(expression.terms[0].factors) == 1
    ):
        inner = expression.terms[0].factors[0]
        if not isinstance(inner, Sum):
            break
        expression = inner
    return expression


def show(expression: Sum) -> str:
    """The expression's text, without brackets around the whole."""
    parts: list[str] = []
    for place, term in enumerate(expression.terms):
        body = " * ".join(_show_factor(factor) for factor in term.factors)
        if place == 0:
            parts.append(body if term.sign > 0 else f"-{body}")
        else:
            parts.append(f" + {body}" if term.sign > 0 else f" - {body}")
    return "".join(parts)


def _show_factor(factor: Factor) -> str:
    return f"({show(factor)})" if isinstance(factor, Sum) else str(factor)


def evaluate(expression: Sum, values: Mapping[str, int] | None = None) -> int:
    """The expression's value; `values` gives the letters. An unknown letter raises NotAnExpression."""
    total = 0
    for term in expression.terms:
        product = term.sign
        for factor in term.factors:
            product *= _value_of(factor, values or {})
        total += product
    return total


def _value_of(factor: Factor, values: Mapping[str, int]) -> int:
    if isinstance(factor, Sum):
        return evaluate(factor, values)
    if isinstance(factor, int):
        return factor
    if factor not in values:
        raise NotAnExpression(f"the letter {factor} has no value here")
    return values[factor]


def letters(expression: Sum) -> tuple[str, ...]:
    """The letters of an expression in order of appearance, each once."""
    return tuple(dict.fromkeys(re.findall(r"[A-Z]", show(expression))))


def parse(text: str, lenient: bool = False) -> Sum:
    """Parse an expression. `lenient` mends unbalanced brackets, which real traces have."""
    tokens = _tokens(text)
    if lenient:
        tokens = _balanced(tokens)
    reader = _Reader(tokens, text)
    expression = reader.sum()
    if reader.place != len(tokens):
        raise NotAnExpression(f"{text!r} is not an expression: unexpected {tokens[reader.place]!r}")
    return expression


def _tokens(text: str) -> list[str]:
    tokens, place, text = [], 0, text.strip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise NotAnExpression(
                f"{text!r} is not an expression: {text[place : place + 10]!r} is no part of one"
            )
        if len(match.group(1) or "") > _MOST_DIGITS:
            raise NotAnExpression(f"a number of more than {_MOST_DIGITS} digits")
        tokens.append(match.group(1) or match.group(2) or match.group(3))
        place = match.end()
    return tokens


def _balanced(tokens: list[str]) -> list[str]:
    """Drop closing brackets that nothing opened, and close at the end what stayed open."""
    kept, depth = [], 0
    for token in tokens:
        if token == ")" and depth == 0:
            continue
        depth += (token == "(") - (token == ")")
        kept.append(token)
    return kept + [")"] * depth


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: list[str], text: str) -> None:
        self.tokens, self.text, self.place, self.depth = tokens, text, 0, 0

    def peek(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.place += 1
        return token

    def sum(self) -> Sum:
        sign = 1
        if self.peek() == "-" and not self._next_is_digit():
            self.take()
            sign = -1
        terms = [self.product(sign)]
        while self.peek() in ("+", "-"):
            terms.append(self.product(1 if self.take() == "+" else -1))
        return Sum(tuple(terms))

    def product(self, sign: int) -> Term:
        factors = [self.factor()]
        while self.peek() == "*":
            self.take()
            factors.append(self.factor())
        return Term(sign, tuple(factors))

    def factor(self) -> Factor:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise NotAnExpression(f"brackets deeper than {_DEEPEST}")
        found = self._factor()
        self.depth -= 1
        return found

    def _factor(self) -> Factor:
        token = self.take()
        if token.isdigit():
            return int(token)
        if token.isalpha():
            return token
        if token == "-":
            if self.peek().isdigit():
                return -int(self.take())
            return Sum((Term(-1, (self.factor(),)),))
        if token == "(":
            inner = self.sum()
            if self.take() == ")":
                return inner
        raise NotAnExpression(f"{self.text!r} is not an expression of integers, letters, + - * and brackets")

    def _next_is_digit(self) -> bool:
        return self.place + 1 < len(self.tokens) and self.tokens[self.place + 1].isdigit()
