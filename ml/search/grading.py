"""From a solution's steps to its graded final answer: run its code, or read its prose."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from ml.answer_grading import NoVerdict
from ml.answers import Verdict as Opinions
from ml.answers import judge, judge_at_once
from ml.answers_found import Stated, boxed_answer, extract_final_answer, stated_by
from ml.execution import Executes, Execution, Verdict
from ml.records import Problem
from ml.search.decided import Decided, word_on
from ml.search.requests import NO_SANDBOX, Graded
from ml.segmentation import split_code

NOTHING_DECIDED: Decided = MappingProxyType({})
Judge = Callable[[str | None, str | None], Opinions | None]


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
    step with an answer says it. A grader without a verdict is infrastructure, as a sandbox that crashes.
    """
    codes = codes_of(steps)
    execution = sandbox.execute(codes, keep_states=False) if codes else None
    if execution is not None and not execution.ok:
        return Graded(None, False, execution)
    answer = final_answer(steps, execution)
    try:
        graded = _graded(problem, answer, execution, decided, judge)
    except NoVerdict as error:
        return Graded(None, False, _ungraded(execution, error))
    assert graded is not None
    return graded


def grade_at_once(
    problem: Problem, steps: Sequence[str], decided: Decided = NOTHING_DECIDED
) -> Graded | None:
    """As `grade`, where that takes no more than reading the text; None where code has to run, or a slow grader has to
    be asked.
    """
    if codes_of(steps):
        return None
    return _graded(problem, final_answer(steps, None), None, decided, judge_at_once)


def _graded(
    problem: Problem, answer: str | None, execution: Execution | None, decided: Decided, judged: Judge
) -> Graded | None:
    """What people or else `judged` say of an answer; None where that says nothing."""
    word = word_on(decided, problem, answer)
    if word is not None:
        return Graded(answer, word, execution, is_decided=True)
    verdict = judged(answer, problem.answer)
    if verdict is None:
        return None
    return Graded(answer, verdict.primary, execution, is_disputed=not verdict.agree)


def _ungraded(execution: Execution | None, error: NoVerdict) -> Execution:
    """What the code told, if there was any, with the verdict that keeps it from being evidence."""
    ran = execution or Execution(Verdict.OK, "", NO_SANDBOX, 0)
    return replace(ran, verdict=Verdict.INFRASTRUCTURE, error=str(error))


def final_answer(steps: Sequence[str], execution: Execution | None) -> str | None:
    """What the last step that has an answer states or, where that is the last code step, prints. A box in such a step's
    prose wins over what its code prints, which may be a sentence.

    Steps after it may say that the answer makes sense, and repeat nothing of it.
    """
    _, answer = _last_answer(steps, execution)
    return answer


def is_finished(steps: Sequence[str], execution: Execution | None) -> bool:
    """Whether a given solution has come to its answer. What code printed before the last step may be on the way:
    it is the answer only where the prose after it repeats it.
    """
    place, answer = _last_answer(steps, execution)
    if answer is None or place == len(steps) - 1 or code_of(steps[place]) is None:
        return answer is not None
    repeated = re.compile(rf"(?<![\w.]){re.escape(answer)}(?!\w|\.\d)")
    return any(repeated.search(step) for step in steps[place + 1 :])


def _last_answer(steps: Sequence[str], execution: Execution | None) -> tuple[int, str | None]:
    """Where the last answer stands, and the answer; only of the last code step it is known what it printed.

    Behind the last code step a box wins over what a later step says, and a remark is an answer where there is no other.
    """
    codes = [place for place, step in enumerate(steps) if code_of(step) is not None]
    printed = execution.last_line if execution is not None else None
    remark: tuple[int, str | None] = (0, None)
    end = len(steps)
    for code in (*reversed(codes), -1):
        stated = _stated_answers(steps, range(code + 1, end))
        firm = next(((place, found.answer) for place, found in stated if found.is_firm), None)
        if firm is not None:
            return firm
        if stated and remark[1] is None:
            remark = (stated[0][0], stated[0][1].answer)
        if code >= 0:
            boxed = boxed_answer(split_code(steps[code])[0])
            answer = boxed or _stated_in_line(printed) or extract_final_answer(steps[code])
            printed = None
            if answer is not None:
                return code, answer
        end = code
    return remark


def _stated_in_line(printed: str | None) -> str | None:
    """What a printed line states as the answer, or else all of it; also of several named values."""
    if printed is None or printed.count(": ") > 1:
        return printed
    return extract_final_answer(printed) or printed


def _stated_answers(steps: Sequence[str], prose: range) -> list[tuple[int, Stated]]:
    """What prose steps state, the last first, or what the last box among them holds; each with its place."""
    places = prose[::-1]
    for place in places:
        if (boxed := boxed_answer(steps[place])) is not None:
            return [(place, Stated(boxed, is_firm=True))]
    found = (
        (place, stated_by(steps[place], steps[place - 1] if place > prose.start else None))
        for place in places
    )
    return [(place, stated) for place, stated in found if stated is not None]
