"""From a solution's steps to its graded final answer: run its code, or read its prose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

from ml.answer_grading import NoVerdict
from ml.answers import extract_final_answer, judge
from ml.execution import Execution, Verdict
from ml.records import Problem
from ml.search.decided import Decided, word_on
from ml.search.requests import Graded
from ml.segmentation import split_code

NOTHING_DECIDED: Decided = MappingProxyType({})


class Executes(Protocol):
    """What runs a path's code: `ml.execution.Sandbox`, or a test's own."""

    @property
    def level(self) -> str: ...

    def execute(self, codes: Sequence[str], keep_states: bool = True) -> Execution: ...


# A whole solution in one step has kilobytes, and cutting it takes microseconds.
@lru_cache(maxsize=10_000)
def code_of(step: str) -> str | None:
    """The step's Python, None for a prose step."""
    return split_code(step)[1]


def codes_of(steps: Sequence[str]) -> tuple[str, ...]:
    """The code of the steps that have some, in order."""
    return tuple(code for code in map(code_of, steps) if code is not None)


def style_of(steps: Sequence[str]) -> str:
    """ "code" if any step has code, else "prose"."""
    return "code" if codes_of(steps) else "prose"


def grade(
    problem: Problem, steps: Sequence[str], sandbox: Executes, decided: Decided = NOTHING_DECIDED
) -> Graded:
    """The final answer of a whole solution and whether it equals the problem's, or whether people said so.

    A solution whose code fails has no answer. Code after prose, and prose after code, are both fine: the last
    step says where the answer stands. A grader without a verdict is infrastructure, as a sandbox that crashes.
    """
    codes = codes_of(steps)
    execution = sandbox.execute(codes, keep_states=False) if codes else None
    if execution is not None and not execution.ok:
        return Graded(None, False, execution)
    answer = final_answer(steps, execution)
    word = word_on(decided, problem, answer)
    if word is not None:
        return Graded(answer, word, execution, is_decided=True)
    try:
        verdict = judge(answer, problem.answer)
    except NoVerdict as error:
        return Graded(None, False, _ungraded(execution, error))
    return Graded(answer, verdict.primary, execution, is_disputed=not verdict.agree)


def _ungraded(execution: Execution | None, error: NoVerdict) -> Execution:
    """What the code told, if there was any, with the verdict that keeps it from being evidence."""
    ran = execution or Execution(Verdict.OK, "", "grader", 0)
    return replace(ran, verdict=Verdict.INFRASTRUCTURE, error=str(error))


def final_answer(steps: Sequence[str], execution: Execution | None) -> str | None:
    """The last line that the last code step printed, or what the prose after it states."""
    if not steps:
        return None
    if execution is not None and code_of(steps[-1]) is not None:
        return execution.last_line or extract_final_answer(steps[-1])
    return extract_final_answer(steps[-1])
