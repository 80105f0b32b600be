"""Who works faster than can be believed, against the rest of the team."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import median

# Of the others' median. People differ in pace by half or double; nobody reads three times as fast as all the others.
TOO_FAST = 1 / 3
# So many timed looks before a median says something.
TIMED_FROM = 8


@dataclass(frozen=True, slots=True)
class Pace:
    """Looks with a verdict whose time is known, and the median of those times."""

    looks: int
    seconds: float


def too_fast(paces: Mapping[int, Pace], excluded: Collection[int] = ()) -> set[int]:
    """The people whose median time is below a third of the team's: the median of all other people's medians.

    Whose labels are excluded is no measure of others.
    """
    steady = {person: pace.seconds for person, pace in paces.items() if pace.looks >= TIMED_FROM}
    found = set()
    for person, seconds in steady.items():
        others = [other for name, other in steady.items() if name != person and name not in excluded]
        if others and seconds < TOO_FAST * median(others):
            found.add(person)
    return found
