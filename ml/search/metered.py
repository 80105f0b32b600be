"""What one search costs by itself, whatever others run beside it: the same in every run of the same seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ml.search.active import Result, tokens_of
from ml.search.cost import Cost
from ml.search.requests import Aside, Grade, Request, Run, Search
from ml.search.texts import ends_of, texts_of


def metered(search: Search[Result], cost: Cost, texts: Counter[str]) -> Search[Result]:
    """The same search; adds what it asks to `cost`, and what the policy wrote for it to `texts`, with its graded ends.

    An equal request is paid once, since the engine answers it from memory. Wall time is left to the engine: searches
    under way together share it.
    """
    paid: set[Request] = set()
    answers: Any = None
    while True:
        try:
            wanted = search.send(answers)
        except StopIteration as end:
            result: Result = end.value
            return result
        answers = yield wanted
        _count(wanted, answers, paid, cost, texts)


def _count(
    wanted: Sequence[Request], answers: Sequence[Any], paid: set[Request], cost: Cost, texts: Counter[str]
) -> None:
    for request, answer in zip(wanted, answers, strict=True):
        if isinstance(request, Run):
            cost.executions += bool(request.codes)
        elif isinstance(request, Grade):
            cost.executions += answer.has_run
            texts.update(ends_of(answer))
        elif not isinstance(request, Aside) and request not in paid:
            paid.add(request)
            cost.model_calls += 1
            cost.tokens += tokens_of(answer)
            texts.update(texts_of(request, answer))
