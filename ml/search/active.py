"""A search under way, and what is left of it when it has ended."""

from __future__ import annotations

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ml.policies.protocol import Continuation, Unanswerable
from ml.search.cost import Cost
from ml.search.requests import Request, Search, is_dispensable

Result = TypeVar("Result")
Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class Active(Generic[Key, Result]):
    """A search under way, what it asked last, and the answers it waits for."""

    key: Key
    search: Search[Result]
    wanted: Sequence[Request] = ()
    answers: list[Any] = field(default_factory=list)
    missing: int = 0
    cost: Cost = field(default_factory=Cost)
    disputed: dict[tuple[str | None, str], bool] = field(default_factory=dict)
    decided: dict[str, bool] = field(default_factory=dict)
    ungraded: int = 0
    levels: set[str] = field(default_factory=set)
    started: float = field(default_factory=time.monotonic)

    @property
    def refusal(self) -> Unanswerable | None:
        """Why the search cannot go on, where the policy cannot read what it asks; the first in its own order.

        What it can go on without is none: of an outage, the next that it cannot go on without tells.
        """
        for request, answer in zip(self.wanted, self.answers, strict=True):
            if isinstance(answer, Unanswerable) and not is_dispensable(request):
                return answer
        return None

    def ended(self, result: Result, unanswered: str = "") -> Finished[Key, Result]:
        """What is left of it."""
        self.cost.seconds = time.monotonic() - self.started
        return Finished(
            self.key, result, self.cost, self.disputed, self.decided, unanswered, self.ungraded, self.levels
        )


@dataclass(slots=True)
class Finished(Generic[Key, Result]):
    """One search's end. `cost` is what it asked for; what it shared with others is counted in each.

    disputed: references and answers on which the two opinions differ, with whether the first took them for right.
    decided: answers of which people had said before whether they are right. unanswered: why the policy could not
    be asked, or empty; then the result is none of the search's. ungraded: ends that nothing could grade, since the
    sandbox or the grader failed. levels: of the sandbox, at which its code ran.
    """

    key: Key
    result: Result
    cost: Cost
    disputed: dict[tuple[str | None, str], bool] = field(default_factory=dict)
    decided: dict[str, bool] = field(default_factory=dict)
    unanswered: str = ""
    ungraded: int = 0
    levels: set[str] = field(default_factory=set)


def tokens_of(answer: Any) -> int:
    """How many tokens an answer of the policy cost."""
    if not isinstance(answer, list):
        return 0
    return sum(continuation.tokens for continuation in answer if isinstance(continuation, Continuation))
