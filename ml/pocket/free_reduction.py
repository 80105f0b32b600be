"""Working an expression out as people and large models do: in any order, with hops and brackets to taste.

`ml.pocket.reduction` is the pocket policy's own way, one atom a hop. A PRM meets other hands: products put in
brackets before they are done, results that stay in brackets, numbers added from the middle, a whole bracket
done in the head. All of these are here, and the slips that go with them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from ml.pocket.expression import Factor, Sum, Term, as_number, evaluate, number
from ml.pocket.slips import Hand

LONGEST_FREE_CHAIN = 12


@dataclass(frozen=True, slots=True)
class Taste:
    """One person's habits, each as a probability per hop.

    bracket: an operation is put in brackets before it is done. keep: its result stays in them. leap: a level
    is done at once, in the head; the more of it is left, the less often. elsewhere: work begins in the middle.
    single: of several things that could be done at once, one is. signs: double signs get a hop of their own.
    bare: brackets around everything are left out. nothing: so are terms of 0. repeat: a line is copied out before
    it is worked on.
    """

    bracket: float
    keep: float
    leap: float
    elsewhere: float
    single: float
    signs: float
    bare: float = 0.0
    nothing: float = 0.0
    repeat: float = 0.0


def draw_taste(rng: random.Random) -> Taste:
    """A person's habits, drawn: most people are consistent, so the extremes are common."""
    return Taste(
        bracket=rng.choice((0.0, 0.1, 0.5, 0.9)),
        keep=rng.choice((0.0, 0.1, 0.5, 0.9)),
        leap=rng.choice((0.0, 0.1, 0.4, 0.8)),
        elsewhere=rng.choice((0.0, 0.1, 0.3)),
        single=rng.choice((0.1, 0.5, 0.9)),
        signs=rng.choice((0.1, 0.5, 0.9)),
        bare=rng.choice((0.0, 0.0, 0.3, 0.9)),
        nothing=rng.choice((0.0, 0.5)),
        repeat=rng.choice((0.0, 0.0, 0.1)),
    )


def free_chain(expression: Sum, hand: Hand, taste: Taste) -> tuple[list[Sum], bool]:
    """The hops after `expression` down to a number, and whether any hop changed the value (a slip)."""
    return _FreeHand(hand, taste).chain(expression)


