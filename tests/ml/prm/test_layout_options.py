"""What ends a step and the problem: options of a training, kept in the checkpoint, and no typo of them passes."""

from __future__ import annotations

import json

import pytest

from ml.commands.train_options import unescaped
from ml.errors import MisstepError
from ml.prm import load_scorer
from ml.prm.tokenization import load_step_tokenizer
from tests.ml.prm.commands import trained
from tests.ml.prm.test_learning_rates import given_base
from tests.ml.prm.toys import sums


def test_what_ends_a_step_and_the_problem_is_asked_for_and_stands_in_the_checkpoint(tmp_path, capsys):
    base = given_base(tmp_path / "base")
    ends = ("--separator", r"\n\n", "--problem-end", "")
    checkpoint, _ = trained(tmp_path, capsys, "--base", base, *ends)
    layout = json.loads((checkpoint / "steps.json").read_text())
    assert (layout["separator"], layout["problem_end"]) == ("\n\n", "")
    tokenizer = load_scorer(checkpoint).tokenizer
    assert tokenizer.separator == tokenizer.tokenizer.encode("\n\n") and tokenizer.problem_end == []
    # What goes on from the checkpoint goes on with its layout.
    further, _ = trained(
        tmp_path, capsys, "--base", str(checkpoint), snapshot=tmp_path / "snapshot", out="further"
    )
    assert json.loads((further / "steps.json").read_text()) == layout


def test_steps_are_scored_where_they_were_read(tmp_path, capsys):
    checkpoint, _ = trained(tmp_path, capsys, "--separator", " ;")
    row = sums(1)[0]
    tokenizer = load_step_tokenizer(checkpoint)
    end = tokenizer.step(row.steps[0])[-len(tokenizer.separator) :]
    assert list(end) == tokenizer.tokenizer.encode(" ;")
    assert len(load_scorer(checkpoint).score(row.problem, row.steps)) == 3


@pytest.mark.parametrize(
    ("option", "text", "complaint"),
    [
        ("--separator", "", r"--separator '' has no token of the base"),
        (
            "--separator",
            "<extra_O>",
            r"--separator '<extra_O>' has \d+ tokens of the base, expected a token of its own",
        ),
        ("--problem-end", "<|im_ends|>", r"--problem-end '<\|im_ends\|>' has \d+ tokens of the base"),
        ("--separator", r"\r", "expected .* for every backslash"),
    ],
)
def test_a_mistyped_end_is_refused_in_one_line(tmp_path, capsys, option, text, complaint):
    with pytest.raises(MisstepError, match=complaint) as refusal:
        trained(tmp_path, capsys, option, text)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [({"seperator": "\n"}, "seperator, expected some of separator, problem_end"),
     ({"separator": 7}, "separator 7, expected a text")],
)  # fmt: skip
def test_a_mistyped_layout_in_a_folder_is_refused_by_its_name(tmp_path, said, complaint):
    base = given_base(tmp_path / "base")
    (tmp_path / "base" / "steps.json").write_text(json.dumps(said))
    with pytest.raises(MisstepError, match=complaint):
        load_step_tokenizer(base)


def test_backslashes_are_read_as_in_c():
    assert unescaped("separator", r"a\n\t\\n") == "a\n\t\\n" and unescaped("separator", None) is None
