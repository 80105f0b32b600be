"""The checker's word on single steps, worked by hand, and on the real traces that people labelled."""

from __future__ import annotations

import json

import pytest

from ml.errors import MisstepError
from ml.pocket.checker import first_mistake
from tests.data import real_data

PROBLEM = "((-1 * 9 + 1 + -1) - (8 + -2 * 7 + 5)) ="
OPENING = 'This equation can be written as "(A - B)", where A = (-1 * 9 + 1 + -1) and B = (8 + -2 * 7 + 5).'
RIGHT_A = "Let's calculate A = (-1 * 9 + 1 + -1) = (-9 + 1 + -1) = (-8 - 1) = (-9)."
RIGHT_B = "Let's calculate B = (8 + -2 * 7 + 5) = (8 - 14 + 5) = (-6 + 5) = -1."
ENDING = "Then, the final equation is A - B = -9 - (-1) = -9 + 1 = -8. So the answer is -8"


def code(sentence: str, line: str) -> str:
    return f"{sentence}\n```python\n{line}\n```"


CODE = (
    code('This equation can be written as "A - B". Let\'s calculate A.', "A = -1 * 9 + 1 + -1"),
    code("Let's calculate B.", "B = 8 + -2 * 7 + 5"),
    code("Then, the final equation is A - B.", "print(A - B)"),
)


def test_right_solutions_have_no_mistake_in_prose_code_or_both() -> None:
    assert first_mistake(PROBLEM, (OPENING, RIGHT_A, RIGHT_B, ENDING)) is None
    assert first_mistake(PROBLEM, CODE) is None
    taken_over = code("From the steps above.", "A = -9")
    assert first_mistake(PROBLEM, (OPENING, RIGHT_A, taken_over, *CODE[1:])) is None


@pytest.mark.parametrize(
    ("place", "step"),
    [
        (0, OPENING.replace("(A - B)", "(A + B)")),
        (0, OPENING.replace("8 + -2", "8 - 2 +")),
        (1, RIGHT_A.replace("(-9)", "-10")),
        (1, RIGHT_A.replace("(-8 - 1)", "(-8 + 1)")),
        (2, RIGHT_B.replace("A", "C").replace("calculate B", "calculate C")),
        (3, ENDING.replace("-9 - (-1)", "-9 - 1")),
        (3, ENDING.replace("answer is -8", "answer is 8")),
        (2, "I give up."),
        (1, ""),
    ],
)
def test_one_false_expression_makes_the_step_the_first_mistake(place: int, step: str) -> None:
    steps = [OPENING, RIGHT_A, RIGHT_B, ENDING]
    steps[place] = step
    assert first_mistake(PROBLEM, steps) == place


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        (0, "+ -1", "+ 1"),
        (0, '"A - B"', '"A + B"'),
        (1, "B = 8", "B = 3"),
        (2, "print(A - B)", "print(B - A)"),
        (2, "print(A - B)", "import os"),
        (1, "B = 8", "B = A"),
    ],
)
def test_one_false_line_of_code_makes_the_step_the_first_mistake(place: int, old: str, new: str) -> None:
    steps = list(CODE)
    assert old in steps[place]
    steps[place] = steps[place].replace(old, new)
    assert first_mistake(PROBLEM, steps) == place


def test_a_wrong_value_that_later_steps_carry_on_stays_the_first_mistake() -> None:
    wrong = RIGHT_A.replace("(-9)", "-10")
    ending = "Then, the final equation is A - B = -10 - (-1) = -9. So the answer is -9"
    assert first_mistake(PROBLEM, (OPENING, wrong, RIGHT_B, ending)) == 1


def test_a_solution_that_stops_without_an_answer_has_its_mistake_at_the_end() -> None:
    assert first_mistake(PROBLEM, (OPENING, RIGHT_A)) == 1
    assert first_mistake(PROBLEM, (OPENING, RIGHT_A), finished=False) is None
    assert first_mistake(PROBLEM, ()) is None


def test_a_formula_without_brackets_is_matched_with_the_cut_it_came_from() -> None:
    problem = "(((1 + 2) * (3 + 4)) - ((5 + 6) * (7 + 8))) ="
    steps = [code('This equation can be written as "A * B - C". Let\'s calculate A.', "A = 1 + 2")]
    steps.append(code("Let's calculate B.", "B = 3 + 4"))
    steps.append(code("Let's calculate C.", "C = (5 + 6) * (7 + 8)"))
    steps.append(code("Then, the final equation is A * B - C.", "print(A * B - C)"))
    assert first_mistake(problem, steps) is None
    assert first_mistake(problem, [*steps[:2], code("Let's calculate C.", "C = 5 + 6"), steps[3]]) == 2


def test_a_problem_of_another_kind_is_refused() -> None:
    with pytest.raises(MisstepError, match="not an expression"):
        first_mistake("How many apples?", (OPENING,))


def test_the_checker_agrees_with_people_on_nine_of_ten_real_traces() -> None:
    rows = _real_rows()
    agreed = [first_mistake(row["input"], row["steps"]) == row["mistake_index"] for row in rows]
    assert sum(agreed) == 137
    assert len(agreed) == 152


def test_people_passed_twelve_wrong_answers_and_the_checker_passes_none() -> None:
    passed = [row for row in _real_rows() if row["mistake_index"] is None and row["answer"] != row["target"]]
    assert len(passed) == 12
    assert all(first_mistake(row["input"], row["steps"]) is not None for row in passed)


def _real_rows() -> list[dict[str, object]]:
    path = real_data("big_bench_mistake/multistep_arithmetic.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]
