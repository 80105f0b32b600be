"""A server that refuses a request, or breaks over it: one prompt that it does not take, or a server that takes none.

Of one prompt only its problem stays unanswered; a wrong setting must end a run at once, and not leave every problem
unanswered. Refusals come faster than texts, so "one after the other" is told by the order in which requests began:
by that in which they ended, many requests at once would look like an outage.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from ml.errors import MisstepError, ServerAway
from ml.policies.openai_faults import Refused, Unserved
from ml.policies.protocol import Prefix, Unanswerable

Answer = TypeVar("Answer")

# That a request is wrong. Others (no key, no such model) are of no single request.
_STATUSES = frozenset({400, 413, 422})
# So many problems refused one after the other are no accident of their prompts.
MOST_IN_A_ROW = 16


class Doubted(Unanswerable):
    """A problem of a row that may become an outage. is_over: whether the server has served a later request."""

    def __init__(self, message: str, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        super().__init__(message)

    @property
    def is_settled(self) -> bool:
        """Whether the row has ended."""
        return self._is_over()


def is_of_one_request(refusal: Refused) -> bool:
    """Whether the status speaks of what was asked, and not of who asks or where."""
    return refusal.status in _STATUSES


class Refusals:
    """What one server refused so far."""

    def __init__(self) -> None:
        self._has_answered = False
        self._begun = 0
        # The latest request, by the number of its beginning, that was answered.
        self._served = -1
        # What was refused, by the number of its beginning; None for what is too long and what the server is only slow
        # at, which are no part of any row and end none.
        self._refused: dict[int, Prefix | None] = {}
        # Calls are under way side by side.
        self._lock = threading.Lock()

    def begin(self, count: int) -> int:
        """The number of the first of so many requests, which begin now."""
        with self._lock:
            self._begun += count
            return self._begun - count

    def settle(
        self,
        first: int,
        prefixes: Sequence[Prefix],
        answers: Sequence[Answer | Unanswerable | Refused | Unserved],
        answers_plainly: Callable[[], bool],
    ) -> list[Answer | Unanswerable]:
        """One call's answers, with an Unanswerable in the place of each refusal, in doubt until its row has ended.

        first: what `begin` said. answers_plainly: asks for a harmless problem with the same settings; a run that goes
        on may have nothing left but what is refused. Raises the refusal where the server answers nothing at all, and
        that of a row where it refused or failed MOST_IN_A_ROW problems that were asked one after the other.
        """
        with self._lock:
            # What is unserved stood between two answers.
            self._has_answered |= any(not isinstance(answer, Unanswerable | Refused) for answer in answers)
            if not self._has_answered and any(isinstance(answer, Refused) for answer in answers):
                self._has_answered = answers_plainly()
            return [
                self._settled(number, *pair)
                for number, pair in enumerate(zip(prefixes, answers, strict=True), first)
            ]

    def _settled(
        self, number: int, prefix: Prefix, answer: Answer | Unanswerable | Refused | Unserved
    ) -> Answer | Unanswerable:
        if isinstance(answer, Refused | Unserved):
            if not self._has_answered:
                raise answer
            # Before any answer it may be the time limit that is wrong, and not the problem.
            is_slow = isinstance(answer, Unserved) and answer.is_late and self._served >= 0
            self._refused[number] = None if is_slow else prefix
            if self._in_a_row(number) >= MOST_IN_A_ROW:
                kind = MisstepError if isinstance(answer, Refused) else ServerAway
                raise kind(f"{MOST_IN_A_ROW} problems in a row are refused or get no answer: {answer}")
            how = "is refused" if isinstance(answer, Refused) else "gets no answer"
            # One that began earlier may have been served before the outage.
            begun = self._begun
            return Doubted(f"problem {prefix.problem.id!r} {how}: {answer}", lambda: self._served >= begun)
        if isinstance(answer, Unanswerable):
            self._refused[number] = None
        else:
            self._served = max(self._served, number)
        return answer

    def _in_a_row(self, number: int) -> int:
        """How many problems were refused one after the other around this request; one under way parts two rows."""
        before, after = itertools.count(number, -1), itertools.count(number + 1)
        row = [
            self._refused[one]
            for side in (before, after)
            for one in itertools.takewhile(self._refused.__contains__, side)
        ]
        problems = [prefix.problem for prefix in row if prefix is not None]
        # Solutions of one problem may each give it another id, and a critic asks of one problem in many texts.
        return min(len({problem.id for problem in problems}), len({problem.text for problem in problems}))
