"""What search asks of a policy: continue prefixes, by one step or to the end. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ml.records import Problem


@dataclass(frozen=True, slots=True)
class Prefix:
    """A problem and the steps so far. `style` is "prose" or "code"."""

    problem: Problem
    steps: tuple[str, ...]
    style: str = "prose"


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a policy wrote after a prefix.

    steps: the new steps only, none where the policy ended the solution at once. finished: the policy ended the
    solution itself. tokens: how many it generated.
    log_probability: summed over the generated tokens, None where the engine does not tell.
    """

    steps: tuple[str, ...]
    finished: bool
    tokens: int
    log_probability: float | None = None


class Policy(Protocol):
    """A model that writes steps. `name` is stored with every run.

    One that may be called from several threads says in `lanes` how many calls it likes under way at once, and
    merges them itself; without it calls come one at a time.

    What is written after a prefix depends on the prefix, the seed and the candidate's index only, never on
    which other prefixes share the batch: then a tree is the same whichever trees are searched beside it.
    """

    name: str

    def next_steps(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` candidate next steps for each prefix: shape [len(prefixes)][count], one step each."""

    def complete(
        self, prefixes: Sequence[Prefix], count: int, temperature: float, seed: int
    ) -> list[list[Continuation]]:
        """`count` completions to the end of the solution for each prefix: shape [len(prefixes)][count]."""
