"""`python -m ml score`: what a kill leaves is gone on from, and parts make the whole."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from ml.commands.score import main
from ml.errors import MisstepError
from ml.prm import score
from tests.ml.commands.score_until_killed import SCORED, WINDOW
from tests.ml.prm.commands import processbench_file, trained
from tests.ml.prm.toys import sums
from tests.ml.prm.warm_process import WarmProcess


@pytest.fixture
def given(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The arguments of a scoring of four windows and a bit."""
    monkeypatch.setattr(score, "WINDOW", WINDOW)
    checkpoint, _ = trained(tmp_path, capsys, "--steps", "1")
    rows = [replace(row, id=f"{row.id}-{again}") for again in range(1 + 4 * WINDOW // 50) for row in sums(50)]
    solutions = processbench_file(tmp_path, rows)
    return ["--checkpoint", str(checkpoint), "--solutions", str(solutions), "--format", "processbench"]


def whole(given: list[str], out: Path, *options: str) -> str:
    assert main([*given, *options, "--out", str(out)]) == 0
    return out.read_text()


def killed(given: list[str], out: Path, by: signal.Signals, *options: str) -> int:
    """Kill a scoring once it has kept more than a window of solutions; returns how many it has kept."""
    kept = out.with_name(f"{out.name}.partial") / "progress.jsonl.partial"
    process = WarmProcess(
        "tests.ml.commands.score_until_killed", "score", *given, *options, "--out", str(out)
    )
    try:
        deadline = time.monotonic() + 60
        while not kept.exists() or kept.read_bytes().count(b"\n") < SCORED:
            assert process.returncode is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(by)
        process.communicate(timeout=60)
        assert process.returncode == -by
    finally:
        process.kill()
    assert not out.exists()
    return kept.read_bytes().count(b"\n")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_scoring_goes_on_to_the_same_scores(
    tmp_path: Path, given: list[str], capsys, monkeypatch: pytest.MonkeyPatch, by: signal.Signals
) -> None:
    expected = whole(given, tmp_path / "whole.jsonl")
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    out = tmp_path / "scores.jsonl"
    kept = killed(given, out, by)
    monkeypatch.setenv("MISSTEP_PROGRESS", "json")
    assert whole(given, out) == expected
    *reports, again = map(json.loads, capsys.readouterr().out.splitlines())
    assert {report["progress"]["begun_at"] for report in reports} == {kept}
    assert again == {**summary, "scores": str(out)}
    assert not out.with_name("scores.jsonl.partial").exists()


def test_what_was_scored_in_another_way_is_not_gone_on_from(tmp_path: Path, given: list[str]) -> None:
    out = tmp_path / "scores.jsonl"
    killed(given, out, signal.SIGKILL)
    with pytest.raises(MisstepError, match="holds an unfinished run with other settings"):
        whole(given, out, "--bf16")
    with pytest.raises(MisstepError, match="holds an unfinished run with other settings"):
        whole(given, out, "--part", "1/2")
    solutions = Path(given[3])
    solutions.write_text(solutions.read_text().replace("Add ", "Add: ", 1))
    with pytest.raises(MisstepError, match="holds an unfinished run with other settings"):
        whole(given, out)


def test_finished_scores_are_found_without_the_model(
    tmp_path: Path, given: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.jsonl"
    expected = whole(given, out)
    monkeypatch.setattr("ml.prm.load_scorer", lambda *_: pytest.fail("loaded"))
    assert whole(given, out) == expected
    with pytest.raises(
        MisstepError, match=r"a finished run with other settings \(bf16 false, expected true\)"
    ):
        whole(given, out, "--bf16")


def test_the_parts_one_behind_the_other_are_the_whole(tmp_path: Path, given: list[str], capsys) -> None:
    expected = [json.loads(line) for line in whole(given, tmp_path / "whole.jsonl").splitlines()]
    capsys.readouterr()
    texts = [whole(given, tmp_path / f"{part}.jsonl", "--part", f"{part}/3") for part in (1, 2, 3)]
    found = [json.loads(line) for line in "".join(texts).splitlines()]
    assert [line["id"] for line in found] == [line["id"] for line in expected]
    for one, other in zip(found, expected, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-6)
    counts = [text.count("\n") for text in texts]
    assert max(counts) - min(counts) <= 1
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["solutions"] for one in results] == counts


def test_more_parts_than_solutions_leave_some_empty(tmp_path: Path, given: list[str]) -> None:
    solutions = Path(given[3])
    solutions.write_text("".join(solutions.read_text().splitlines(keepends=True)[:2]))
    parts = [whole(given, tmp_path / f"{part}.jsonl", "--part", f"{part}/3") for part in (1, 2, 3)]
    assert sorted(text.count("\n") for text in parts) == [0, 1, 1]


def test_two_scorings_never_write_to_one_file(tmp_path: Path, given: list[str]) -> None:
    out = tmp_path / "scores.jsonl"
    kept = killed(given, out, signal.SIGKILL)
    assert kept > 0
    with (out.with_name("scores.jsonl.partial") / "progress.jsonl.partial").open("ab") as file:
        from ml.file_lock import take_lock

        assert take_lock(file)
        process = WarmProcess("ml", "score", *given, "--out", str(out))
        _, words = process.communicate(timeout=120)
    assert process.returncode == 75 and "another run is writing here" in words
