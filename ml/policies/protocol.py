"""What search asks of a policy: continue prefixes, by one step or to the end. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ml.errors import MisstepError
from ml.records import Problem


@dataclass(frozen=True, slots=True)
class Prefix:
    """A problem and the steps so far. `style` is "prose" or "code", or names the template of a question."""

    problem: Problem
    steps: tuple[str, ...]
    style: str = "prose"


@dataclass(frozen=True, slots=True)
class Continuation:
    """What a policy wrote after a prefix.

    steps: the new steps only, none where the policy ended the solution at once. finished: the policy ended the
    solution itself. tokens: how many it generated.
    log_probability: summed over the generated tokens, None where the engine does not tell.
    cut: it ran out of tokens, so that its last step may be half of one. lost: it is no draw of the policy (filtered, or
    ended nobody knows how), and says nothing of what it was to go on from. by_phrase: it is finished only because its
    step states an answer; the policy itself marked no end.
    """

    steps: tuple[str, ...]
    finished: bool
    tokens: int
    log_probability: float | None = None
    cut: bool = False
    lost: bool = False
    by_phrase: bool = False


class Unanswerable(MisstepError):
    """One prefix that the policy cannot read, now or later; it says nothing of any other prefix."""

    @property
    def is_settled(self) -> bool:
        """Whether that is known for good; until then it may still turn out that the policy reads none."""
        return True


class PartlyAnswered(MisstepError):
    """A call in which some prefixes could not be read. answers: in the call's order, what was written or why not.

    Raised after the others were answered: what they cost is not lost.
    """

    def __init__(self, answers: Sequence[list[Continuation] | Unanswerable]) -> None:
        self.answers = list(answers)
        super().__init__("; ".join(str(one) for one in answers if isinstance(one, Unanswerable)))


def all_answered(answers: Sequence[list[Continuation] | Unanswerable]) -> list[list[Continuation]]:
    """The answers of a call; raises PartlyAnswered where one is missing."""
    whole = [answer for answer in answers if not isinstance(answer, Unanswerable)]
    if len(whole) < len(answers):
        raise PartlyAnswered(answers)
    return whole


class Policy(Protocol):
    """A model that writes steps. `name` is stored with every run.

    One that may be called from several threads says in `lanes` how many calls it likes under way at once, and
    merges them itself; without it calls come one at a time. One that gains nothing from having several prefixes in a
    call says so in `answers_singly`: then each prefix is a call of its own, and waits for no other.

    What is written after a prefix depends on the prefix, the seed and the candidate's index only, never on
    which other prefixes share the batch: then a tree is the same whichever trees are searched beside it. Where some
    prefixes cannot be read, both methods raise PartlyAnswered, with the answers to the others.
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
