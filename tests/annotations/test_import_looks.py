"""Several people's looks at one solution on a line, in files with and without ids of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from labelsite.annotations.import_refusals import Differs
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation
from labelsite.problems.models import Solution
from ml import formats

pytestmark = pytest.mark.django_db


def written(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def looked_at(problem: str, **first_mistakes: int | None) -> dict[str, Any]:
    looks = [
        {"annotator": name, "first_mistake": first, "created_at": f"2026-01-0{place}T00:00:00Z"}
        for place, (name, first) in enumerate(first_mistakes.items(), 1)
    ]
    return {"problem": problem, "steps": ["one", "two"], "annotations": looks}


def test_looks_on_a_line_without_an_id_belong_to_one_solution_wherever_the_line_stands(
    tmp_path: Path,
) -> None:
    line, other = looked_at("1 + 1?", kim=1, lee=None), looked_at("2 + 2?", kim=0)
    summary = import_file(written(tmp_path / "a.jsonl", line), "annotated", "C")
    assert (summary.solutions, summary.new_annotations, Solution.objects.count()) == (1, 2, 1)
    again = import_file(written(tmp_path / "b.jsonl", other, line), "annotated", "C")
    assert (again.new_solutions, again.new_annotations) == (1, 1)
    assert Annotation.objects.count() == 3


def test_two_people_who_corrected_themselves_are_both_revised(tmp_path: Path) -> None:
    import_file(written(tmp_path / "a.jsonl", looked_at("1 + 1?", kim=1, lee=None)), "annotated", "C")
    corrected = written(tmp_path / "b.jsonl", looked_at("1 + 1?", kim=0, lee=1))
    with pytest.raises(Differs):
        import_file(corrected, "annotated", "C")
    assert import_file(corrected, "annotated", "C", revises=True).revised == 2
    live = Annotation.objects.filter(is_live=True).order_by("annotator__username")
    assert list(live.values_list("trajectory", "revision")) == [([-1], 2), ([1, -1], 2)]


def test_looks_of_several_people_on_lines_of_their_own_are_at_one_solution_in_any_order(
    tmp_path: Path,
) -> None:
    ann, bo, cy = (
        looked_at("1 + 1?", **{name: first}) for name, first in (("ann", 0), ("bo", 1), ("cy", None))
    )
    first = import_file(written(tmp_path / "a.jsonl", ann, bo), "annotated", "C")
    more = import_file(written(tmp_path / "b.jsonl", cy, ann, bo), "annotated", "C")
    swapped = import_file(written(tmp_path / "c.jsonl", bo, cy, ann), "annotated", "C")
    summaries = [(one.new_solutions, one.new_annotations) for one in (first, more, swapped)]
    assert summaries == [(1, 2), (0, 1), (0, 0)]
    said = Annotation.objects.values_list("annotator__username", "trajectory")
    assert sorted(said) == [("imported:ann", [-1]), ("imported:bo", [1, -1]), ("imported:cy", [1, 1])]


def test_lines_of_several_people_may_each_have_keys_of_their_own(tmp_path: Path) -> None:
    ann, bo = ({**looked_at("1 + 1?", **{name: 0}), "session": name} for name in ("ann", "bo"))
    first = import_file(written(tmp_path / "a.jsonl", ann, bo), "annotated", "C")
    again = import_file(written(tmp_path / "b.jsonl", bo, ann), "annotated", "C")
    assert [(one.new_solutions, one.new_annotations) for one in (first, again)] == [(1, 2), (0, 0)]
    assert Solution.objects.get().extra["metadata"] == {"session": "ann"}


@pytest.mark.parametrize("size", [1, 2000])
def test_of_lines_without_ids_the_first_says_what_is_known_of_their_solution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("labelsite.problems.services.BATCH_SOLUTIONS", size)
    ann, bo = (looked_at("1 + 1?", **{name: 0}) for name in ("ann", "bo"))
    path = written(tmp_path / "a.jsonl", {**ann, "is_correct": True}, {**bo, "is_correct": False})
    first, again = (import_file(path, "annotated", "C") for _ in range(2))
    assert [(one.new_solutions, one.new_annotations) for one in (first, again)] == [(1, 2), (0, 0)]
    assert Solution.objects.get().is_correct is True


def test_who_looked_twice_at_the_same_content_looked_at_two_solutions(tmp_path: Path) -> None:
    ann, both = looked_at("1 + 1?", ann=0), looked_at("1 + 1?", bo=1, ann=None)
    first = import_file(written(tmp_path / "a.jsonl", ann, both), "annotated", "C")
    assert (first.new_solutions, first.new_annotations) == (2, 3)
    again = import_file(
        written(tmp_path / "b.jsonl", looked_at("2 + 2?", ann=0), ann, both), "annotated", "C"
    )
    assert (again.new_solutions, again.new_annotations) == (1, 1)


@pytest.mark.parametrize("finish_reason", ["give_up", "bad_problem"])
def test_who_gives_up_at_a_mistake_breaks_the_rule_that_the_file_s_reader_names(
    tmp_path: Path, finish_reason: str
) -> None:
    look = {"annotator": "kim", "ratings": [1, -1], "finish_reason": finish_reason, "reason": "tired"}
    path = written(
        tmp_path / "a.jsonl", {"problem": "1 + 1?", "steps": ["one", "two"], "annotations": [look]}
    )
    (read,) = formats.read(path, "annotated")
    import_file(path, "annotated", "C")
    assert read.broken_rule == Annotation.objects.get().broken_rule == "exit_with_mistake"


def test_what_a_line_says_of_its_solution_is_one_difference_however_many_looked(tmp_path: Path) -> None:
    line = looked_at("1 + 1?", kim=1, lee=None)
    import_file(written(tmp_path / "a.jsonl", line), "annotated", "C")
    answered = written(tmp_path / "b.jsonl", {**line, "final_answer": "2"})
    with pytest.raises(Differs, match=r"1 record differs from what is stored \(line 1\)"):
        import_file(answered, "annotated", "C")
    assert import_file(answered, "annotated", "C", revises=True).revised == 1


def test_looks_that_two_batches_share_are_at_one_solution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labelsite.problems.services.BATCH_SOLUTIONS", 2)
    path = written(
        tmp_path / "a.jsonl", looked_at("1 + 1?", kim=1, lee=None, ann=0), looked_at("2 + 2?", kim=0)
    )
    summary = import_file(path, "annotated", "C")
    assert (summary.solutions, summary.new_solutions, summary.new_annotations) == (2, 2, 4)
