"""How people and the run differ: counted by looks, and by the solutions that a list of them holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from labelsite.comparison.evidence import NONE, Judgements


@dataclass(frozen=True, slots=True)
class Kinds:
    """How many looks there are of each kind, people against the run."""

    agree: int
    earlier: int
    later: int
    misses: int
    invents: int


@dataclass(frozen=True, slots=True)
class DifferingSolutions:
    """How many solutions have at least one look of each kind; any: of some kind, so it is no sum of the others."""

    any: int
    earlier: int
    later: int
    misses: int
    invents: int


def kinds(looks: Judgements) -> Kinds:
    agree = looks.first == looks.machine
    return Kinds(
        agree=int(agree.sum()), **{name: int(those.sum()) for name, those in _differing(looks).items()}
    )


def differing_solutions(looks: Judgements) -> DifferingSolutions:
    differing = {"any": looks.first != looks.machine, **_differing(looks)}
    return DifferingSolutions(
        **{name: len(np.unique(looks.place[those])) for name, those in differing.items()}
    )


def _differing(looks: Judgements) -> dict[str, NDArray[np.bool_]]:
    """Which looks are of each kind."""
    person, machine = looks.first, looks.machine
    both = (person != NONE) & (machine != NONE)
    return {
        "earlier": both & (machine < person),
        "later": both & (machine > person),
        "misses": (person != NONE) & (machine == NONE),
        "invents": (person == NONE) & (machine != NONE),
    }
