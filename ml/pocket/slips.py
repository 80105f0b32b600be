"""Where a careless solver slips, and how: the atoms of arithmetic and copying, each wrong now and then."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from ml.pocket.expression import Factor, Sum, Term, parse, show


@dataclass(frozen=True, slots=True)
class Care:
    """How often each atom goes wrong, as a probability per atom."""

    sign: float = 0.0  # `- -4` read as `- 4`, a product's sign lost
    product: float = 0.0  # a multiplication-table neighbour
    carry: float = 0.0  # ten or one too many, or magnitudes added where they should be subtracted
    copying: float = 0.0  # a term dropped, a digit or an operator miscopied (per copied line)
    double_sign: float = 0.0  # `- -4` copied as `- 4` (per double sign)
    brackets: float = 0.0  # `(A - B) * (C + D)` written as `A - B * C + D`
    grouping: float = (
        0.0  # `5 - 3 + 2` read as `5 - (3 + 2)`, a sum done before the product beside it (per hop)
    )
    contagion: float = 0.0  # `5 - -4 - 2` read as `5 + 4 + 2` (per plain minus beside a double one)
    twice: float = 0.0  # `18 + 5 - 9` as `14 - 9`, a number added and left standing (per sum)
    near: float = 0.0  # how many of the wrong sums and products are off by any little amount or in any digit


CAREFUL = Care()
CARELESS_PROSE = Care(sign=0.01, product=0.005, carry=0.004, copying=0.002, brackets=0.01)
CARELESS_CODE = Care(double_sign=0.18, copying=0.13, brackets=0.18)
# Who goes on from somebody's prose is more careful: rollouts that judge a prefix should fail for its reasons.
CARELESS_AFTER_PROSE = Care(double_sign=0.08, copying=0.06, brackets=0.07)
# Strangers, whose solutions a PRM learns to judge, slip in one step of four or so. Three of their answers in four are
# wrong, nearly as many as of real traces by the reference answers, and most wrong results are off by little.
CARELESS_STRANGER = Care(
    sign=0.065,
    product=0.05,
    carry=0.06,
    copying=0.016,
    brackets=0.025,
    grouping=0.03,
    contagion=0.08,
    twice=0.035,
    near=0.65,
)
TAKING_OVER = Care(copying=0.01)


class Hand:
    """A solver's hand: does the atoms, and slips at random with the rates of its `Care`."""

    def __init__(self, rng: random.Random, care: Care) -> None:
        self.rng, self.care = rng, care

    def slips(self, rate: float) -> bool:
        """Whether this atom goes wrong. Draws nothing when the rate is zero."""
        return rate > 0 and self.rng.random() < rate

    def multiply(self, left: int, right: int) -> int:
        """left * right, or a careless neighbour of it."""
        value = left * right
        if value and self.slips(self.care.sign):
            return -value
        if self.slips(self.care.product):
            if self.slips(self.care.near):
                return self._near(value)
            magnitude, sign = abs(value), -1 if value < 0 else 1
            return sign * max(0, magnitude + self.rng.choice((-10, -2, -1, 1, 2, 10, abs(left), -abs(left))))
        return value

    def split(self, left: int, right: int) -> list[int]:
        """The partial products of left * right: one for each pair of digits that are not zero."""
        sign = -1 if (left < 0) != (right < 0) else 1
        if self.slips(self.care.sign):
            sign = -sign
        values = [a * b for a in _places(abs(left)) for b in _places(abs(right))]
        if self.slips(self.care.product):
            spot = self.rng.randrange(len(values))
            values[spot] += self.rng.choice((-1, 1)) * 10 ** (len(str(values[spot])) - 1)
        return [sign * value for value in values]

    def add(self, left: int, right: int) -> int:
        """left + right, or what a lost carry or a mistaken sign makes of it."""
        value = left + right
        if not self.slips(self.care.carry):
            return value
        if self.slips(self.care.near):
            return self._near(value)
        choices = [value - 10, value + 10, value - 1, value + 1]
        if left * right < 0:
            choices += [left - right, -value, -(abs(left) + abs(right))]
        return self.rng.choice([choice for choice in choices if choice != value])

    def _near(self, value: int) -> int:
        """Another number: a little more or less, or one of its digits is another."""
        if abs(value) < 100 or self.rng.random() < 0.3:
            return value + self.rng.choice((-1, 1)) * self.rng.randint(2, 9)
        place = 10 ** self.rng.randrange(len(str(abs(value))))
        digit = abs(value) // place % 10
        other = self.rng.choice([d for d in range(10) if d != digit])
        return value + (other - digit) * place * (-1 if value < 0 else 1)

    def simplify(self, sign: int, value: int) -> tuple[int, int]:
        """A sign before a negative number and the number, as a sign and a magnitude."""
        if self.slips(self.care.sign):
            return -1 if sign < 0 else self.rng.choice((1, -1)), abs(value)
        return -sign, -value

    def copy(self, expression: Sum) -> Sum:
        """The expression, or a miscopy of it."""
        written = self._misread(expression) if self.care.double_sign else expression
        return self._miscopied(written) if self.slips(self.care.copying) else written

    def formula(self, expression: Sum) -> Sum:
        """A formula over letters, or the same without its brackets."""
        if self.slips(self.care.brackets):
            expression = parse(show(expression).replace("(", "").replace(")", ""))
        return self.copy(expression)

    def _misread(self, expression: Sum) -> Sum:
        """Every `- -4` may lose a sign; `+ -4` is harder to misread."""
        terms = []
        for place, term in enumerate(expression.terms):
            factors = [self._misread(f) if isinstance(f, Sum) else f for f in term.factors]
            first = factors[0]
            rate = self.care.double_sign if term.sign < 0 else self.care.double_sign / 4
            if place > 0 and isinstance(first, int) and first < 0 and self.slips(rate):
                factors[0] = -first
            terms.append(Term(term.sign, tuple(factors)))
        return Sum(tuple(terms))

    def _miscopied(self, expression: Sum) -> Sum:
        """One slip somewhere in the expression: bracketed parts are entered at random."""
        place = self.rng.randrange(len(expression.terms))
        term = expression.terms[place]
        spot = self.rng.randrange(len(term.factors))
        inner = term.factors[spot]
        if isinstance(inner, Sum):
            changed: Factor = self._miscopied(inner)
            return _with_term(expression, place, _with_factor(term, spot, changed))
        slip = self.rng.choice(("sign", "sign", "digit", "drop", "operator"))
        if slip == "drop" and len(expression.terms) > 1:
            return Sum(expression.terms[:place] + expression.terms[place + 1 :])
        if slip == "operator" and place > 0:
            return _with_term(expression, place, replace(term, sign=-term.sign))
        if isinstance(inner, int):
            changed = self._wrong_digit(inner) if slip == "digit" else -inner
            return _with_term(expression, place, _with_factor(term, spot, changed))
        if place > 0:
            return _with_term(expression, place, replace(term, sign=-term.sign))
        return expression

    def _wrong_digit(self, value: int) -> int:
        digits = list(str(abs(value)))
        place = self.rng.randrange(len(digits))
        digits[place] = str((int(digits[place]) + self.rng.choice((-1, 1))) % 10)
        return (-1 if value < 0 else 1) * int("".join(digits))


def _with_term(expression: Sum, place: int, term: Term) -> Sum:
    return Sum((*expression.terms[:place], term, *expression.terms[place + 1 :]))


def _with_factor(term: Term, spot: int, factor: Factor) -> Term:
    return Term(term.sign, (*term.factors[:spot], factor, *term.factors[spot + 1 :]))


def _places(value: int) -> list[int]:
    """405 as [400, 5]."""
    digits = str(value)
    return [int(d) * 10 ** (len(digits) - 1 - place) for place, d in enumerate(digits) if d != "0"]
