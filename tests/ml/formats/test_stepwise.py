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
from ml.records import FinishReason


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


@pytest.mark.parametrize("labels", [[True], [True, "no"], [True, 1.5], None, [True, None]])
def test_a_stepwise_row_with_other_labels_is_refused(labels):
    with pytest.raises(Unreadable):
        list(stepwise.parse({"prompt": "p", "completions": ["a", "b"], "labels": labels}, 1))


@settings(deadline=None)
@given(st.lists(st.tuples(st.text("abc", min_size=1), st.sampled_from([True, False, None])), max_size=6))
def test_a_row_goes_as_far_as_its_last_label_and_loses_no_word(steps):
    texts, labels = [text for text, _ in steps], [label for _, label in steps]
    row = stepwise.label_row("p", texts, labels)
    said = [label for label in labels if label is not None]
    assert (row["labels"] if row else []) == said
    until = max((k + 1 for k, label in enumerate(labels) if label is not None), default=0)
    assert "\n".join(row["completions"] if row else []) == "\n".join(texts[:until])


def test_a_reader_of_the_first_rows_looks_no_further_ahead_than_it_was_told(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [{"prompt": "p", "completions": ["a"], "labels": labels} for labels in ([1], [0], [0.5])]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def annotated(rows_ahead: int) -> bool:
        first = next(formats.read(path, "stepwise", limits=formats.Limits(rows_ahead=rows_ahead)))
        return first.annotation is not None

    assert (annotated(2), annotated(3)) == (True, False)
