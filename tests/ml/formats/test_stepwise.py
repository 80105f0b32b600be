"""Stepwise rows: what is written of ratings and labels, and what is read back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import formats
from ml.errors import MisstepError
from ml.formats import stepwise
from ml.formats.lines import Unreadable
from ml.formats.stepwise import RatedStep
from ml.records import (
    Annotation,
    FinishReason,
    LabelledSolution,
    Option,
    Position,
    Problem,
    Solution,
    StepRating,
)


def labelled(
    ratings: list[StepRating], finish_reason: FinishReason = FinishReason.FOUND_ERROR
) -> LabelledSolution:
    positions = (
        Position((Option("a"),)),
        Position((Option("b"), Option("b2"), Option("b3"))),
        Position((Option("c"),)),
        Position((Option("d"),)),
    )
    solution = Solution("1", Problem("1", "p"), positions)
    return LabelledSolution(1, solution, Annotation("x", finish_reason, tuple(ratings)))


NEUTRAL_THEN_MISTAKE = [
    StepRating(0, 0, 1),
    StepRating(1, 0, 0),
    StepRating(1, 1, -1),
    StepRating(1, 2, None, True),
    StepRating(2, 0, -1),
]


@pytest.mark.parametrize(
    ("neutral", "trajectory"),
    [
        ("positive", {"prompt": "p", "completions": ["a", "b", "c"], "labels": [True, True, False]}),
        ("negative", {"prompt": "p", "completions": ["a", "b", "c"], "labels": [True, False, False]}),
        ("drop", {"prompt": "p", "completions": ["a", "b\nc"], "labels": [True, False]}),
    ],
)
def test_neutral_steps_are_labelled_as_asked_and_dropped_without_losing_their_text(neutral, trajectory):
    rows = list(stepwise.write_records(labelled(NEUTRAL_THEN_MISTAKE), neutral=neutral))
    assert rows[0] == trajectory
    assert rows[1:] == [{"prompt": "p", "completions": ["a", "b2"], "labels": [True, False]}]


def test_alternatives_can_be_left_out():
    rows = list(stepwise.write_records(labelled(NEUTRAL_THEN_MISTAKE), alternatives="skip"))
    assert [row["completions"] for row in rows] == [["a", "b", "c"]]


def test_an_alternative_after_a_mistake_is_no_row():
    ratings = [StepRating(0, 0, -1), StepRating(1, 1, 1)]
    rows = list(stepwise.write_records(labelled(ratings)))
    assert [row["completions"] for row in rows] == [["a"]]
    # Nor where it happens to end like the mistake before it.
    trajectory = [RatedStep("ab", -1), RatedStep("c", None)]
    assert len(list(stepwise.rating_rows("p", trajectory, [(1, RatedStep("b", 1))]))) == 1


def test_a_solution_without_any_rating_is_no_row():
    assert list(stepwise.write_records(labelled([], FinishReason.GIVE_UP))) == []


def test_probabilities_are_labels_too_and_unlabelled_tails_are_cut():
    row = stepwise.label_row("p", ["a", "b", "c", "d"], [0.9, None, 0.2, None])
    assert row == {"prompt": "p", "completions": ["a", "b\nc"], "labels": [0.9, 0.2]}


def test_a_stepwise_row_keeps_all_its_labels_and_is_annotated_up_to_the_first_false():
    record = {"prompt": "p", "completions": ["a", "b", "c"], "labels": [True, False, True]}
    (found,) = stepwise.parse(record, 5)
    assert found.annotation is not None
    assert [rating.rating for rating in found.annotation.ratings] == [1, -1]
    assert found.solution.extra["labels"] == [True, False, True]
    (soft,) = stepwise.parse(record | {"labels": [0.5, 1, 0]}, 5)
    assert (soft.annotation, soft.solution.extra["labels"]) == (None, [0.5, 1, 0])


def test_zeros_and_ones_alone_are_booleans_and_keep_their_annotation():
    record = {"prompt": "p", "completions": ["a", "b", "c"], "labels": [1, 0, 1]}
    (found,) = stepwise.parse(record, 5)
    assert found.annotation is not None and found.annotation.first_mistake == 1
    assert [rating.rating for rating in found.annotation.ratings] == [1, -1]
    assert found.solution.extra["labels"] == [True, False, True]
    (fine,) = stepwise.parse(record | {"labels": [1, 1, 1]}, 5)
    assert fine.annotation is not None and fine.annotation.finish_reason is FinishReason.SOLUTION
    (soft,) = stepwise.parse(record | {"labels": [1.0, 0.0, 1.0]}, 5)
    assert soft.annotation is None


@pytest.mark.parametrize(
    ("rows", "annotated"),
    [
        ([[1, 1], [0.9, 1]], [False, False]),
        ([[1, 1], [1, 0]], [True, True]),
        # Booleans stay booleans, and a broken line says nothing of the others.
        ([[True, False], [1, 1], [0.5, 1]], [True, False, False]),
        ([[1, 1], None, "no"], [True]),
    ],
)
def test_whole_numbers_are_probabilities_where_any_row_of_the_file_has_a_fraction(rows, annotated, tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"prompt": "p", "completions": ["a", "b"], "labels": labels}) for labels in rows]
    path.write_text("\n".join(lines) + "\n")
    found = formats.read(path, "stepwise", on_error=lambda error: None)
    assert [one.annotation is not None for one in found] == annotated


@pytest.mark.parametrize("labels", [[True, 0], [0.5, False], [1, True]])
def test_booleans_beside_numbers_are_refused_with_file_and_line(labels, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"prompt": "p", "completions": ["a", "b"], "labels": labels}) + "\n")
    with pytest.raises(MisstepError, match=r"rows\.jsonl:1: .*`labels\[\d\]` = .* beside .*booleans alone"):
        list(formats.read(path, "stepwise"))


def test_as_in_trl_s_conversion_a_neutral_step_that_counts_as_negative_ends_nothing():
    trajectory = [RatedStep("a", 0), RatedStep("b", 1), RatedStep("c", -1), RatedStep("d", 1)]
    rows = list(stepwise.rating_rows("p", trajectory, [(1, RatedStep("b2", 1))], "negative"))
    assert [row["labels"] for row in rows] == [[False, True, False], [False, True]]


@pytest.mark.parametrize("labels", [[True], [True, "no"], [True, 1.5], None, [True, None]])
def test_a_stepwise_row_with_other_labels_is_refused(labels):
    with pytest.raises(Unreadable):
        list(stepwise.parse({"prompt": "p", "completions": ["a", "b"], "labels": labels}, 1))


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text("abc", min_size=1), st.sampled_from([-1, 0, 1, None])), max_size=6),
    st.sampled_from(["positive", "negative", "drop"]),
)
def test_rows_never_go_past_a_mistake_nor_lose_a_word(steps, neutral):
    trajectory = [RatedStep(text, rating) for text, rating in steps]
    for row in stepwise.rating_rows("p", trajectory, [], neutral):
        assert len(row["completions"]) == len(row["labels"])
        texts = [text for text, _ in steps]
        joined = "\n".join(row["completions"])
        assert "\n".join(texts).startswith(joined)
        ratings = [rating for _, rating in steps]
        until = ratings.index(-1) + 1 if -1 in ratings else len(ratings)
        assert len(joined) <= len("\n".join(texts[:until]))
