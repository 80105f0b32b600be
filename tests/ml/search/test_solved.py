"""The line of a solved problem: what counts as wrong, and what says nothing of the method."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from ml.answer_grading import NoVerdict
from ml.records import Problem
from ml.search import solved as module
from ml.search.cost import Cost
from ml.search.solved import Setting, totals_of
from ml.search.solving import Solved
from ml.search.voting import Candidate, Chosen

PROBLEM = Problem("p", "What is 1 + 1?", "2")
SAMPLED = Setting("best-of-n", "toy", "prose", "prm", samples=3)
SEARCHED = Setting("rstar", "toy", "prose", "prm", is_signed=True)
RIGHT = Candidate(("One and one is 2.",), "2", (0.9,))
OPEN = Candidate(("One and one.",), None, (0.2,))


def solved(answer: str | None, *candidates: Candidate, lost: int = 0) -> Solved:
    return Solved(Chosen(answer, candidates), Cost(), Counter({"lost": lost}))


def test_a_missing_answer_is_wrong_unless_something_failed_here() -> None:
    assert SAMPLED.line(PROBLEM, solved(None, OPEN))["is_correct"] is False
    assert SAMPLED.line(PROBLEM, solved("2", OPEN, RIGHT), failed=1)["is_correct"] is True
    line = SAMPLED.line(PROBLEM, solved(None, OPEN), failed=1)
    assert (line["is_correct"], line["solutions"], line["ungraded_samples"]) == (None, [], 3)


def test_a_trajectory_that_the_sandbox_failed_on_is_no_wrong_solution() -> None:
    unread = replace(OPEN, is_evidence=False)
    line = SAMPLED.line(PROBLEM, solved("2", RIGHT, unread, OPEN), failed=1)
    assert [one["steps"] for one in line["solutions"]] == [list(RIGHT.steps), list(OPEN.steps)]
    assert (line["ungraded_samples"], line["is_correct"]) == (1, True)
    unanswered = replace(PROBLEM, answer=None)
    assert SAMPLED.line(unanswered, solved("2", RIGHT, unread), failed=1)["ungraded_samples"] == 1


def test_samples_without_an_end_are_candidates_and_those_that_are_no_draws_are_not() -> None:
    line = SAMPLED.line(PROBLEM, solved("2", RIGHT, lost=1))
    assert (len(line["solutions"]), line["empty_samples"], line["ungraded_samples"]) == (1, 1, 1)


def test_a_search_without_an_end_has_one_candidate_that_answers_nothing() -> None:
    assert SEARCHED.line(PROBLEM, solved(None))["empty_samples"] == 1
    line = SEARCHED.line(PROBLEM, solved(None), failed=2)
    assert "empty_samples" not in line and line["ungraded_samples"] == 1


def test_a_signed_score_is_written_as_a_probability() -> None:
    line = SEARCHED.line(PROBLEM, solved("2", Candidate(RIGHT.steps, "2", (-0.5,))))
    assert line["solutions"][0]["step_scores"] == {"prm": [0.25]}
    assert line["solutions"][0]["score"] == 0.25


def test_an_answer_that_the_grader_gave_no_verdict_on_is_in_no_share(monkeypatch: Any) -> None:
    def judge(answer: str, reference: str) -> None:
        raise NoVerdict("hangs")

    monkeypatch.setattr(module, "judge", judge)
    line = SAMPLED.line(PROBLEM, solved("2", RIGHT))
    assert (line["chosen_answer"], line["is_correct"], line["solutions"]) == ("2", None, [])
    totals = totals_of(
        [{"line": line, "texts": {}, "seconds": 0.5}, {"unanswered": "too long", "seconds": 0}]
    )
    figures = totals.as_json()
    assert (figures["graded"], figures["accuracy"], figures["interval"], figures["unanswered"]) == (
        0, None, None, 1,
    )  # fmt: skip


def test_accuracy_comes_with_wilson_s_interval() -> None:
    right = SAMPLED.line(PROBLEM, solved("2", RIGHT))
    wrong = SAMPLED.line(PROBLEM, solved(None, OPEN))
    kept = [{"line": line, "texts": {}, "seconds": 0.5} for line in (right, right, right, wrong)]
    figures = totals_of(kept).as_json()
    assert figures["accuracy"] == 0.75
    assert figures["interval"] == pytest.approx([0.3006, 0.9544], abs=1e-4)
    assert (figures["without_answer"], figures["without_answer_share"]) == (1, 0.25)
    assert totals_of([]).as_json()["without_answer_share"] is None
