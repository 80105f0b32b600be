"""Working an expression out as people and large models do: in any order, with hops and brackets to taste.

`ml.pocket.reduction` is the pocket policy's own way, one atom a hop. A PRM meets other hands: products put in
brackets before they are done, results that stay in brackets, numbers added from the middle, a whole bracket
done in the head. All of these are here, and the slips that go with them.
"""

from __future__ import annotations

from ml.pocket.expression import Factor, Sum, Term, as_number, evaluate, number, without_brackets
from ml.pocket.slips import Hand
from ml.pocket.taste import Taste

LONGEST_FREE_CHAIN = 12


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
        value = as_number(following)
        if value is not None and self._often(self.taste.finish):
            return number(value)
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
        if bared(level) is level and _operations(level) <= 3 and self._often(0.4 * self.taste.leap):
            return number(self._in_the_head(level))
        alone = self._often(self.taste.single)
        if alone:
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
        if not alone and self._often(self.taste.beside):
            terms = [self._beside(term) if term in level.terms else term for term in terms]
        closed = [place for place, _ in open_places if place and _is_negative(terms[place])]
        if closed and self._often(self.taste.melt):
            return self._simplified(Sum(tuple(terms)), closed)
        return Sum(tuple(terms))

    def _beside(self, term: Term) -> Term:
        """A product without open brackets, done; anything else as it is."""
        if len(term.factors) == 1 or any(as_number(factor) is None for factor in term.factors):
            return term
        return Term(term.sign, self._multiplied(term.factors))

    def _closed(self, inner: Sum) -> Factor:
        """What stands where a bracket stood: the bracket, or its number with or without one."""
        value = as_number(inner)
        if value is None:
            return inner
        if value >= 0 and self._often(self.taste.plain):
            return value
        return number(value) if self._often(self.taste.keep) else value

    def _flat_hop(self, level: Sum) -> Sum:
        """A hop of a level without open brackets."""
        if self._often(self.taste.leap * (1.0 if _operations(level) <= 2 else 0.3)):
            return number(self._in_the_head(level))
        plain = Sum(tuple(Term(t.sign, tuple(map(without_brackets, t.factors))) for t in level.terms))
        if plain != level and self._often(0.4):
            return self._unwrapped(level, plain)
        if len(plain.terms) > 1 and self.hand.slips(self.hand.care.grouping):
            return self._misgrouped(plain)
        some = [t for place, t in enumerate(plain.terms) if not place or len(t.factors) > 1 or _value(t)]
        if len(some) < len(plain.terms) and self._often(self.taste.nothing):
            return Sum(tuple(some))
        doubled = [place for place, term in enumerate(plain.terms) if place and _value(term) < 0]
        if any(len(term.factors) > 1 for term in plain.terms):
            return self._before_products(plain, doubled)
        if doubled and self._often(self.taste.signs):
            return self._simplified(plain, doubled)
        if len(plain.terms) > 3 and self._often(self.taste.pairs):
            return self._paired(plain)
        return self._with_signs(self._sum_hop(plain))

    def _unwrapped(self, level: Sum, plain: Sum) -> Sum:
        """`8 - (-14)` as `8 - -14` or as `8 + 14`."""
        pairs = enumerate(zip(level.terms, plain.terms, strict=True))
        places = [place for place, (old, new) in pairs if place and old != new and _is_negative(new)]
        return self._simplified(plain, places) if places and self._often(self.taste.melt) else plain

    def _before_products(self, level: Sum, doubled: list[int]) -> Sum:
        """A hop of a level with products: the signs first, terms in brackets, or the products."""
        if doubled and self._often(self.taste.sooner):
            return self._simplified(level, doubled)
        if len(level.terms) > 2 and self._often(self.taste.group):
            return self._grouped(level)
        return self._with_signs(self._product_hop(level))

    def _with_signs(self, level: Sum) -> Sum:
        """What a hop came to, its double signs simplified in the same hop by some."""
        doubled = [place for place, term in enumerate(level.terms) if place and _is_negative(term)]
        return self._simplified(level, doubled) if doubled and self._often(self.taste.together) else level

    def _grouped(self, level: Sum) -> Sum:
        """`5 - 3 * 6 + 4` as `(5 - 3 * 6) + 4`; products beside it may be bracketed with it."""
        places = [place for place, term in enumerate(level.terms[:-1]) if term.sign > 0]
        place = self.rng.choice(places) if self._often(self.taste.elsewhere) and places else 0
        count = 3 if len(level.terms) > 3 and self._often(0.3) else 2
        group = level.terms[place : place + count]
        if level.terms[place].sign < 0 or len(group) == len(level.terms):
            return self._product_hop(level)
        as_well = self._often(0.5)
        terms = [
            Term(t.sign, (Sum((Term(1, t.factors),)),)) if as_well and len(t.factors) > 1 else t
            for t in level.terms
        ]
        return _replaced(Sum(tuple(terms)), place, Term(1, (Sum(group),)), len(group))

    def _paired(self, level: Sum) -> Sum:
        """`5 + 5 + 3 + 7` as `10 + 10`."""
        terms: list[Term] = []
        for place in range(0, len(level.terms) - 1, 2):
            pair = level.terms[place : place + 2]
            total = self.hand.add(*(self._signed(term, place + k) for k, term in enumerate(pair)))
            terms.append(self._term(total, place))
        return Sum((*terms, *level.terms[len(terms) * 2 :]))

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
        if len(factors) == 4 and self._often(self.taste.pairs):
            return (Sum((Term(1, factors[:2]),)), Sum((Term(1, factors[2:]),)))
        spot = self.rng.randrange(len(factors) - 1) if self._often(self.taste.elsewhere) else 0
        pair = Sum((Term(1, factors[spot : spot + 2]),))
        return (*factors[:spot], pair, *factors[spot + 2 :])

    def _multiplied(self, factors: tuple[Factor, ...]) -> tuple[Factor, ...]:
        spot = self.rng.randrange(len(factors) - 1) if self._often(self.taste.elsewhere) else 0
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
                terms[place] = Term(sign, (magnitude, *term.factors[1:]))
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
                inner = self._with_signs(Sum(group))
                return _replaced(level, place, Term(1, (inner,)), len(group))
        total = self.hand.add(*(self._signed(term, place + k) for k, term in enumerate(pair)))
        if place + 2 < len(level.terms) and self.hand.slips(self.hand.care.twice):
            total = self.hand.add(total, self._signed(level.terms[place + 2], place + 2))
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


def bared(level: Sum) -> Sum:
    """`((8 * -8) + 5)` as `(8 * -8) + 5`; a number keeps its brackets."""
    factor = level.terms[0].factors[0]
    alone = len(level.terms) == 1 and level.terms[0].sign > 0 and len(level.terms[0].factors) == 1
    return factor if alone and isinstance(factor, Sum) and as_number(factor) is None else level


def _integer(factor: Factor) -> int:
    value = as_number(factor)
    assert value is not None
    return value


def _operations(level: Sum) -> int:
    """How many operations are left in a level and its brackets."""
    inner = (f for term in level.terms for f in term.factors if isinstance(f, Sum))
    return sum(len(term.factors) for term in level.terms) - 1 + sum(map(_operations, inner))


def _is_negative(term: Term) -> bool:
    """Whether the term begins with a negative number, in brackets or not."""
    value = as_number(term.factors[0])
    return value is not None and value < 0


def _value(term: Term) -> int:
    return _integer(term.factors[0])


def _replaced(level: Sum, place: int, term: Term, count: int = 2) -> Sum:
    """Neighbouring terms replaced by one."""
    return Sum((*level.terms[:place], term, *level.terms[place + count :]))
