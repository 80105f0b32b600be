"""Each label rule has an annotation that breaks it and one that keeps it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.formats.first_mistake import annotate, chain
from ml.formats.label_rules import broken_rule, first_mistake
from ml.records import Annotation, FinishReason, Option, Position, Problem, Solution, StepRating
from tests.data import ROOT

LABELLING = (ROOT / "docs" / "labelling.md").read_text(encoding="utf-8")
FOUND, SOLVED, GAVE_UP = FinishReason.FOUND_ERROR, FinishReason.SOLUTION, FinishReason.GIVE_UP


def look(
    ratings: list[int | None], finish_reason: FinishReason, reason: str = ""
) -> tuple[Solution, Annotation]:
    given = tuple(StepRating(index, 0, rating) for index, rating in enumerate(ratings))
    solution = Solution("1", Problem("1", "p"), chain(["a", "b", "c"]))
    return solution, Annotation("x", finish_reason, given, reason=reason)


@pytest.mark.parametrize(
    ("ratings", "finish_reason", "rule"),
    [
        ([1, 0, -1], FOUND, ""),
        ([-1], FOUND, ""),
        ([1, 1, 0], SOLVED, ""),
        ([1, None, 1], SOLVED, "gap_in_ratings"),
        ([None, -1], FOUND, "gap_in_ratings"),
        ([-1, 1], FOUND, "rated_after_the_first_mistake"),
        ([-1, -1], FOUND, "rated_after_the_first_mistake"),
        ([1, 1, 1], FOUND, "found_error_without_mistake"),
        ([], FOUND, "found_error_without_mistake"),
        ([1, 1, -1], SOLVED, "solution_with_mistake"),
        ([1, 1], SOLVED, "solution_not_finished"),
        ([1], GAVE_UP, "no_reason"),
        ([1, -1], GAVE_UP, "exit_with_mistake"),
        ([-1], FinishReason.BAD_PROBLEM, "exit_with_mistake"),
        ([1], FinishReason.BAD_PROBLEM, "no_reason"),
    ],
)
def test_a_broken_rule_is_named(ratings, finish_reason, rule):
    assert broken_rule(*look(ratings, finish_reason)) == rule
    assert rule == "" or f"(`{rule}`)" in LABELLING


def test_giving_up_with_a_reason_breaks_nothing():
    assert broken_rule(*look([1], GAVE_UP, reason="no idea")) == ""


def test_alternatives_of_the_wrong_step_may_be_rated():
    positions = (Position((Option("a"), Option("b"), Option("c"))),)
    solution = Solution("1", Problem("1", "p"), positions)
    ratings = (StepRating(0, 0, -1), StepRating(0, 1, 1), StepRating(0, 2, -1))
    assert broken_rule(solution, Annotation("x", FOUND, ratings)) == ""


def test_a_corrected_human_step_counts_as_what_it_was_corrected_to():
    solution = Solution("1", Problem("1", "p"), (Position((Option("a", source="human"),)),))
    assert broken_rule(solution, Annotation("x", SOLVED, ())) == ""
    assert broken_rule(solution, Annotation("x", SOLVED, (StepRating(0, 0, -1),))) == "solution_with_mistake"


@settings(deadline=None)
@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.none() | st.integers(0, n - 1))))
def test_a_first_mistake_index_always_becomes_a_lawful_annotation(drawn):
    steps, mistake = drawn
    solution = Solution("1", Problem("1", "p"), chain(str(index) for index in range(steps)))
    annotation = annotate("x", steps, mistake)
    assert broken_rule(solution, annotation) == ""
    assert first_mistake(solution, annotation) == annotation.first_mistake == mistake
