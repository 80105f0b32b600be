"""A training started again over its checkpoint: finished, or refused by what differs."""

from __future__ import annotations

import json
import shutil

import pytest

from ml.errors import MisstepError
from ml.prm import finished_training
from ml.prm import run as running
from ml.prm.request import Request
from tests.ml.prm.commands import snapshot_of, trained
from tests.ml.prm.toys import sums


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def again(tmp_path, capsys, monkeypatch):
    """Asks for a training over one that has been finished: what it says, where it is no refusal."""
    out, told = trained(tmp_path, capsys)
    before = tree(out)
    monkeypatch.setattr(running, "prepare", lambda *_: pytest.fail("prepared again"))

    def ask(*options, snapshot=tmp_path / "snapshot"):
        try:
            found = trained(tmp_path, capsys, *options, snapshot=snapshot)
            assert found == (out, told)
        finally:
            assert tree(out) == before and not list(tmp_path.glob("checkpoint.*"))

    return ask


def test_the_same_training_is_finished_wherever_and_however_often_it_saves(again, capsys):
    again()
    again("--save-every", "1", "--threads", "1", "--device", "cpu")


def test_states_that_a_kill_left_beside_the_checkpoint_go_unless_they_are_asked_for(
    tmp_path, capsys, monkeypatch
):
    with monkeypatch.context() as killed:
        killed.setattr(running, "_forget_states", lambda _: None)
        trained(tmp_path, capsys)
    states = tmp_path / "checkpoint.state"
    assert states.is_dir()
    trained(tmp_path, capsys, "--keep-state", snapshot=tmp_path / "snapshot")
    assert states.is_dir()
    trained(tmp_path, capsys, snapshot=tmp_path / "snapshot")
    assert not states.exists()


def test_another_training_is_refused_by_the_first_setting_that_differs(again, tmp_path):
    for options, found in (
        (["--seed", "1"], "seed 0, expected 1"),
        (["--steps", "4"], "steps 3, expected 4"),
        (["--base", "pocket"], "base small, expected pocket"),
        (["--head", "likelihood"], "head linear, expected likelihood"),
        (["--separator", "|"], r"separator none, expected \|"),
        (["--labels", "mixed"], "rule labels human, expected mixed, and 1 more"),
        (["--neutral", "negative"], "rule neutral positive, expected negative, and 1 more"),
    ):
        with pytest.raises(
            MisstepError, match=rf"checkpoint holds a finished run with other settings \({found}\)"
        ):
            again(*options)
    with pytest.raises(MisstepError, match=r"other settings \(snapshot [0-9a-f]{64}, expected"):
        again(snapshot=snapshot_of(tmp_path, sums(21), name="other"))


def test_a_checkpoint_whose_weights_or_card_are_cut_off_is_never_called_finished(tmp_path, capsys):
    out, _ = trained(tmp_path, capsys)
    for name in ("model.safetensors", "metrics.jsonl"):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(whole[:-1])
        with pytest.raises(MisstepError, match=r"checkpoint: files differ from manifest\.json"):
            trained(tmp_path, capsys, snapshot=tmp_path / "snapshot")
        (out / name).write_bytes(whole)
    trained(tmp_path, capsys, snapshot=tmp_path / "snapshot")


def test_a_card_that_somebody_changed_is_nothing_to_compare_with(again, tmp_path):
    card = tmp_path / "checkpoint" / "card.json"
    whole = card.read_text()
    card.write_text(json.dumps({**json.loads(whole), "asked": {}}))
    with pytest.raises(MisstepError, match=r"checkpoint: files differ from manifest\.json"):
        finished_training.finished_card(Request(tmp_path / "snapshot", tmp_path / "checkpoint"))
    card.write_text(whole)
    again()


def test_a_base_is_known_by_what_its_folder_holds_wherever_and_whenever_it_was_put_there(tmp_path, capsys):
    base, _ = trained(tmp_path, capsys, out="base")
    out, told = trained(tmp_path, capsys, "--base", str(base), snapshot=tmp_path / "snapshot")

    def again(folder):
        return trained(tmp_path, capsys, "--base", str(folder), snapshot=tmp_path / "snapshot")[1]

    copy = shutil.copytree(base, tmp_path / "copied")
    assert again(base) == again(copy) == told
    # Two trainings that ask for the same say the same.
    other, _ = trained(tmp_path, capsys, "--base", str(copy), out="other", snapshot=tmp_path / "snapshot")
    asked = [json.loads((folder / "card.json").read_text())["asked"] for folder in (out, other)]
    assert asked[0] == asked[1]
    for name in ("model.safetensors", "tokenizer.json"):
        whole = (copy / name).read_bytes()
        (copy / name).write_bytes(whole[:-1] + b"\x7f")
        with pytest.raises(
            MisstepError, match=r"other settings \(base files [0-9a-f]{8}, expected files [0-9a-f]{8}\)"
        ):
            again(copy)
        (copy / name).write_bytes(whole)
