"""What the pocket models learn from: the same for a seed, and for a reader nothing but correct work."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from ml.commands.train_options import TARGET_TOKENS
from ml.pocket.checker import first_mistake
from ml.pocket.lessons import COURSES, NOT_LEARNED, VERDICTS, lessons, mistaken
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


def test_half_of_a_checkers_drills_are_wrong_and_every_verdict_says_which() -> None:
    tokenizer = build_tokenizer()
    said = {False: 0, True: 0}
    for lesson, _ in zip(lessons(tokenizer, 0, "checking"), range(40), strict=False):
        text = tokenizer.decode(lesson.tokens, skip_special_tokens=False)
        drills = text.removeprefix(f"{BEGIN}{DRILL}").removesuffix(f"{STEP}{END}").split(STEP)
        verdicts = [
            tokenizer.id_to_token(target)
            for token, target in zip(lesson.tokens, lesson.targets, strict=True)
            if target not in (NOT_LEARNED, token)
        ]
        for drill, verdict in zip(drills, verdicts, strict=True):
            left, right = drill.split(" = ")
            assert re.fullmatch(r"[-+* ()0-9]+", left + right)
            is_right = eval(left) == eval(right)
            assert verdict == VERDICTS[is_right], drill
            said[is_right] += 1
    assert 0.35 < said[False] / sum(said.values()) < 0.5


def test_verdicts_are_the_words_that_a_prm_with_the_head_tokens_is_read_by() -> None:
    assert TARGET_TOKENS[: len(VERDICTS)] == VERDICTS


def test_only_right_results_are_learned_on_a_checked_page() -> None:
    tokenizer = build_tokenizer()
    step = tokenizer.token_to_id(STEP)
    lesson = next(lessons(tokenizer, 1, "checking"))
    drills = []
    for place, token in enumerate(lesson.tokens):
        if token == step:
            is_learned = lesson.targets[place - 1] == lesson.tokens[place - 1]
            drills.append((is_learned, tokenizer.id_to_token(lesson.targets[place + 1])))
    assert len(drills) > 20
    assert all(is_learned == (verdict == VERDICTS[True]) for is_learned, verdict in drills)


@pytest.mark.parametrize("result", ["0", "7", "-3", "10", "100", "-999", "4812"])
def test_a_mistaken_result_is_another_number(result: str) -> None:
    rng = random.Random(result)
    found = {mistaken(rng, result) for _ in range(300)}
    assert result not in found and len(found) > 20
    assert all(str(int(text)) == text for text in found)


def test_partial_products_are_no_number_and_stay() -> None:
    assert mistaken(random.Random(0), "(90 + 18)") == "(90 + 18)"


def test_a_policys_solutions_hold_mistakes() -> None:
    prose = [text for text in written("careless", 0, 150) if PROSE in text and "```" not in text]
    parts = [text.removeprefix(BEGIN).removesuffix(END).split(PROSE) for text in prose]
    assert any(first_mistake(problem, tuple(steps.split(STEP))) is not None for problem, steps in parts)
