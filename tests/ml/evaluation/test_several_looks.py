"""Several people's looks at one solution are measured against as a snapshot of the same file decides them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml.commands.evaluate import main
from ml.commands.snapshot import main as freeze
from ml.evaluation.truths import NoTruth, truths
from ml.formats import read
from ml.snapshot import read_snapshot
from ml.targets import has_verdict

GAVE_UP = {"ratings": [1], "finish_reason": "give_up", "reason": "too long"}
BAD = {"ratings": [1], "finish_reason": "bad_problem", "reason": "no question"}
# What people said of a solution each, and what that comes to.
CASES: list[tuple[list[Any], Any]] = [
    ([1, 1, None], 1),
    ([None, 2], 2),
    ([2, 1, None], 1),
    ([None, None, 0], None),
    ([1, GAVE_UP], 1),
    ([{"ratings": [1, 0, -1]}, {"ratings": [1, 1, 0]}, {"ratings": [0, 1, 1]}], None),
    ([1, BAD, BAD], NoTruth.UNDECIDED),
    ([GAVE_UP, GAVE_UP], NoTruth.UNDECIDED),
    ([], NoTruth.UNLABELLED),
]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """The cases, as a file of one's own labels."""
    lines = [
        {
            "id": f"p{number}",
            "problem": f"What is 1 + {number}?",
            "steps": ["one", "two", "three"],
            "annotations": [
                {
                    "annotator": f"annotator_{k}",
                    **(said if isinstance(said, dict) else {"first_mistake": said}),
                }
                for k, said in enumerate(looks)
            ],
        }
        for number, (looks, _) in enumerate(CASES)
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_majority_decides_on_a_tie_the_earliest_and_some_come_to_no_decision(own: Path) -> None:
    assert [truth for _, truth in truths(read(own, "annotated"))] == [expected for _, expected in CASES]


def test_a_snapshot_of_the_file_decides_the_same(own: Path, tmp_path: Path) -> None:
    given = ["--solutions", str(own), "--format", "annotated", "--out", str(tmp_path / "snapshot")]
    assert freeze(given) == 0
    rows = list(read_snapshot(tmp_path / "snapshot"))
    # What was rated before everybody gave up has labels there, and no first mistake to measure against.
    frozen = {row.id: row.first_mistake for row in rows if has_verdict(row)}
    assert len(rows) == len(frozen) + 1
    known = {one.id: truth for one, truth in truths(read(own, "annotated")) if not isinstance(truth, NoTruth)}
    assert frozen == known


@pytest.mark.parametrize(
    ("kind", "said"), [("first-mistake", {"scores": [0.9, 0.2, 0.9]}), ("critiques", {"critiques": [1]})]
)
def test_solutions_without_a_decision_are_counted_by_themselves_and_left_out(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, said: dict[str, Any]
) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps({"id": f"p{k}", **said}) + "\n" for k in range(len(CASES))))
    assert (
        main([kind, f"--{next(iter(said))}", str(path), "--solutions", str(own), "--format", "annotated"])
        == 0
    )
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (report["count"], report["without_decision"], report["without_label"]) == (6, 2, 1)
    assert (report["count_wrong"], report["count_right"]) == (4, 2)
