"""Files of other tools are told by their names, once, with where their conversion stands, which does what it says."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ml import formats
from ml.errors import BadRecord
from ml.formats.lines import Limits

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
CONVERSION = "Files of other tools"
PROBLEM = {"id": "q1", "problem": "What is 1 + 2?", "steps": ["We add.", "The sum is 4."]}
STUDIO: list[dict[str, Any]] = [
    {
        "id": 7,
        "data": PROBLEM,
        "annotations": [
            {
                "completed_by": 3,
                "result": [
                    {"from_name": "first_mistake", "type": "choices", "value": {"choices": ["1"]}},
                ],
            },
            {"completed_by": 4, "was_cancelled": True, "result": []},
            {
                "completed_by": {"email": "bo@x"},
                "result": [
                    {"from_name": "first_mistake", "type": "choices", "value": {"choices": ["none"]}},
                ],
            },
        ],
    }
]
ARGILLA: list[dict[str, Any]] = [
    {
        "id": "q1",
        "fields": {"problem": PROBLEM["problem"], "steps": "\n".join(PROBLEM["steps"])},
        "responses": {
            "first_mistake": [
                {"value": "1", "user_id": "ann", "status": "submitted"},
                {"value": "none", "user_id": "bo", "status": "submitted"},
                {"value": "0", "user_id": "cy", "status": "draft"},
            ]
        },
    }
]


def refusals(path: Path, format: str, limits: Limits = Limits()) -> list[BadRecord]:  # noqa: B008 - frozen
    errors: list[BadRecord] = []
    assert not list(formats.read(path, format, on_error=errors.append, limits=limits))
    return errors


@pytest.mark.parametrize(
    ("records", "tool"),
    [([PROBLEM], ""), (STUDIO, ", as Label Studio exports it"), (ARGILLA, ", as Argilla exports it")],
)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_file_that_is_one_array_is_one_error_that_says_whose_it_is(
    tmp_path: Path, records: list[dict[str, Any]], tool: str, indent: int | None, compress: Any
):
    path = tmp_path / "export.json"
    path.write_bytes(compress(json.dumps(records * 30, indent=indent).encode()))
    (error,) = refusals(path, "annotated")
    assert f":1: one JSON array over the whole file{tool}, expected one JSON object a line" in str(error)
    assert CONVERSION in str(error)
    with pytest.raises(BadRecord, match="one JSON array over the whole file"):
        formats.format_of(path, None)


def test_an_array_on_a_line_longer_than_a_record_may_be_is_still_told(tmp_path: Path):
    path = tmp_path / "export.json"
    path.write_text(json.dumps([PROBLEM] * 100))
    (error,) = refusals(path, "records", Limits(line_bytes=1000))
    assert "one JSON array" in str(error)


@pytest.mark.parametrize(("records", "tool"), [(STUDIO, "Label Studio"), (ARGILLA, "Argilla")])
@pytest.mark.parametrize("format", ["annotated", "records", "processbench", "prm800k", "stepwise"])
def test_lines_of_another_tool_are_one_error_that_says_whose_they_are(
    tmp_path: Path, records: list[dict[str, Any]], tool: str, format: str
):
    path = tmp_path / "export.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records * 3))
    (error,) = refusals(path, format)
    assert f":1: a record of {tool}, expected one of the format {format}" in str(error)
    with pytest.raises(BadRecord, match=f"a record of {tool}"):
        formats.format_of(path, None)


def test_lines_of_another_format_are_one_error_that_names_it(tmp_path: Path):
    path = tmp_path / "own.jsonl"
    line = {"id": "a", "problem": "1 + 1 =", "steps": ["2"], "final_answer_correct": True, "label": -1}
    path.write_text((json.dumps(line) + "\n") * 3)
    (error,) = refusals(path, "prm800k")
    assert str(error).endswith(":1: a line of the format processbench, expected one of the format prm800k")


def conversion(heading: str) -> str:
    found = re.search(rf"^### {heading}\n.*?^```python\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    assert found, heading
    return found[1]


def converted(folder: Path, heading: str, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    (folder / "export.json").write_text(json.dumps(records))
    subprocess.run([sys.executable, "-c", conversion(heading)], cwd=folder, check=True)
    return [json.loads(line) for line in (folder / "own.jsonl").read_text().splitlines()]


def test_the_conversion_of_an_array_writes_a_line_for_each_record(tmp_path: Path):
    assert converted(tmp_path, "A JSON array", [PROBLEM, PROBLEM]) == [PROBLEM, PROBLEM]


@pytest.mark.parametrize(
    ("heading", "records", "labelers"),
    [("Label Studio", STUDIO, ["3", "bo@x"]), ("Argilla", ARGILLA, ["ann", "bo"])],
)
def test_the_conversion_of_a_tool_keeps_everybody_s_finished_looks(
    tmp_path: Path, heading: str, records: list[dict[str, Any]], labelers: list[str]
):
    converted(tmp_path, heading, records)
    found = list(formats.read(tmp_path / "own.jsonl", "annotated"))
    assert [one.solution.steps for one in found] == [tuple(PROBLEM["steps"])] * 2
    looks = [one.annotation for one in found if one.annotation]
    assert [look.labeler.removeprefix("imported:") for look in looks] == labelers
    assert [look.first_mistake for look in looks] == [1, None]


def test_a_record_that_nobody_answered_and_blank_lines_between_steps_convert_too(tmp_path: Path):
    unanswered = {**ARGILLA[0], "responses": None}
    spaced = {"problem": PROBLEM["problem"], "steps": "\nWe add.\n\nThe sum is 4.\n"}
    converted(tmp_path, "Argilla", [unanswered, {**ARGILLA[0], "id": "q2", "fields": spaced}])
    first, *looks = formats.read(tmp_path / "own.jsonl", "annotated")
    assert first.annotation is None
    assert [look.solution.steps for look in looks] == [tuple(PROBLEM["steps"])] * 2


def test_a_relation_between_regions_is_no_choice(tmp_path: Path):
    relation = {"from_id": "a", "to_id": "b", "type": "relation", "direction": "right"}
    (task,) = STUDIO
    looks = [{**look, "result": [relation, *look["result"]]} for look in task["annotations"]]
    converted(tmp_path, "Label Studio", [{**task, "annotations": looks}])
    assert len(list(formats.read(tmp_path / "own.jsonl", "annotated"))) == 2
