"""Parts of a run: each does its own share, and their files together are those of the whole run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from ml.commands import autolabel, sample
from ml.commands.parts import Part, part
from ml.errors import MisstepError
from tests.ml.search.chain_autolabel_inputs import label, write_inputs
from tests.ml.search.toy import ChainPolicy

COUNT = 3


def joined(files: list[Path]) -> bytes:
    return b"".join(file.read_bytes() for file in files)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "-1/3", "1", "1/", "/3", "a/b", "1/3/2", "1.5/2", ""])
def test_what_names_no_part_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected I/N with I from 1 to N"):
        part(text)


@pytest.mark.parametrize("items,count", [(7, 3), (3, 3), (100, 7), (1, 1), (64, 10)])
def test_parts_are_equal_but_for_one_and_together_the_whole_in_its_order(items: int, count: int) -> None:
    parts = [part(f"{number}/{count}").of(range(items)) for number in range(1, count + 1)]
    assert [item for one in parts for item in one] == list(range(items))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_part_without_anything_in_it_is_refused() -> None:
    with pytest.raises(MisstepError, match="--part 1/3 of 2 is empty, expected fewer parts"):
        Part(1, 3).of([1, 2])


def test_the_parts_of_a_sampling_are_the_whole_byte_for_byte(tmp_path: Path) -> None:
    def run(name: str, *more: str) -> Path:
        out = tmp_path / name
        sample.main(["--problems", "pocket:8:seed=3", "--n", "4", "--seed", "5", "--out", str(out), *more])
        return out

    whole = run("whole.jsonl")
    parts = [run(f"{number}.jsonl", "--part", f"{number}/{COUNT}") for number in range(1, COUNT + 1)]
    assert joined(parts) == whole.read_bytes()


@pytest.mark.parametrize("source", ["solutions", "problems"])
def test_the_parts_of_a_search_are_the_whole_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: ChainPolicy(0.2))
    write_inputs(tmp_path, 12)
    given = [f"--{source}", str(tmp_path / f"{source}.jsonl"), "--method", "omegaprm", "--limit", "11"]
    label(tmp_path, *given, out="whole")
    for number in range(1, COUNT + 1):
        label(tmp_path, *given, "--part", f"{number}/{COUNT}", out=str(number))
    names = [path.name for path in (tmp_path / "whole").iterdir() if path.name != "run.json"]
    assert len(names) >= (1 if source == "solutions" else 3)
    for name in names:
        parts = [tmp_path / str(number) / name for number in range(1, COUNT + 1)]
        assert joined([path for path in parts if path.exists()]) == (tmp_path / "whole" / name).read_bytes()


def test_another_part_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autolabel, "load_policy", lambda spec, engines, **_: ChainPolicy(0.2))
    write_inputs(tmp_path, 4)
    given = ["--problems", str(tmp_path / "problems.jsonl"), "--method", "omegaprm"]
    label(tmp_path, *given, "--part", "1/2")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["settings"]["part"] == "1/2"
    with pytest.raises(MisstepError, match="a finished run with other settings"):
        label(tmp_path, *given, "--part", "2/2")
    label(tmp_path, *given, out="whole")
    assert "part" not in json.loads((tmp_path / "whole" / "run.json").read_text())["settings"]
