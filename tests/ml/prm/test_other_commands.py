"""States of another command: refused at once, and not after all texts have been tokenised."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from ml.commands import train as train_command
from ml.errors import MisstepError
from ml.prm import identity, preparing
from ml.prm.checkpoint import seal
from ml.prm.request import Request
from tests.ml.prm.commands import snapshot_of
from tests.ml.prm.toys import forget_last_state


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


def test_states_that_do_not_say_what_was_asked_are_refused_as_those_of_another_command(tmp_path):
    begun(tmp_path, "--steps", "2")
    for path in (tmp_path / "checkpoint.state").glob("step-*/state.json"):
        path.write_text("{}")
        (path.parent / "manifest.json").unlink()
        seal(path.parent)
    with pytest.raises(MisstepError, match="other settings or data"):
        command(tmp_path, "--steps", "2")


@pytest.mark.parametrize(
    ("less", "said"),
    [
        # An update of eight solutions has several of these rows.
        (["--tokens-per-row", "64"], "tokens_per_row 8192: it goes on with tokens_per_row 64"),
        (
            ["--gradient-checkpointing"],
            "gradient_checkpointing False: it goes on with gradient_checkpointing True",
        ),
    ],
)
@pytest.mark.parametrize("length", [["--steps", "2"], ["--epochs", "1"]])
def test_a_run_whose_memory_ended_goes_on_with_less_of_it_and_says_so(tmp_path, capsys, length, less, said):
    begun(tmp_path, *length, "--save-every", "1")
    forget_last_state(tmp_path / "checkpoint.state")
    capsys.readouterr()
    assert command(tmp_path, *length, *less) == 0
    assert f"holds states of a run with {said}," in capsys.readouterr().err


def test_a_compiled_run_is_the_same_run(tmp_path):
    request = Request(tmp_path, tmp_path / "out")
    plain, compiled = (
        identity.fingerprint_of(
            "a snapshot's hash", replace(request, is_compiled=is_compiled), request.training
        )
        for is_compiled in (False, True)
    )
    assert plain == compiled


def test_the_most_tokens_of_a_row_stay_where_they_decide_which_solutions_share_a_tree(tmp_path):
    begun(tmp_path, "--steps", "2", "--trees", "problem")
    with pytest.raises(MisstepError, match="other settings or data"):
        command(tmp_path, "--steps", "2", "--trees", "problem", "--tokens-per-row", "64")


def test_a_base_that_lies_elsewhere_by_now_is_the_same_base(tmp_path):
    begun(tmp_path, "--steps", "2")
    assert command(tmp_path, "--steps", "2") == 0
    base, moved = tmp_path / "base", tmp_path / "elsewhere" / "the same"
    (tmp_path / "checkpoint").rename(base)
    shutil.rmtree(tmp_path / "checkpoint.state")
    assert command(tmp_path, "--steps", "2", "--base", str(base)) == 0
    shutil.rmtree(tmp_path / "checkpoint")
    moved.parent.mkdir()
    base.rename(moved)
    assert command(tmp_path, "--steps", "2", "--base", str(moved)) == 0
