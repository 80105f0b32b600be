"""Where to probe next for a first mistake, and what to do where nothing could grade a probe's rollouts.

A prefix from which a rollout is right has no mistake, and behind a mistake no prefix has a right one: so each probe
halves what is open. A probe that our own failure left without any graded rollout is no such sign. It is asked again
with other rollouts, and if they are lost too the search goes on around it.
"""

from __future__ import annotations

from collections.abc import Collection

from ml.seeds import seed_of

# How often a probe is asked again whose rollouts were all lost, or a node whose candidates were.
ASKED_AGAIN = 2


def next_probe(low: int, high: int, lost: Collection[int]) -> int | None:
    """The place to probe among those from `low` up to `high`, without `high`: the middle, or the nearest to it that
    is not lost. None where the search has ended: nothing is open, or nothing that can be known.
    """
    middle = (low + high) // 2
    return min(
        (at for at in range(low, high) if at not in lost), key=lambda at: abs(at - middle), default=None
    )


def seed_of_try(seed: int, attempt: int) -> int:
    """The first try has the search's own seed; with it a later one would be answered with the same rollouts."""
    return seed_of(seed, "again", attempt) if attempt else seed
