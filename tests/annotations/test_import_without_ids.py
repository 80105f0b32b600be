"""Files whose records have no ids of their own: what they hold is known again, on whichever line it stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from labelsite.annotations.import_summary import ImportSummary
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation
from labelsite.problems.identity import solution_digest
from labelsite.problems.models import Solution
from tests.data import real_data
from tests.problems.imported import as_imported

pytestmark = pytest.mark.django_db


def stepwise(number: int) -> dict[str, Any]:
    return {"prompt": f"question {number}", "completions": ["a", "b"], "labels": [True, False]}


def math_shepherd(number: int) -> dict[str, Any]:
    text, label = (
        f"question {number} Step 1: a ки\nStep 2: b ки",
        f"question {number} Step 1: a +\nStep 2: b -",
    )
    return {"input": text, "label": label, "task": "MATH"}


def processbench(number: int) -> dict[str, Any]:
    said = {"final_answer_correct": False, "label": 1}
    return {"problem": f"question {number}", "steps": ["a", "b"], "generator": "m", **said}


def records(number: int) -> dict[str, Any]:
    return {"problem": f"question {number}", "steps": ["a", "b"]}


def misstep(number: int) -> dict[str, Any]:
    return {"problem": f"question {number}", "solutions": [{"steps": ["a"]}, {"steps": ["a"]}]}


def math_aps(number: int) -> dict[str, Any]:
    steps = [{"solution_prefix": f"question {number} a", "mc_value": 0.5}]
    return {"question": f"question {number}", "final_answer": "1", "reasoning_steps": steps}


def prm800k(number: int) -> dict[str, Any]:
    """Lines of one solution, which differ in who looked at it."""
    lines = real_data("prm800k/samples_raw.jsonl").read_text(encoding="utf-8").splitlines()
    return {**json.loads(lines[0]), "labeler": f"labeler {number}"}


WRITERS = {
    writer.__name__: writer
    for writer in (stepwise, math_shepherd, processbench, records, misstep, math_aps, prm800k)
}


def imported(folder: Path, format: str, lines: Sequence[dict[str, Any]]) -> ImportSummary:
    path = folder / "file.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return import_file(path, format, "C")


def store_as_before() -> None:
    """Give every solution the digest that it had when a line's number was part of it."""
    for row, record in as_imported(Solution.objects.all()):
        row.digest = solution_digest(record)
        row.save(update_fields=["digest"])


@pytest.mark.parametrize("was_stored_before", [False, True])
@pytest.mark.parametrize("format", WRITERS)
def test_a_line_put_before_the_others_adds_itself_alone(
    tmp_path: Path, format: str, was_stored_before: bool
) -> None:
    lines = [WRITERS[format](number) for number in range(5)]
    first = imported(tmp_path, format, lines)
    if was_stored_before:
        store_as_before()
    again = imported(tmp_path, format, [WRITERS[format](99), *lines])
    assert again.new_solutions == first.new_solutions // 5
    assert again.new_annotations == first.new_annotations // 5
    labelers = Annotation.objects.filter(extra__has_key="labeler").values_list("extra__labeler", flat=True)
    assert sorted(labelers) == sorted(
        line["labeler"] for line in [WRITERS[format](99), *lines] if "labeler" in line
    )
    assert imported(tmp_path, format, lines).new_solutions == 0
    assert Solution.objects.count() == again.solutions


@pytest.mark.parametrize("was_stored_before", [False, True])
def test_a_line_that_stands_twice_stays_two_however_often_the_file_is_imported(
    tmp_path: Path, was_stored_before: bool
) -> None:
    assert imported(tmp_path, "stepwise", [stepwise(1), stepwise(2), stepwise(1)]).new_solutions == 3
    if was_stored_before:
        store_as_before()
    assert imported(tmp_path, "stepwise", [stepwise(3), stepwise(1), stepwise(1)]).new_solutions == 1
    assert imported(tmp_path, "stepwise", [stepwise(1)] * 3).new_solutions == 1
    assert (Solution.objects.count(), Annotation.objects.count()) == (5, 5)


def test_records_with_ids_of_their_own_are_still_told_apart_by_them(tmp_path: Path) -> None:
    lines = [{**processbench(1), "id": "one"}, {**processbench(1), "id": "two"}]
    assert imported(tmp_path, "processbench", lines).new_solutions == 2
    assert imported(tmp_path, "processbench", lines[::-1]).new_solutions == 0


@pytest.mark.parametrize("format", ["records", "processbench", "misstep"])
def test_a_numeric_id_finds_its_record_also_after_the_same_lines_came_without_ids(
    tmp_path: Path, format: str
) -> None:
    without = [WRITERS[format](number) for number in range(5)]
    with_ids = [{**line, "id": str(number)} for number, line in enumerate(without)]
    first = imported(tmp_path, format, with_ids)
    for lines in (without, with_ids, without[::-1], with_ids, without):
        assert imported(tmp_path, format, lines).new_solutions == 0
    assert Solution.objects.count() == first.new_solutions
