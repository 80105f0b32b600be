"""States of another command: refused at once, and not after all texts have been tokenised."""

from __future__ import annotations

import json
import shutil

import pytest

from ml.commands import train as train_command
from ml.errors import MisstepError
from ml.prm import preparing
from ml.prm.checkpoint import seal
from tests.ml.prm.commands import snapshot_of


def command(tmp_path, *options: str) -> int:
    given = ["--snapshot", str(tmp_path / "snapshot"), "--out", str(tmp_path / "checkpoint")]
    return train_command.main([*given, "--base", "small", "--batch-size", "8", "--keep-state", *options])


def begun(tmp_path, *options: str) -> None:
    """A run that has states and no checkpoint yet."""
    snapshot_of(tmp_path)
    assert command(tmp_path, *options) == 0
    shutil.rmtree(tmp_path / "checkpoint")


@pytest.mark.parametrize("end", [["--separator", r"\n\n"], ["--problem-end", ""]])
def test_other_ends_of_steps_or_of_the_problem_are_named_where_a_state_is_refused(tmp_path, end):
    begun(tmp_path, "--steps", "2")
    with pytest.raises(
        MisstepError, match=r"\(tokenizer, or --separator or --problem-end\), expected the same one"
    ):
        command(tmp_path, "--steps", "2", *end)


def test_a_run_with_ends_of_its_own_goes_on_and_its_card_names_them(tmp_path):
    end = ("--steps", "2", "--separator", r"\n\n")
    begun(tmp_path, *end)
    assert command(tmp_path, *end) == 0
    config = json.loads((tmp_path / "checkpoint" / "card.json").read_text())["config"]
    assert (config["separator"], config["problem_end"]) == ("\n\n", None)


@pytest.mark.parametrize("length", [["--steps", "2"], ["--epochs", "0.5"]])
def test_another_command_is_refused_before_the_base_is_opened(tmp_path, monkeypatch, length):
    begun(tmp_path, *length)
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "open_base", lambda *given: pytest.fail("the base was opened"))
        with pytest.raises(MisstepError, match="other settings or data"):
            command(tmp_path, *length, "--weight-decay", "0.5")
    assert command(tmp_path, *length) == 0


def test_a_run_of_an_earlier_version_goes_on_whose_states_do_not_say_what_was_asked(tmp_path):
    begun(tmp_path, "--epochs", "0.5")
    for path in (tmp_path / "checkpoint.state").glob("step-*/state.json"):
        body = json.loads(path.read_text())
        del body["asked"]
        path.write_text(json.dumps(body))
        (path.parent / "manifest.json").unlink()
        seal(path.parent)
    with pytest.raises(MisstepError, match="other settings or data"):
        command(tmp_path, "--epochs", "0.5", "--weight-decay", "0.5")
    assert command(tmp_path, "--epochs", "0.5") == 0
