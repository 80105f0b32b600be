"""Which options of `python -m ml autolabel` act, and with which values."""

import json

import pytest

from ml.errors import MisstepError
from tests.ml.search.chain_autolabel_inputs import label, lines, with_inputs


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Twelve problems, and one solution of each with its truth."""
    return with_inputs(monkeypatch, tmp_path, 12)


@pytest.mark.parametrize(
    "options,message",
    [
        (
            ["--method", "omegaprm", "--candidates", "3"],
            "--candidates with omegaprm, expected a method that has it",
        ),
        (
            ["--method", "math-shepherd", "--depth", "3"],
            "--depth with math-shepherd, expected a method that has it",
        ),
        (["--method", "rstar", "--searches", "3"], "--searches with rstar, expected a method that has it"),
        (["--continuation-style", "code"], "--continuation-style with --problems, expected --style"),
        (["--format", "records"], "--format with --problems, expected --solutions FILE"),
    ],
)
def test_an_option_that_cannot_act_is_refused(files, options, message):
    with pytest.raises(MisstepError, match=message):
        label(files, "--problems", str(files / "problems.jsonl"), *options)
    assert not (files / "out").exists()


def test_a_style_of_given_solutions_is_refused_with_the_option_that_says_it_of_their_rollouts(files):
    with pytest.raises(MisstepError, match="--style with --solutions, expected --continuation-style"):
        label(files, "--solutions", str(files / "given.jsonl"), "--style", "prose")
    assert not (files / "out").exists()


@pytest.mark.parametrize(
    "option,value,expected",
    [
        ("--temperature", "inf", "a number, 0 or more"),
        ("--threshold", "nan", "a number from 0 to below 1"),
        ("--luck", "1", "a number from 0 to below 1"),
        ("--rollouts", "0", "a whole number above 0"),
        ("--voters", "a few", "a whole number above 0"),
        ("--seed", "-1", "a whole number, 0 or more"),
    ],
)
def test_a_number_that_no_run_can_have_is_refused_before_anything_is_set_up(
    files, capsys, option, value, expected
):
    with pytest.raises(SystemExit) as end:
        label(files, "--problems", str(files / "problems.jsonl"), option, value)
    assert end.value.code == 2
    assert f"argument {option}: {value!r}, expected {expected}" in capsys.readouterr().err
    assert not (files / "out").exists()


@pytest.mark.parametrize("method,temperature", [("rstar", 0.8), ("rest-mcts", 0.7)])
def test_a_method_s_own_temperature_holds_unless_another_is_given(files, method, temperature):
    arguments = ["--problems", str(files / "problems.jsonl"), "--limit", "1", "--method", method]
    label(files, *arguments, out="own")
    label(files, *arguments, "--temperature", "0.5", out="given")
    found = [
        json.loads((files / out / "run.json").read_text())["parameters"]["temperature"]
        for out in ("own", "given")
    ]
    assert found == [temperature, 0.5]


def test_more_searches_grow_a_larger_tree(files):
    arguments = ["--problems", str(files / "problems.jsonl"), "--limit", "3", "--method", "omegaprm"]
    label(files, *arguments, "--searches", "1", out="one")
    label(files, *arguments, out="own")
    runs = [json.loads((files / out / "run.json").read_text()) for out in ("one", "own")]
    assert [run["parameters"]["searches"] for run in runs] == [1, 100]
    nodes = [sum(len(tree["nodes"]) for tree in lines(files / out / "trees.jsonl")) for out in ("one", "own")]
    assert nodes[0] < nodes[1]


@pytest.mark.parametrize("method,option", [("omegaprm", "--searches"), ("math-shepherd", "--candidates")])
def test_what_acts_on_fresh_problems_only_is_refused_with_given_solutions(files, method, option):
    with pytest.raises(MisstepError, match=f"{option} with --solutions, expected --problems"):
        label(files, "--solutions", str(files / "solutions.jsonl"), "--method", method, option, "3")
    assert not (files / "out").exists()
    label(files, "--problems", str(files / "problems.jsonl"), "--limit", "1", "--method", method, option, "3")


@pytest.mark.parametrize("source", ["--solutions", "--problems"])
def test_voters_are_refused_where_nobody_votes(files, source):
    given = str(files / ("solutions.jsonl" if source == "--solutions" else "problems.jsonl"))
    with pytest.raises(
        MisstepError, match="--voters with --reference answer, expected --reference self-cons"
    ):
        label(files, source, given, "--voters", "4")
    assert not (files / "out").exists()
