"""Answers that a file states beside the reference and does not grade."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ml import given_answers
from ml.answer_grading import GraderTimedOut
from ml.formats import read
from ml.given_answers import GivenAnswers
from ml.records import Option, Position, Problem, Solution
from ml.targets import LabelRule
from ml.targets.file_rows import rows_from


def solution(answer, reference, is_correct=None):
    return Solution(
        "s", Problem("p", "1 + 1?", reference), (Position((Option("a"),)),), None, answer, is_correct
    )


@pytest.mark.parametrize(
    ("answer", "reference", "is_correct"),
    [("2", "2.0", True), ("3", "2", False), (r"x + 1", r"1 + x", True), (None, "2", None), ("2", None, None)],
)
def test_both_answers_are_graded_and_one_alone_says_nothing(answer, reference, is_correct):
    assert GivenAnswers().is_correct(solution(answer, reference)) is is_correct


def test_the_file_s_own_verdict_stands():
    assert GivenAnswers().is_correct(solution("3", "2", True)) is True


def test_answers_that_hang_the_grader_are_unknown_and_cost_time_only_so_often(monkeypatch):
    asked = []

    def hang(answer, reference):
        asked.append(answer)
        raise GraderTimedOut("no verdict")

    monkeypatch.setattr(given_answers, "judge", hang)
    answers = GivenAnswers()
    found = [answers.is_correct(solution(f"x + {k}", "y")) for k in range(20)]
    assert found == [None] * 20 and len(asked) == given_answers.MOST_HUNG
    assert answers.is_correct(solution("3", "2")) is False


def test_answers_that_are_too_large_to_be_asked_about_cost_the_others_nothing():
    answers = GivenAnswers()
    for power in range(9):
        answers.is_correct(solution(f"3^{{2^{{{100 + power}}}}}", "7"))
    assert answers.hung == 0
    assert answers.is_correct(solution("(x+1)(x-1)", "x^2-1")) is True


def test_a_pre_generated_answer_of_prm800k_becomes_an_outcome_of_either_kind(tmp_path):
    def line(answer):
        steps = [{"completions": [{"text": f"It is {answer}.", "rating": 1}], "chosen_completion": 0}]
        return {
            "question": {
                "problem": f"What makes {answer}?",
                "ground_truth_answer": "4",
                "pre_generated_steps": [f"It is {answer}."],
                "pre_generated_answer": answer,
            },
            "label": {"steps": steps, "total_time": 1, "finish_reason": "solution"},
        }

    path = tmp_path / "phase2.jsonl"
    path.write_text("".join(json.dumps(line(answer)) + "\n" for answer in ("4", "5", "2+2")))
    rows = rows_from(str(path), read(path, "prm800k"), {}, LabelRule("human"), Counter())
    assert [row.is_correct for row in rows] == [True, False, True]
