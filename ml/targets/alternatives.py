"""The alternatives of several looks at one solution: who stopped at a step saw others there than who went on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from ml.records import Position
from ml.targets.consensus import Look

_NOTHING = Position((), None)


def joined(known: Sequence[Position], more: Sequence[Position]) -> tuple[Position, ...]:
    """Both looks' options at each position, equal ones once; those of `known` keep their numbers."""
    return tuple(
        replace(ours, options=(*ours.options, *(one for one in theirs.options if one not in ours.options)))
        for ours, theirs in zip_longest(known, more, fillvalue=_NOTHING)
    )


def renumbered(look: Look, own: Sequence[Position], positions: Sequence[Position]) -> Look:
    """The look with its options numbered as in `positions`, which hold all of its own; of equal options the first."""
    if own == positions:
        return look
    options = {
        (place, positions[place].options.index(own[place].options[number])): rating
        for (place, number), rating in look.options.items()
    }
    return replace(look, options=options)
