"""Working an expression out in small hops, as `(8 + -2 * 7 + 5) = (8 - 14 + 5) = (-6 + 5) = -1` does.

Each hop does one atom in every innermost bracket, so that a very small model can learn it: all products of
two numbers (long ones become partial products), then the double signs, then one addition at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from ml.pocket.expression import (
    Factor,
    Sum,
    Term,
    as_number,
    evaluate,
    number,
    strip_brackets,
    without_brackets,
)
from ml.pocket.slips import Hand

LONGEST_CHAIN = 40


@dataclass(frozen=True, slots=True)
class Manner:
    """How a solver writes: habits that do not change any value."""

    bracket_products: bool = False  # first `((-2 * 7) + 5)`, then the product
    keep_brackets: bool = False  # `8 + (-14)` where others write `8 - 14`
    skip: float = 0.0  # share of the hops that are done in the head


def chain(expression: Sum, hand: Hand, manner: Manner) -> tuple[list[Sum], bool]:
    """The hops after `expression` down to a number, and whether any hop changed the value (a slip)."""
    hops: list[Sum] = []
    slipped = False
    current = expression
    if manner.bracket_products:
        current = _bracketed(current)
        if current != expression:
            hops.append(current)
    for _ in range(LONGEST_CHAIN):
        if _plain_number(current):
            break
        following = _hop(hand.copy(current), hand, manner)
        slipped = slipped or evaluate(following) != evaluate(current)
        value = as_number(following)
        current = following if value is None else number(value)
        hops.append(current)
    else:
        hops.append(number(evaluate(current)))
    return hops, slipped


def _plain_number(expression: Sum) -> bool:
    return (
        len(expression.terms) == 1
        and expression.terms[0].sign > 0
        and (len(expression.terms[0].factors) == 1 and isinstance(expression.terms[0].factors[0], int))
    )


def _bracketed(expression: Sum) -> Sum:
    """Put brackets around every product that stands in a sum of several terms."""
    terms = []
    for term in expression.terms:
        factors = tuple(_bracketed(f) if isinstance(f, Sum) else f for f in term.factors)
        flat = all(isinstance(factor, int) for factor in factors)
        if len(factors) > 1 and flat and len(expression.terms) > 1:
            factors = (Sum((Term(1, factors),)),)
        terms.append(Term(term.sign, factors))
    return Sum(tuple(terms))


def _hop(expression: Sum, hand: Hand, manner: Manner) -> Sum:
    """One hop: inner brackets first; a level whose factors are all numbers does its own next atom."""
    flat = _unwrapped(expression)
    if any(isinstance(factor, Sum) for term in flat.terms for factor in term.factors):
        return Sum(tuple(_inner_hop(term, hand, manner) for term in flat.terms))
    if any(len(term.factors) > 1 for term in flat.terms):
        multiplied = Sum(tuple(_multiply_once(term, hand) for term in flat.terms))
        return _with_brackets(multiplied) if manner.keep_brackets else multiplied
    simple = _simplified(flat, hand)
    return simple if simple != flat else _add_once(flat, hand)


def _unwrapped(expression: Sum) -> Sum:
    """Brackets around lone numbers taken off."""
    return Sum(tuple(Term(t.sign, tuple(without_brackets(f) for f in t.factors)) for t in expression.terms))


def _inner_hop(term: Term, hand: Hand, manner: Manner) -> Term:
    factors: list[Factor] = []
    for factor in term.factors:
        if isinstance(factor, Sum):
            inner = strip_brackets(_hop(factor, hand, manner))
            value = as_number(inner)
            if value is None or (manner.keep_brackets and value < 0):
                factors.append(inner)
            else:
                factors.append(value)
        else:
            factors.append(factor)
    return Term(term.sign, tuple(factors))


def _multiply_once(term: Term, hand: Hand) -> Term:
    """The first two factors of a product become one; a long product becomes a bracket of partial products."""
    if len(term.factors) < 2:
        return term
    left, right, *rest = term.factors
    assert isinstance(left, int) and isinstance(right, int)
    small, large = sorted((abs(left), abs(right)))
    if large < 10 or small in (0, 1):
        return Term(term.sign, (hand.multiply(left, right), *rest))
    return Term(term.sign, (_partial_products(left, right, hand), *rest))


def _partial_products(left: int, right: int, hand: Hand) -> Sum:
    """`-30 * 62` as the bracket `(-1800 - 60)`."""
    first, *rest = hand.split(left, right)
    return Sum((Term(1, (first,)), *(Term(-1 if value < 0 else 1, (abs(value),)) for value in rest)))


def _simplified(expression: Sum, hand: Hand) -> Sum:
    """`8 + -14 - -5` as `8 - 14 + 5`. Nothing is copied wrong here but the signs."""
    terms = []
    for place, term in enumerate(expression.terms):
        value = term.factors[0]
        if len(term.factors) == 1 and isinstance(value, int):
            if place == 0 and term.sign < 0:
                term = Term(1, (-value,))
            elif place > 0 and value < 0:
                sign, magnitude = hand.simplify(term.sign, value)
                term = Term(sign, (magnitude,))
        terms.append(term)
    return Sum(tuple(terms))


def _with_brackets(expression: Sum) -> Sum:
    """`8 + -14` as `8 + (-14)`."""
    terms = list(expression.terms)
    for place, term in enumerate(terms):
        value = term.factors[0]
        if place > 0 and len(term.factors) == 1 and isinstance(value, int) and value < 0:
            terms[place] = Term(term.sign, (number(value),))
    return Sum(tuple(terms))


def _add_once(expression: Sum, hand: Hand) -> Sum:
    """The first two terms become one number."""
    if len(expression.terms) == 1:
        return number(evaluate(expression))
    first, second, *rest = expression.terms
    total = hand.add(evaluate(Sum((first,))), evaluate(Sum((second,))))
    return Sum((Term(1, (total,)), *rest))
