"""A server that refuses a request, or breaks over it: one prompt that it does not take, or a server that takes none.

Of one prompt only its problem stays unanswered; a wrong setting must end a run at once, and not leave every problem
unanswered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from ml.policies.openai_faults import Refused, Unserved
from ml.policies.protocol import Prefix, Unanswerable

Answer = TypeVar("Answer")

# That a request is wrong. Others (no key, no such model) are of no single request.
_STATUSES = frozenset({400, 413, 422})
# So many problems refused one after the other are no accident of their prompts.
MOST_IN_A_ROW = 16


class Doubted(Unanswerable):
    """A problem of a row that may become an outage. other_answered: set once another problem has been answered."""

    def __init__(self, message: str, other_answered: threading.Event) -> None:
        self._other_answered = other_answered
        super().__init__(message)

    @property
    def is_settled(self) -> bool:
        """Whether the row has ended."""
        return self._other_answered.is_set()


def is_of_one_request(refusal: Refused) -> bool:
    """Whether the status speaks of what was asked, and not of who asks or where."""
    return refusal.status in _STATUSES


class Refusals:
    """What one server refused so far."""

    def __init__(self) -> None:
        self._has_answered = False
        self._in_a_row: set[str] = set()
        self._row_ended = threading.Event()
        # Calls are under way side by side.
        self._lock = threading.Lock()

    def settle(
        self,
        prefixes: Sequence[Prefix],
        answers: Sequence[Answer | Unanswerable | Refused | Unserved],
        answers_plainly: Callable[[], bool],
    ) -> list[Answer | Unanswerable]:
        """One call's answers, with an Unanswerable in the place of each refusal, in doubt until its row has ended.

        answers_plainly: asks for a harmless problem with the same settings; a run that goes on may have nothing left
        but what is refused. Raises the refusal where the server answers nothing at all, or refused or failed
        MOST_IN_A_ROW problems in a row.
        """
        with self._lock:
            # What is unserved stood between two answers.
            self._has_answered |= any(not isinstance(answer, Unanswerable | Refused) for answer in answers)
            if not self._has_answered and any(isinstance(answer, Refused) for answer in answers):
                self._has_answered = answers_plainly()
            return [self._settled(*pair) for pair in zip(prefixes, answers, strict=True)]

    def _settled(
        self, prefix: Prefix, answer: Answer | Unanswerable | Refused | Unserved
    ) -> Answer | Unanswerable:
        if isinstance(answer, Refused | Unserved):
            self._in_a_row.add(prefix.problem.text)
            if not self._has_answered or len(self._in_a_row) >= MOST_IN_A_ROW:
                raise answer
            how = "is refused" if isinstance(answer, Refused) else "gets no answer"
            return Doubted(f"problem {prefix.problem.id!r} {how}: {answer}", self._row_ended)
        if not isinstance(answer, Unanswerable):
            self._in_a_row.clear()
            self._row_ended.set()
            self._row_ended = threading.Event()
        return answer
