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


FINISHED = {
    "sample": ["--problems", "pocket:2", "--n", "1"],
    "solve": ["--problems", "pocket:2", "--method", "self-consistency", "--trajectories", "1"],
}


@pytest.mark.parametrize("verb", FINISHED)
def test_a_finished_run_that_is_started_again_asks_nothing_and_has_the_same_result(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    out = tmp_path / "out.jsonl"
    command = [verb, *FINISHED[verb], "--out", str(out)]
    assert main(command) == 0
    expected, before = capsys.readouterr().out, out.read_text()
    with monkeypatch.context() as patched:
        patched.setattr("ml.search.walk.Walk.drive", lambda *_: pytest.fail("asked again"))
        assert main(command) == 0
    again = capsys.readouterr()
    assert again.out == expected and out.read_text() == before
    assert f"{out} is finished already" in again.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.run.json"]
    # A file that is not what the run wrote, or another run's, is made anew.
    out.write_text(before + "\n")
    assert main(command) == 0 and out.read_text() == before
    assert main([*command, "--seed", "1"]) == 0
    assert "finished already" not in capsys.readouterr().err
