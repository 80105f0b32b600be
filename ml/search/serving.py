"""One batch of like requests, answered by the policy or by the value model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ml.policies.protocol import PartlyAnswered, Policy, Prefix
from ml.search.requests import Completions, NextSteps, Request


class ValueModel(Protocol):
    """Scores prefixes: a process reward model as a search sees it. `name` is stored with the run."""

    name: str

    def values(self, prefixes: Sequence[Prefix]) -> list[float]: ...


def prefixes_of(requests: Sequence[Request]) -> list[Prefix]:
    """What the requests go on from."""
    return [request.prefix for request in requests]  # type: ignore[union-attr]


def write(policy: Policy, requests: Sequence[Request]) -> list[Any]:
    """What the policy writes for each; an Unanswerable in the place of what it cannot read."""
    first = requests[0]
    assert isinstance(first, NextSteps | Completions)
    ask = policy.next_steps if isinstance(first, NextSteps) else policy.complete
    try:
        return list(ask(prefixes_of(requests), first.count, first.temperature, first.seed))
    except PartlyAnswered as partly:
        return list(partly.answers)
