"""What a search asks for. A search is a generator: it yields requests and is sent their answers, in order.

So a recipe reads like a program for one tree, and `walk.py` can still serve the requests of many trees
together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ml.execution import Execution
from ml.policies.protocol import Prefix
from ml.records import Problem

Result = TypeVar("Result")


# The level of what was no execution: a grader failed, and there was no code to run.
NO_SANDBOX = "grader"


@dataclass(frozen=True, slots=True)
class NextSteps:
    """`count` candidate next steps; answered with list[Continuation].

    is_optional: the search goes on without them where the policy cannot read the prefix; answered with Unanswerable
    then, and counted.
    """

    prefix: Prefix
    count: int
    temperature: float
    seed: int
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class Completions:
    """`count` completions to the end; answered with list[Continuation]."""

    prefix: Prefix
    count: int
    temperature: float
    seed: int


@dataclass(frozen=True, slots=True)
class Run:
    """Execute a path's code; answered with an Execution."""

    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grade:
    """Find and judge the final answer of whole solutions; answered with a Graded."""

    problem: Problem
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aside:
    """Work that asks nothing and may take long, such as a vote over answers that the grader is slow to compare;
    answered with what it returns. Done by the search itself, it would hold up all others.
    """

    work: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Value:
    """What the value model (or preference model) says of a prefix; answered with a float."""

    prefix: Prefix


@dataclass(frozen=True, slots=True)
class Graded:
    """A finished solution's answer and whether it is right; `execution` is None for prose that was graded.

    is_disputed: the strict second opinion on the answer differs; a person should look. is_decided: one did, and
    `is_correct` is what they said.
    """

    answer: str | None
    is_correct: bool
    execution: Execution | None = None
    is_disputed: bool = False
    is_decided: bool = False

    @property
    def is_evidence(self) -> bool:
        """False where the sandbox or the grader, not the solution, is to blame: then the rollout says nothing."""
        return self.execution is None or self.execution.verdict != "infrastructure"

    @property
    def has_run(self) -> bool:
        """Whether code ran; a grader that failed on prose ran none."""
        return self.execution is not None and self.execution.level != NO_SANDBOX

    @property
    def is_unread(self) -> bool:
        """Whether the solution ran, or had nothing to run, and no answer was recognised in it. Of a policy that ended
        there at once that is no evidence: it may have taken for the answer what we cannot read.
        """
        return self.answer is None and (self.execution is None or self.execution.ok)


Request = NextSteps | Completions | Run | Grade | Aside | Value
Search = Generator[Sequence[Request], Sequence[Any], Result]


# The group of all requests for values.
VALUES = Value.__name__


def group_of(request: Request) -> Hashable:
    """Requests of one group can share a policy call."""
    if isinstance(request, NextSteps | Completions):
        return type(request), request.count, request.temperature, request.seed
    return type(request).__name__


def is_dispensable(request: Request) -> bool:
    """Whether a search goes on where the policy cannot answer this."""
    return isinstance(request, NextSteps) and request.is_optional


def sequences_of(request: Request) -> int:
    """How many continuations a request asks for."""
    return request.count if isinstance(request, NextSteps | Completions) else 1


def gather(searches: Sequence[Search[Result]]) -> Search[list[Result]]:
    """Run several searches as one: their requests go out together, so that a batch can serve them all."""
    results: list[Any] = [None] * len(searches)
    waiting: dict[int, Sequence[Request]] = {}
    for index, search in enumerate(searches):
        _advance(index, search, None, waiting, results)
    while waiting:
        asked = dict(waiting)
        answers = yield [request for requests in asked.values() for request in requests]
        start = 0
        for index, requests in asked.items():
            share = answers[start : start + len(requests)]
            start += len(requests)
            _advance(index, searches[index], share, waiting, results)
    return results


def _advance(
    index: int,
    search: Search[Result],
    answers: Sequence[Any] | None,
    waiting: dict[int, Sequence[Request]],
    results: list[Any],
) -> None:
    try:
        waiting[index] = next(search) if answers is None else search.send(answers)
    except StopIteration as end:
        waiting.pop(index, None)
        results[index] = end.value
