"""A command started again over what stands at its OUT: finished, refused, or gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ml.__main__ import main
from ml.commands import snapshot as snapshot_command
from ml.commands.snapshot import main as snapshot_main
from ml.errors import MisstepError
from ml.finished_run import difference
from tests.ml.prm.commands import processbench_file
from tests.ml.prm.toys import sums

pytest.importorskip("torch")
FINISHED = {
    "sample": ["--problems", "pocket:2", "--n", "1"],
    "solve": ["--problems", "pocket:2", "--method", "self-consistency", "--trajectories", "1"],
}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verb", FINISHED)
def test_a_finished_file_is_made_once_and_no_other_run_writes_over_it(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    out = tmp_path / "out.jsonl"
    command = [verb, *FINISHED[verb], "--out", str(out)]
    assert main(command) == 0
    expected, before = capsys.readouterr().out, tree(tmp_path)
    assert before.keys() == {"out.jsonl", "out.jsonl.run.json"}
    monkeypatch.setattr("ml.search.walk.Walk.drive", lambda *_: pytest.fail("asked again"))
    assert main(command) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (expected, f"{out} is finished already: nothing is done again\n")
    assert main([*command, "--seed", "1"]) == 1
    refused = (
        "holds a finished run with other settings (seed 0, expected 1): choose another --out, or delete it"
    )
    assert capsys.readouterr().err == f"python -m ml {verb}: {out} {refused}\n"
    assert tree(tmp_path) == before
    for spoil, told in (
        (lambda: out.write_bytes(before[out.name] + b"\n"), "was changed since a run finished it"),
        (lambda: (tmp_path / "out.jsonl.run.json").unlink(), "has no out.jsonl.run.json beside it"),
    ):
        spoil()
        spoiled = tree(tmp_path)
        assert main(command) == 1 and f"{out} is there already and {told}" in capsys.readouterr().err
        assert tree(tmp_path) == spoiled


def test_a_run_that_was_killed_before_it_could_note_its_file_goes_on_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    out = tmp_path / "out.jsonl"
    command = ["sample", *FINISHED["sample"], "--out", str(out)]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ml.commands.sample.keep_result", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        main(command)
    before = out.read_bytes()
    assert main(command) == 0
    assert tree(tmp_path)[out.name] == before and len(tree(tmp_path)) == 2


def test_a_file_that_came_while_a_run_was_half_done_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    out = tmp_path / "out.jsonl"
    command = ["sample", *FINISHED["sample"], "--out", str(out)]
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(
            "ml.commands.sample.Progress.report", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        main(command)
    out.write_text("another's\n")
    before = tree(tmp_path)
    assert main(command) == 1 and "is there already and has no out.jsonl.run.json" in capsys.readouterr().err
    assert tree(tmp_path) == before
    out.unlink()
    assert main(command) == 0


def test_an_empty_file_is_nobodys_work(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").touch()
    assert main(["sample", *FINISHED["sample"], "--out", str(tmp_path / "out.jsonl")]) == 0


@pytest.mark.parametrize(
    ("known", "settings", "found"),
    [
        ({"seed": 0, "style": None}, {"seed": 0}, None),
        ({"policy": "http://a:1/v1?model=m"}, {"policy": "http://b:2/v1?model=m"}, None),
        ({"parameters": {"rollouts": 8}}, {"parameters": {"rollouts": 16}}, "rollouts 8, expected 16"),
        ({"seed": 0}, {"seed": 0, "part": "1/2"}, "part none, expected 1/2"),
        ({"seed": 0, "n": 1}, {"seed": 1, "n": 2}, "seed 0, expected 1, and 1 more"),
        (None, {"seed": 1}, "seed none, expected 1"),
    ],
)
def test_what_two_runs_differ_in_is_said_with_both_values(
    known: Any, settings: Any, found: str | None
) -> None:
    assert difference(known, settings) == found


def freeze(tmp_path: Path, rows: Any, *options: str) -> int:
    path = processbench_file(tmp_path, rows)
    given = ["--solutions", str(path), "--format", "processbench", "--out", str(tmp_path / "out")]
    return snapshot_main([*given, *options])


def test_a_finished_snapshot_is_frozen_once_and_no_other_one_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    assert freeze(tmp_path, sums(2)) == 0
    out, told = tmp_path / "out", capsys.readouterr().out
    before = tree(out)
    monkeypatch.setattr(snapshot_command, "write_snapshot", lambda *_, **__: pytest.fail("frozen again"))
    assert freeze(tmp_path, sums(2)) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (told, f"{out} is finished already: nothing is done again\n")
    with pytest.raises(
        MisstepError, match=r"settings \(rule neutral positive, expected negative\): choose another"
    ):
        freeze(tmp_path, sums(2), "--neutral", "negative")
    with pytest.raises(MisstepError, match=r"settings \(solutions [0-9a-f]{64}, expected [0-9a-f]{64}\)"):
        freeze(tmp_path, sums(3))
    assert tree(out) == before
    part = out / "parts" / "part-00000.jsonl"
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(MisstepError, match=f"{part}: sha256"):
        freeze(tmp_path, sums(2))
