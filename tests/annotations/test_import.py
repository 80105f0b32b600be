"""Importing files through the management command: whole or not at all, once, and without loss."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from labelsite.accounts.models import User
from labelsite.annotations.importers import lines_in
from labelsite.annotations.models import Annotation, StepRating
from labelsite.campaigns.models import Campaign, Task
from labelsite.problems.models import Problem, Solution, Step
from labelsite.snapshots.annotation_lines import annotations_of, prm800k_lines
from ml import formats
from tests.data import real_data
from tests.factories import make_campaign

pytestmark = pytest.mark.django_db

TABLES = (Problem, Solution, Step, Task, Annotation, StepRating, Campaign, User)


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in TABLES}


def run(path: Path, format: str, campaign: str = "C", **options: object) -> None:
    options = {"create_campaign": True, **options}
    call_command("import_solutions", str(path), format=format, campaign=campaign, **options)


def processbench_line(index: int, label: int = -1) -> str:
    record = {
        "id": f"gsm8k-{index}",
        "generator": "a model",
        "problem": f"What is {index} + 1?",
        "steps": ["We add one.", f"The answer is {index + 1}."],
        "final_answer_correct": label == -1,
        "label": label,
    }
    return json.dumps(record)


@pytest.fixture
def small_file(tmp_path: Path) -> Path:
    path = tmp_path / "small.jsonl"
    path.write_text("".join(processbench_line(index, index % 3 - 1) + "\n" for index in range(6)))
    return path


def test_labels_become_annotations_of_a_machine_user_that_cannot_log_in(small_file: Path):
    run(small_file, "processbench")
    machine = User.objects.get(username="imported:processbench")
    assert machine.is_machine and not machine.has_usable_password()
    annotations = list(Annotation.objects.order_by("task__solution_id"))
    assert [annotation.annotator_id for annotation in annotations] == [machine.pk] * 6
    assert [(a.finish_reason, a.trajectory) for a in annotations[:3]] == [
        ("solution", [1, 1]),
        ("found_error", [-1]),
        ("found_error", [1, -1]),
    ]
    assert list(annotations[2].ratings.order_by("step__position").values_list("rating", flat=True)) == [1, -1]


def test_an_imported_annotation_uses_up_none_of_the_looks_of_people(small_file: Path):
    make_campaign("C", overlap=3)
    run(small_file, "processbench")
    assert set(Task.objects.values_list("state", "overlap", "remaining", "kind")) == {("open", 3, 3, "work")}


def test_tasks_come_in_the_order_of_the_file(small_file: Path):
    run(small_file, "processbench")
    names = Task.objects.order_by("id").values_list("solution__external_id", flat=True)
    assert list(names) == [f"gsm8k-{index}" for index in range(6)]


def test_importing_the_same_file_twice_adds_nothing(small_file: Path):
    run(small_file, "processbench")
    before = counts()
    run(small_file, "processbench")
    assert counts() == before


def test_a_longer_version_of_a_file_adds_only_what_is_new(small_file: Path):
    run(small_file, "processbench")
    small_file.write_text(small_file.read_text() + processbench_line(99) + "\n")
    run(small_file, "processbench")
    assert Solution.objects.count() == Task.objects.count() == Annotation.objects.count() == 7


def test_another_campaign_shares_the_solutions_and_has_its_own_tasks(small_file: Path):
    run(small_file, "processbench", "First")
    run(small_file, "processbench", "Second")
    assert Solution.objects.count() == 6
    assert Task.objects.count() == Annotation.objects.count() == 12
    assert StepRating.objects.count() == 2 * sum(len(a.trajectory) for a in Annotation.objects.all()[:6])


def test_a_dry_run_says_what_it_would_add_and_keeps_nothing(small_file: Path, capsys: pytest.CaptureFixture):
    before = counts()
    run(small_file, "processbench", dry_run=True)
    assert "would add 6 solutions, 6 tasks and 6 annotations" in capsys.readouterr().out
    assert counts() == before


def bad_files() -> Iterator[tuple[str, str, bytes, str]]:
    good = processbench_line(1).encode() + b"\n"
    yield "a broken line", "processbench", good + b'{"id": \n' + good, "broken.jsonl:2: broken JSON"
    yield "a wrong format", "mr_gsm8k", good, "broken.jsonl:1:"
    yield "an empty file", "processbench", b"", "broken.jsonl:1: an empty file"
    yield "invalid UTF-8", "processbench", good + b'{"id": "\xff"}\n', "broken.jsonl:2: invalid UTF-8"
    yield (
        "a NUL",
        "processbench",
        good.replace(b"We add", b"We \\u0000add"),
        "broken.jsonl:1: a NUL character",
    )
    yield "a label too large", "processbench", good.replace(b'"label": -1', b'"label": 2'), "broken.jsonl:1:"


@pytest.mark.parametrize(
    ("format", "content", "message"), [pytest.param(*case[1:], id=case[0]) for case in bad_files()]
)
def test_a_bad_file_is_refused_with_its_line_and_leaves_no_row(
    tmp_path: Path, format: str, content: bytes, message: str
):
    path = tmp_path / "broken.jsonl"
    path.write_bytes(content)
    before = counts()
    with pytest.raises(CommandError) as refusal:
        run(path, format)
    assert message in str(refusal.value)
    assert "expected" in str(refusal.value)
    assert counts() == before


def test_a_line_of_200_megabytes_is_refused_in_bounded_memory(tmp_path: Path):
    path = tmp_path / "long.jsonl"
    with path.open("wb") as stream:
        stream.write(processbench_line(1).encode() + b"\n")
        stream.write(b'{"id": "')
        for _ in range(200):
            stream.write(b"x" * 2**20)
        stream.write(b'"}\n')
    before = counts()
    with pytest.raises(CommandError, match=r"long.jsonl:2: a line longer than 16 MiB"):
        run(path, "processbench")
    assert counts() == before


def test_a_gzip_bomb_is_refused(tmp_path: Path):
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(64):
            stream.write(b" " * (2**20 - 1) + b"\n")
    before = counts()
    with pytest.raises(CommandError, match=r"bomb.jsonl.gz:\d+: gzip data that grows more than 200-fold"):
        run(path, "processbench")
    assert counts() == before


def test_an_honest_gzip_file_is_read(tmp_path: Path, small_file: Path):
    path = tmp_path / "small.jsonl.gz"
    path.write_bytes(gzip.compress(small_file.read_bytes()))
    run(path, "processbench")
    assert Solution.objects.count() == 6


def test_the_first_twenty_bad_lines_are_shown_and_all_are_counted(tmp_path: Path):
    path = tmp_path / "bad.jsonl"
    path.write_text(processbench_line(1) + "\n" + "{}\n" * 45)
    with pytest.raises(CommandError) as refusal:
        run(path, "processbench")
    lines = str(refusal.value).splitlines()
    assert [line.split(":")[1] for line in lines[:20]] == [str(number) for number in range(2, 22)]
    assert lines[20:] == ["... and 25 more", "45 bad lines; nothing was imported"]


def test_the_checkers_verdict_is_gold_and_marked_as_the_checkers(tmp_path: Path):
    path = tmp_path / "samples.jsonl"
    entries = [
        {"steps": ["A = 1", "So 1"], "final_answer": "1", "is_correct": True, "first_mistake": None},
        {"steps": ["A = 2", "So 2"], "final_answer": "2", "is_correct": False, "first_mistake": 0},
        {"steps": ["A = 1", "So 3"], "final_answer": "3", "is_correct": False},
    ]
    path.write_text(json.dumps({"id": "p1", "problem": "1 =", "answer": "1", "solutions": entries}) + "\n")
    run(path, "misstep")
    tasks = list(Task.objects.order_by("id"))
    assert [(task.gold, task.gold_source) for task in tasks] == [
        ([-1], "checker"),
        ([0], "checker"),
        (None, ""),
    ]
    assert Annotation.objects.filter(annotator__username="imported:checker").count() == 2


@pytest.mark.parametrize(
    ("name", "format", "solutions"),
    [
        ("processbench/gsm8k.jsonl", "processbench", 204),
        ("processbench/math.jsonl", "processbench", 489),
        ("prm800k/samples_raw.jsonl", "prm800k", 6),
        ("prm800k/phase1_train.jsonl", "prm800k", 942),
        ("big_bench_mistake/dyck_languages.jsonl", "big_bench_mistake", 488),
        ("big_bench_mistake/logical_deduction.jsonl", "big_bench_mistake", 154),
        ("big_bench_mistake/multistep_arithmetic.jsonl", "big_bench_mistake", 152),
        ("big_bench_mistake/tracking_shuffled_objects.jsonl", "big_bench_mistake", 151),
        ("big_bench_mistake/word_sorting.jsonl", "big_bench_mistake", 142),
        ("mr_gsm8k/mr_gsm8k.jsonl", "mr_gsm8k", 311),
        ("gsm8k/example_model_solutions.jsonl", "gsm8k_solutions", 1319 * 4),
    ],
)
def test_every_real_file_imports_whole_and_only_once_and_prm800k_comes_back_field_for_field(
    name: str, format: str, solutions: int
):
    path = real_data(name)
    run(path, format)
    assert Task.objects.count() == Solution.objects.count() == solutions
    labelled = [record for record in formats.read(path, format) if record.annotation]
    assert Annotation.objects.count() == len(labelled)
    ratings = sum(len(record.annotation.ratings) for record in labelled if record.annotation)
    assert StepRating.objects.count() == ratings
    before = counts()
    run(path, format)
    assert counts() == before
    if format == "prm800k":
        written = prm800k_lines(annotations_of(Campaign.objects.get()))
        lines = path.read_text().splitlines()
        assert [json.loads(json.dumps(record)) for record in written] == [json.loads(line) for line in lines]


@pytest.mark.parametrize(("text", "lines"), [("", 0), ("{}", 1), ("{}\n", 1), ("{}\n{}", 2), ("\n{}\n", 2)])
def test_a_file_has_as_many_lines_as_an_import_will_reach(text: str, lines: int, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_text(text)
    assert lines_in(path) == lines


def test_answers_that_a_file_does_not_grade_are_graded_once(tmp_path: Path) -> None:
    def line(answer: str | None) -> str:
        steps = {"problem": f"What makes {answer}?", "answer": "1/2", "steps": ["One step."]}
        return json.dumps({**steps, "final_answer": answer})

    path = tmp_path / "own.jsonl"
    path.write_text("\n".join(map(line, ("0.5", "3", None))))
    run(path, "records")
    found = Solution.objects.order_by("pk").values_list("final_answer", "is_correct")
    assert list(found) == [("0.5", True), ("3", False), (None, None)]
    before = counts()
    # The file says nothing of it, so it does not contradict what was found.
    run(path, "records")
    assert counts() == before
