"""The format for one's own labels: whose they are, what they say, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml import formats
from ml.formats import annotated
from ml.formats.lines import Unreadable
from ml.records import LabelledSolution

LINE = {"id": "a-1", "problem": "What is 1 + 1?", "steps": ["one", "two", "three"]}


def looks(*entries: dict[str, Any]) -> list[LabelledSolution]:
    return list(annotated.parse({**LINE, "annotations": list(entries)}, 1))


def said(entry: dict[str, Any]) -> tuple[str, int | None, list[int | None], str]:
    (found,) = looks({"annotator": "ann", **entry})
    look = found.annotation
    assert look is not None
    return (
        str(look.finish_reason),
        look.first_mistake,
        [one.rating for one in look.ratings],
        found.broken_rule,
    )


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"first_mistake": 1}, ("found_error", 1, [1, -1], "")),
        ({"first_mistake": None}, ("solution", None, [1, 1, 1], "")),
        ({"ratings": [1, 0, -1]}, ("found_error", 2, [1, 0, -1], "")),
        ({"ratings": [1, 0, 1]}, ("solution", None, [1, 0, 1], "")),
        ({"ratings": [1]}, ("solution", None, [1], "solution_not_finished")),
        ({"ratings": [-1, 1]}, ("found_error", 0, [-1, 1], "rated_after_the_first_mistake")),
        ({"ratings": [1], "finish_reason": "give_up", "reason": "?"}, ("give_up", None, [1], "")),
        ({"first_mistake": None, "finish_reason": "give_up", "reason": "?"}, ("give_up", None, [], "")),
        ({"ratings": [1], "finish_reason": "bad_problem"}, ("bad_problem", None, [1], "no_reason")),
    ],
)
def test_a_look_is_what_it_says_and_names_the_rule_that_it_breaks(entry, expected):
    assert said(entry) == expected


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"annotator": "ann"}, "both or neither"),
        ({"annotator": "ann", "first_mistake": 0, "ratings": [1]}, "both or neither"),
        ({"first_mistake": 0}, "no key `annotator`"),
        ({"annotator": "checker", "first_mistake": 0}, "checker"),
        ({"annotator": "a" * 101, "first_mistake": 0}, "annotator"),
        ({"annotator": "ann", "first_mistake": 3}, "first_mistake"),
        ({"annotator": "ann", "ratings": [2]}, r"annotations\[0\]: `ratings\[0\]`"),
        ({"annotator": "ann", "ratings": [1, 1, 1, 1]}, "ratings"),
        ({"annotator": "ann", "ratings": "good"}, "ratings"),
        ({"annotator": "ann", "first_mistake": 0, "finish_reason": "bored"}, "finish_reason"),
    ],
)
def test_what_is_no_look_is_refused(entry: dict[str, Any], message: str):
    with pytest.raises(Unreadable, match=message):
        looks(entry)


def test_one_person_looks_once():
    with pytest.raises(Unreadable, match="two annotations by 'ann'"):
        looks({"annotator": "ann", "first_mistake": 0}, {"annotator": "ann", "first_mistake": 1})


def test_more_looks_than_there_are_people_are_refused():
    with pytest.raises(Unreadable, match="1001 annotations of one solution, expected at most 1000"):
        looks(*[{"annotator": str(number), "first_mistake": None} for number in range(1001)])


def test_a_line_that_nobody_annotated_yet_is_a_solution():
    (found,) = looks()
    assert found.annotation is None and found.solution.id == "a-1"


def test_commands_see_a_solution_once_and_measures_all_looks_at_it_together(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    entries = [{"annotator": name, "first_mistake": 0} for name in ("ann", "bo")]
    path.write_text(json.dumps({**LINE, "annotations": entries}) + "\n")
    assert formats.guess(path) == "annotated"
    assert [one.id for one in formats.solutions(formats.read(path, "annotated"))] == ["a-1"]
    (both,) = formats.looks_by_solution(formats.read(path, "annotated"))
    assert [one.annotation and one.annotation.labeler for one in both] == ["imported:ann", "imported:bo"]


def test_keys_are_counted_and_their_number_and_length_are_bounded(tmp_path: Path):
    path, keys = tmp_path / "own.jsonl", formats.KeyLog()
    many = {f"key {number:03} {'x' * 100}": 1 for number in range(100)}
    path.write_text(json.dumps({**LINE, **many}) + "\n")
    list(formats.read(path, "records", keys=keys))
    assert len(keys.kept) == 51 and keys.kept["..."] == 50 and not keys.unread
    assert max(map(len, keys.kept)) == 60
