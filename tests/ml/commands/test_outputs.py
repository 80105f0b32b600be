"""A command whose result could not be written says so before it begins to work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ml.__main__ import main

pytest.importorskip("torch")


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    path = tmp_path / "solutions.jsonl"
    path.write_text(
        json.dumps({"id": "one", "problem": "?", "answer": "1", "steps": ["```python\nprint(1)\n```"]}) + "\n"
    )
    return path


@pytest.mark.parametrize("verb", ["sample", "solve", "execute", "score"])
def test_a_result_that_would_be_a_folder_is_refused_before_the_work(
    verb: str, solutions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    for work in (
        "ml.commands.sample.load_policy", "ml.commands.solve.load_policy",
        "ml.commands.execute.outcomes_of", "ml.prm.load_scorer",
    ):  # fmt: skip
        monkeypatch.setattr(work, lambda *_: pytest.fail("worked"))
    given = ["--solutions", str(solutions), "--format", "records"]
    arguments = {
        "sample": ["--problems", "pocket:1"],
        "solve": ["--problems", "pocket:1", "--method", "self-consistency"],
        "execute": given,
        "score": [*given, "--checkpoint", str(tmp_path / "checkpoint")],
    }
    out = tmp_path / "out"
    out.mkdir()
    assert main([verb, *arguments[verb], "--out", str(out)]) == 1
    told = capsys.readouterr().err
    assert told == f"python -m ml {verb}: {out} is a folder, expected the name of a file to write\n"
    assert list(out.iterdir()) == []


def test_a_snapshot_wants_a_folder_with_a_name(
    solutions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert main(["snapshot", "--solutions", str(solutions), "--out", "."]) == 1
    assert capsys.readouterr().err == "python -m ml snapshot: --out ., expected a folder's name\n"


@pytest.mark.parametrize("verb", ["sample", "solve", "execute", "score", "evaluate"])
def test_a_command_never_writes_over_what_it_reads(verb: str, solutions: Path, capsys) -> None:
    before, given = solutions.read_text(), str(solutions)
    arguments = {
        "sample": ["--problems", given],
        "solve": ["--problems", given, "--method", "self-consistency"],
        "execute": ["--solutions", given],
        "score": ["--solutions", given, "--checkpoint", "checkpoint"],
        "evaluate": ["first-mistake", "--solutions", given, "--scores", given],
    }
    # The same file, by another name.
    out = solutions.with_name("link.jsonl")
    out.symlink_to(solutions)
    assert main([verb, *arguments[verb], "--out", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"python -m ml {verb}: {out} is what this command reads")
    assert solutions.read_text() == before