class _FreeHand:
    def __init__(self, hand: Hand, taste: Taste) -> None:
        self.hand, self.taste, self.rng = hand, taste, hand.rng

    def chain(self, expression: Sum) -> tuple[list[Sum], bool]:
        hops: list[Sum] = []
        slipped, current = False, expression
        while as_number(current) is None or not hops:
            copied = self.hand.copy(current)
            last = len(hops) >= LONGEST_FREE_CHAIN - 1
            following = number(self._in_the_head(copied)) if last else self._next(copied)
            slipped = slipped or evaluate(following) != evaluate(current)
            hops.append(following)
            current = following
        return hops, slipped

    def _next(self, level: Sum) -> Sum:
        following = level if self._often(self.taste.repeat) else self._hop(level)
        return bared(following) if self._often(self.taste.bare) else following

    def _often(self, rate: float) -> bool:
        return self.rng.random() < rate

    def _hop(self, level: Sum) -> Sum:
        """One hop of a level: its innermost brackets first."""
        open_places = [
            (place, spot)
            for place, term in enumerate(level.terms)
            for spot, factor in enumerate(term.factors)
            if isinstance(factor, Sum) and as_number(factor) is None
        ]
        if not open_places:
            return self._flat_hop(level)
        if self._often(self.taste.single):
            open_places = [
                self.rng.choice(open_places) if self._often(self.taste.elsewhere) else open_places[0]
            ]
        terms = list(level.terms)
        for place, spot in open_places:
            factors = list(terms[place].factors)
            inner = factors[spot]
            assert isinstance(inner, Sum)
            factors[spot] = self._closed(self._hop(inner))
            terms[place] = Term(terms[place].sign, tuple(factors))
        return Sum(tuple(terms))

    def _closed(self, inner: Sum) -> Factor:
        """What stands where a bracket stood: the bracket, or its number with or without one."""
        value = as_number(inner)
        if value is None:
            return inner
        return number(value) if self._often(self.taste.keep) else value

    def _flat_hop(self, level: Sum) -> Sum:
        """A hop of a level without open brackets."""
        operations = sum(len(term.factors) for term in level.terms) - 1
        if self._often(self.taste.leap * (1.0 if operations <= 2 else 0.3)):
            return number(self._in_the_head(level))
        plain = Sum(tuple(Term(t.sign, tuple(map(_opened, t.factors))) for t in level.terms))
        if plain != level and self._often(0.4):
            return plain
        if len(plain.terms) > 1 and self.hand.slips(self.hand.care.grouping):
            return self._misgrouped(plain)
        if any(len(term.factors) > 1 for term in plain.terms):
            return self._product_hop(plain)
        some = [t for place, t in enumerate(plain.terms) if not place or _value(t)]
        if len(some) < len(plain.terms) and self._often(self.taste.nothing):
            return Sum(tuple(some))
        doubled = [place for place, term in enumerate(plain.terms) if place and _value(term) < 0]
        if doubled and self._often(self.taste.signs):
            return self._simplified(plain, doubled)
        return self._sum_hop(plain)

    def _product_hop(self, level: Sum) -> Sum:
        """Products bracketed, or done, all of them or the first."""
        places = [place for place, term in enumerate(level.terms) if len(term.factors) > 1]
        if self._often(self.taste.single):
            places = [self.rng.choice(places) if self._often(self.taste.elsewhere) else places[0]]
        terms = list(level.terms)
        bracket = self._often(self.taste.bracket)
        for place in places:
            factors = terms[place].factors
            if bracket and (len(terms) > 1 or len(factors) > 2):
                terms[place] = Term(terms[place].sign, self._bracketed_product(factors, len(terms) > 1))
            else:
                terms[place] = Term(terms[place].sign, self._multiplied(factors))
        return Sum(tuple(terms))

    def _bracketed_product(self, factors: tuple[Factor, ...], among_others: bool) -> tuple[Factor, ...]:
        if among_others and (len(factors) == 2 or self._often(0.5)):
            return (Sum((Term(1, factors),)),)
        spot = len(factors) - 2 if self._often(self.taste.elsewhere) else 0
        pair = Sum((Term(1, factors[spot : spot + 2]),))
        return (*factors[:spot], pair, *factors[spot + 2 :])

    def _multiplied(self, factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
        spot = len(factors) - 2 if self._often(self.taste.elsewhere) else 0
        value = self.hand.multiply(_integer(factors[spot]), _integer(factors[spot + 1]))
        done = (*factors[:spot], self._closed(number(value)), *factors[spot + 2 :])
        more = len(done) > 1 and not self._often(self.taste.single)
        return self._multiplied(done) if more else done

    def _simplified(self, level: Sum, places: list[int]) -> Sum:
        """`8 + -14 - -5` as `8 - 14 + 5`, or only the first of them."""
        if self._often(self.taste.single):
            places = places[:1]
        terms = list(level.terms)
        for place, term in enumerate(level.terms):
            if place in places:
                sign, magnitude = self.hand.simplify(term.sign, _value(term))
                terms[place] = Term(sign, (magnitude,))
            elif place and term.sign < 0 and self.hand.slips(self.hand.care.contagion):
                terms[place] = Term(1, term.factors)
        return Sum(tuple(terms))

    def _sum_hop(self, level: Sum) -> Sum:
        """Two neighbours bracketed or added; `-` before the first of them stays with it."""
        if len(level.terms) == 1:
            return number(evaluate(level))
        place = self.rng.randrange(len(level.terms) - 1) if self._often(self.taste.elsewhere) else 0
        pair = level.terms[place : place + 2]
        if len(level.terms) > 2 and pair[0].sign > 0 and self._often(self.taste.bracket):
            group = level.terms[place : place + (2 if self._often(0.7) else 3)]
            if len(group) < len(level.terms):
                return _replaced(level, place, Term(1, (Sum(group),)), len(group))
        total = self.hand.add(*(self._signed(term, place + k) for k, term in enumerate(pair)))
        return _replaced(level, place, self._term(total, place))

    def _signed(self, term: Term, place: int) -> int:
        """A term's number with its sign; a double sign may be misread."""
        value = _value(term)
        if place and value < 0:
            sign, magnitude = self.hand.simplify(term.sign, value)
            return sign * magnitude
        return term.sign * value

    def _term(self, value: int, place: int) -> Term:
        if place == 0 or value >= 0:
            return Term(1, (self._closed(number(value)),))
        return Term(1, (self._closed(number(value)),)) if self._often(0.5) else Term(-1, (-value,))

    def _misgrouped(self, level: Sum) -> Sum:
        """Neighbours joined as if they stood in brackets of their own."""
        place = self.rng.randrange(len(level.terms) - 1)
        first, second = level.terms[place : place + 2]
        left, right = first.factors[-1], second.factors[0]
        joined = self.hand.add(_integer(left), second.sign * _integer(right))
        term = Term(first.sign, (*first.factors[:-1], joined, *second.factors[1:]))
        return _replaced(level, place, term)

    def _in_the_head(self, level: Sum) -> int:
        """The level's value, by atoms that are not written down and may go wrong."""
        total: int | None = None
        for place, term in enumerate(level.terms):
            values = [self._in_the_head(f) if isinstance(f, Sum) else _integer(f) for f in term.factors]
            product = values[0]
            for value in values[1:]:
                product = self.hand.multiply(product, value)
            signed = self._signed(Term(term.sign, (product,)), place)
            total = signed if total is None else self.hand.add(total, signed)
        assert total is not None
        return total


def _opened(factor: Factor) -> Factor:
    value = as_number(factor)
    return factor if value is None else value


def bared(level: Sum) -> Sum:
    """`((8 * -8) + 5)` as `(8 * -8) + 5`; a number keeps its brackets."""
    factor = level.terms[0].factors[0]
    alone = len(level.terms) == 1 and level.terms[0].sign > 0 and len(level.terms[0].factors) == 1
    return factor if alone and isinstance(factor, Sum) and as_number(factor) is None else level


def _integer(factor: Factor) -> int:
    value = as_number(factor)
    assert value is not None
    return value


def _value(term: Term) -> int:
    return _integer(term.factors[0])


def _replaced(level: Sum, place: int, term: Term, count: int = 2) -> Sum:
    """Neighbouring terms replaced by one."""
    return Sum((*level.terms[:place], term, *level.terms[place + count :]))
