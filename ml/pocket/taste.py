"""One person's habits in working an expression out, drawn once for all of their hops."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taste:
    """One person's habits, each as a probability per hop.

    bracket: an operation is put in brackets before it is done. keep: its result stays in them. leap: a level
    is done at once, in the head; the more of it is left, the less often. elsewhere: work begins in the middle.
    single: of several things that could be done at once, one is. signs: double signs get a hop of their own.
    bare: brackets around everything are left out. nothing: so are terms of 0. repeat: a line is copied out before
    it is worked on. sooner: double signs go before the products are done. together: signs are simplified in the hop
    that does something else. beside: what needs no brackets is done with what stands in them. melt: a negative
    result takes the sign before its bracket. pairs: several pairs of neighbours are added at once. group: terms are
    put in brackets before their products are done. plain: only negative results keep brackets. finish: the last
    number has none.
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
    sooner: float = 0.0
    together: float = 0.0
    beside: float = 0.0
    melt: float = 0.0
    pairs: float = 0.0
    group: float = 0.0
    plain: float = 0.0
    finish: float = 0.0


def draw_taste(rng: random.Random) -> Taste:
    """A person's habits, drawn: most people are consistent, so the extremes are common."""
    return Taste(
        bracket=rng.choice((0.0, 0.2, 0.6, 0.9, 0.9)),
        keep=rng.choice((0.0, 0.1, 0.3, 0.9)),
        leap=rng.choice((0.0, 0.1, 0.3, 0.6)),
        elsewhere=rng.choice((0.0, 0.1, 0.3, 0.5)),
        single=rng.choice((0.1, 0.5, 0.9)),
        signs=rng.choice((0.1, 0.5, 0.9)),
        bare=rng.choice((0.0, 0.0, 0.0, 0.0, 0.2, 0.9)),
        nothing=rng.choice((0.0, 0.5)),
        repeat=rng.choice((0.0, 0.0, 0.1)),
        sooner=rng.choice((0.0, 0.0, 0.1, 0.4)),
        together=rng.choice((0.0, 0.1, 0.5)),
        beside=rng.choice((0.0, 0.2, 0.8)),
        melt=rng.choice((0.0, 0.1, 0.5)),
        pairs=rng.choice((0.0, 0.1, 0.5)),
        group=rng.choice((0.0, 0.05, 0.2)),
        plain=rng.choice((0.0, 0.0, 0.9)),
        finish=rng.choice((0.0, 0.5, 0.9, 1.0)),
    )
