"""What the pocket models learn from: the same for a seed, and for a reader nothing but correct work."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ml.pocket.checker import first_mistake
from ml.pocket.lessons import COURSES, lessons
from ml.pocket.tokenizer import BEGIN, DRILL, END, PROSE, STEP, build_tokenizer


def written(course: str, seed: int, count: int) -> Iterator[str]:
    tokenizer = build_tokenizer()
    for lesson, _ in zip(lessons(tokenizer, seed, course), range(count), strict=False):
        yield tokenizer.decode(lesson.tokens, skip_special_tokens=False)


@pytest.mark.parametrize("course", COURSES)
def test_a_course_is_the_same_for_the_same_seed(course: str) -> None:
    assert list(written(course, 3, 30)) == list(written(course, 3, 30))
    assert list(written(course, 3, 30)) != list(written(course, 4, 30))


def test_a_readers_solutions_hold_no_mistake_and_its_drills_are_right() -> None:
    solutions = drills = 0
    for text in written("careful", 0, 120):
        if text.startswith(f"{BEGIN}{DRILL}"):
            for task in text.removeprefix(f"{BEGIN}{DRILL}").removesuffix(", ").split(", "):
                left, right = task.split(" = ")
                # The drills' own arithmetic, read by Python: digits, signs and brackets only.
                assert re.fullmatch(r"[-+* ()0-9]+", task.replace("=", "")) and eval(left) == eval(right), (
                    task
                )
                drills += 1
        else:
            problem, steps = text.removeprefix(BEGIN).removesuffix(END).split(PROSE)
            assert first_mistake(problem, tuple(steps.split(STEP))) is None, text
            solutions += 1
    assert solutions > 40 and drills > 900


def test_a_policys_solutions_hold_mistakes() -> None:
    prose = [text for text in written("careless", 0, 150) if PROSE in text and "```" not in text]
    parts = [text.removeprefix(BEGIN).removesuffix(END).split(PROSE) for text in prose]
    assert any(first_mistake(problem, tuple(steps.split(STEP))) is not None for problem, steps in parts)
