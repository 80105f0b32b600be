"""What a search costs by itself is what the engine really spends on it, whatever runs beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from ml.answer_grading import NoVerdict
from ml.execution import sandbox
from ml.search import grading
from ml.search.cost import Cost
from ml.search.requests import Search
from ml.search.solving import METHODS, Solved, solve
from ml.search.walk import Walk
from tests.ml.search.test_test_time import TrueValues
from tests.ml.search.toy import ChainPolicy, chain_problem

PROBLEMS = [chain_problem(*range(1 + k, 6 + k), name=f"p{k}") for k in range(4)]


def search(name: str, number: int, style: str) -> Search[Solved]:
    method = METHODS[name]
    options = method.sized(4, {"rollouts": 4, "candidates": 2})
    return solve(PROBLEMS[number], method, options, 4, 0, style)


@pytest.mark.parametrize("style", ["prose", "code"])
@pytest.mark.parametrize("name", METHODS)
def test_the_costs_of_searches_add_up_to_what_the_engine_spent(name: str, style: str) -> None:
    walk = Walk(ChainPolicy(0.2), sandbox(), TrueValues())
    found = [done.result for done in walk.drive((k, search(name, k, style)) for k in range(len(PROBLEMS)))]
    total, texts = Cost(), Counter[str]()
    for one in found:
        total.add(one.cost)
        texts.update(one.texts)
    assert total.tokens > 0
    assert replace(total, seconds=0.0) == replace(walk.cost, seconds=0.0)
    assert texts == walk.texts


def test_a_search_costs_the_same_beside_an_equal_one_that_was_served_with_it() -> None:
    alone, beside = (Walk(ChainPolicy(0.2), sandbox(), TrueValues()) for _ in range(2))
    (single,) = alone.drive([(0, search("beam", 0, "prose"))])
    doubled = list(beside.drive((k, search("beam", 0, "prose")) for k in range(2)))
    assert [done.result.cost for done in doubled] == [single.result.cost] * 2


def test_a_grader_that_fails_on_prose_has_executed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(answer: str | None, reference: str | None) -> None:
        raise NoVerdict("hangs")

    monkeypatch.setattr(grading, "judge_at_once", lambda answer, reference: None)
    monkeypatch.setattr(grading, "judge", fails)
    walk = Walk(ChainPolicy(), sandbox(), TrueValues())
    (found,) = walk.drive([(0, search("best-of-n", 0, "prose"))])
    assert found.ungraded == 4
    assert (found.cost.executions, found.result.cost.executions, walk.cost.executions) == (0, 0, 0)
