"""Snapshots: whole or absent, hashed, split by problem, and refused when a row cannot be trained on."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace

import pytest

from ml import snapshot
from ml.errors import MisstepError
from ml.snapshot import (
    SnapshotRow,
    combined_hash,
    leaked_problems,
    problem_hash,
    read_snapshot,
    split_of,
    write_snapshot,
)


def row(name: str = "a", **changes) -> SnapshotRow:
    plain = SnapshotRow(
        id=name,
        problem_id=name,
        problem=f"What is 1 + {name}?",
        steps=["One.", "Two."],
        split="train",
        labels=[1.0, 0.0],
        label_source=["human", "human"],
        first_mistake=1,
    )
    return replace(plain, **changes)


def test_what_was_frozen_is_what_is_read(tmp_path):
    rows = [row(str(k)) for k in range(5)]
    manifest = write_snapshot(tmp_path / "s", rows, rows_per_part=2, name="five", labels="human")
    snapshot = read_snapshot(tmp_path / "s")
    assert list(snapshot) == rows
    assert [part["rows"] for part in manifest["parts"]] == [2, 2, 1]
    assert snapshot.sha256 == combined_hash(part["sha256"] for part in manifest["parts"])
    assert manifest["counts"] == {
        "rows": 5, "steps": 10, "labelled_steps": 10, "train": 5, "validation": 0, "test": 0,
    }  # fmt: skip


def test_a_manifest_elsewhere_names_the_snapshot_and_the_folder_s_parts_are_verified_by_it(tmp_path):
    manifest = write_snapshot(tmp_path / "s", [row()], name="first")
    own = tmp_path / "own.json"
    own.write_text(json.dumps({**manifest, "name": "second"}))
    snapshot = read_snapshot(tmp_path / "s", own)
    assert (snapshot.manifest["name"], len(list(snapshot))) == ("second", 1)
    own.write_text(json.dumps({**manifest, "sha256": "0" * 64}))
    with pytest.raises(MisstepError, match=r"own\.json: sha256 0+, expected"):
        read_snapshot(tmp_path / "s", own)
    own.write_text("[]")
    with pytest.raises(MisstepError, match=r"own\.json: format \(None, None\), expected"):
        read_snapshot(tmp_path / "s", own)


def test_the_same_rows_give_the_same_hash(tmp_path):
    one = write_snapshot(tmp_path / "one", [row()], name="one")
    two = write_snapshot(tmp_path / "two", [row()], name="two")
    assert one["sha256"] == two["sha256"]


def test_a_changed_byte_is_noticed(tmp_path):
    write_snapshot(tmp_path / "s", [row()])
    part = tmp_path / "s" / "parts" / "part-00000.jsonl"
    part.write_text(part.read_text().replace("0.0", "1.0"))
    with pytest.raises(MisstepError, match=r"part-00000.jsonl: sha256 \w+, expected \w+"):
        read_snapshot(tmp_path / "s")


def test_a_part_outside_the_folder_is_never_read(tmp_path):
    write_snapshot(tmp_path / "s", [row()])
    manifest_path = tmp_path / "s" / "manifest.json"
    manifest = json.loads(manifest_path.read_text())
    manifest["parts"][0]["file"] = "../elsewhere.jsonl"
    manifest_path.write_text(json.dumps(manifest))
    (tmp_path / "elsewhere.jsonl").write_text("secret")
    with pytest.raises(MisstepError, match="outside"):
        read_snapshot(tmp_path / "s")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"labels": [1.0]}, "1 labels for 2 steps"),
        ({"labels": [1.0, math.nan]}, "label nan at step 1"),
        ({"labels": [1.0, 2.0]}, r"label 2.0 at step 1"),
        ({"labels": [1.0, True]}, "label True at step 1"),
        ({"label_source": ["human", "oracle"]}, "label source"),
        ({"steps": [], "labels": [], "label_source": []}, "no steps"),
        ({"steps": ["One.", "  "]}, "step 1 is empty"),
        ({"split": "exam"}, "split 'exam'"),
        ({"human": {"ratings": [1]}}, "1 ratings for 2 steps"),
        ({"human": {"ratings": [1, 2]}}, r"ratings \[1, 2\]"),
        ({"automatic": {"soft": [1.0, math.inf]}}, "automatic soft"),
        ({"options": [{"position": 3, "text": "No."}]}, "an alternative at position 3"),
        ({"options": [{"position": True, "text": "No."}]}, "an alternative at position True"),
        ({"options": [{"position": 0, "text": "No.", "rating": True}]}, "rating True of an alternative"),
        ({"is_correct": "wrong"}, "is_correct 'wrong'"),
        ({"label_source": ["human", None]}, "a label without a source at step 1"),
        ({"first_mistake": 2}, "first mistake 2 of 2 steps"),
        ({"first_mistake": -1}, "first mistake -1 of 2 steps"),
        ({"first_mistake": True}, "first mistake True of 2 steps"),
        ({"human": {"first_mistake": 5}}, "human first_mistake 5 of 2 steps"),
        ({"human": {"first_mistake": -1}}, "human first_mistake -1"),
        ({"human": {"first_mistake": 1.0}}, "human first_mistake 1.0"),
        ({"human": {"witnesses": {"a": None, "b": 2}}}, "witness b: first mistake 2 of 2 steps"),
        ({"human": {"witnesses": {"a": False}}}, "witness a: first mistake False"),
        ({"human": {"ratings": [1, True]}}, r"ratings \[1, True\]"),
        ({"human": {"annotators": -1}}, "-1 annotators"),
        ({"human": {"allowed": [1, None, 2]}}, "allowed place 2 of 2 steps"),
        ({"human": {"posterior": [0.5, 1.5]}}, "posterior"),
        ({"automatic": {"visits": [2, 2], "correct": [3, 2]}}, "3 correct of 2 visits at step 0"),
        ({"automatic": {"visits": [2, 0], "correct": [2, 1]}}, "1 correct of 0 visits at step 1"),
        ({"automatic": {"correct": [1, 1]}}, "1 correct of 0 visits at step 0"),
        ({"automatic": {"visits": [2, 2], "correct": [2, None]}}, "2 visits without a count of correct ones"),
        ({"automatic": {"visits": [2, -1], "correct": [2, 0]}}, "automatic visits"),
        ({"automatic": {"visits": [2.0, 2], "correct": [2, 0]}}, "automatic visits"),
        ({"automatic": {"visits": [2, True], "correct": [2, 0]}}, "automatic visits"),
        ({"automatic": {"hard": [1, -1]}}, "automatic hard"),
        ({"automatic": {"soft": [1.0, 1.01]}}, "automatic soft"),
        ({"automatic": {"quality_value": [0.5, -0.1]}}, "automatic quality_value"),
        ({"automatic": {"q_value": [0.5, -1.1]}}, "automatic q_value"),
        ({"options": [{"position": 0, "rating": 1}]}, "at position 0 without text"),
        ({"options": [{"position": 0, "text": "No.", "rating": 2}]}, "rating 2 of an alternative"),
        ({"options": [{"position": 0, "text": "No.", "q_value": math.nan}]}, "q_value nan of an alternative"),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_refused_and_nothing_is_left(tmp_path, change, complaint):
    with pytest.raises(MisstepError, match=f"record bad: .*{complaint}"):
        write_snapshot(tmp_path / "s", [row("good"), row("bad", **change)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"human": {"witnesses": ["a"]}}, "malformed evidence"),
        ({"human": {"ratings": 5}}, "malformed evidence"),
        ({"human": {"allowed": 1}}, "malformed evidence"),
        ({"human": ["a"]}, "malformed evidence"),
        ({"automatic": {"visits": 4}}, "malformed evidence"),
        ({"automatic": [1, 0]}, "malformed evidence"),
        ({"options": ["No."]}, "malformed evidence"),
        ({"labels": 1.0}, "malformed evidence"),
        ({"labels": [10**400, 0]}, "label 10+ at step 0"),
        ({"problem": 5}, "problem 5, expected a text"),
        ({"problem_id": 5}, "problem_id 5, expected a text"),
        ({"automatic": {"method": ["rstar"]}}, r"method \['rstar'\], expected a text or null"),
    ],
)
def test_evidence_of_another_shape_is_refused_with_its_row_in_writing_and_in_reading(
    tmp_path, change, complaint
):
    rows = [row("good"), row("bad", **change)]
    with pytest.raises(MisstepError, match=f"record bad: {complaint}"):
        write_snapshot(tmp_path / "s", rows)
    part = tmp_path / "part.jsonl"
    part.write_text("".join(json.dumps(vars(one)) + "\n" for one in rows))
    with pytest.raises(MisstepError, match=rf"part\.jsonl:2: record bad: {complaint}"):
        list(snapshot._read_part(part))


def test_what_people_and_searches_can_say_is_frozen(tmp_path):
    people = {"ratings": [1, 0], "first_mistake": None, "witnesses": {"a": None, "b": 1}, "annotators": 2}
    rollouts = {
        "visits": [0, 4], "correct": [0, 4], "q_value": [None, -1.0], "hard": [1, 1], "soft": [None, 1.0],
        "quality_value": [0.5, 1.0], "method": "omegaprm",
    }  # fmt: skip
    rows = [
        row("a", human=people, automatic=rollouts),
        row("b", automatic={"visits": [None, 1], "soft": [1, 0]}),
    ]
    write_snapshot(tmp_path / "s", rows)
    assert list(read_snapshot(tmp_path / "s")) == rows


@pytest.mark.parametrize("parts", [{}, {"parts": 3}, {"parts": [{}]}, {"parts": [{"file": "a"}]}])
def test_a_manifest_without_its_parts_is_refused(tmp_path, parts):
    head = {"format": "misstep-snapshot", "version": 1}
    (tmp_path / "manifest.json").write_text(json.dumps(head | parts))
    with pytest.raises(MisstepError, match="no list of parts"):
        read_snapshot(tmp_path)


def test_a_folder_in_use_is_left_alone(tmp_path):
    write_snapshot(tmp_path / "s", [row()])
    before = (tmp_path / "s" / "manifest.json").read_bytes()
    with pytest.raises(MisstepError, match="already holds files"):
        write_snapshot(tmp_path / "s", [row("other")])
    assert (tmp_path / "s" / "manifest.json").read_bytes() == before
    (tmp_path / "file").touch()
    with pytest.raises(MisstepError, match="already holds files"):
        write_snapshot(tmp_path / "file", [row()])


def test_the_split_depends_on_the_problem_and_not_on_how_it_is_typed():
    assert split_of("What is  1 + 2?") == split_of("what is 1 + 2? ") == split_of("What is 1 + 2?")
    assert problem_hash("1 - 2") != problem_hash("1 + 2")
    # It may merge two problems, and never parts one.
    assert problem_hash("5² + 1") == problem_hash("52 + 1") == problem_hash("５２ +1")
    shares = [split_of(f"What is {k} + {k}?") for k in range(2000)]
    assert 0.75 < shares.count("train") / 2000 < 0.85
    assert 0.07 < shares.count("test") / 2000 < 0.13


def test_a_problem_in_two_splits_is_found():
    rows = [row("a"), row("b", problem="WHAT is 1 + a?", split="test"), row("c")]
    assert leaked_problems(rows) == {problem_hash("What is 1 + a?"): {"train", "test"}}
    assert leaked_problems([row("a"), row("c")]) == {}


def test_a_part_is_written_line_by_line_and_never_held_whole(tmp_path):
    long = row("long", steps=["x" * 100_000], labels=[1.0], label_source=["human"], first_mistake=None)
    tracemalloc.start()
    try:
        write_snapshot(tmp_path / "snapshot", (replace(long, id=str(k)) for k in range(100)))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_rows_that_fill_their_parts_are_followed_by_no_empty_one(tmp_path, count):
    rows = [row(str(k)) for k in range(count)]
    manifest = write_snapshot(tmp_path / "snapshot", rows, rows_per_part=2)
    assert [part["rows"] for part in manifest["parts"]] == {0: [0], 1: [1], 4: [2, 2], 5: [2, 2, 1]}[count]
    assert list(read_snapshot(tmp_path / "snapshot")) == rows
