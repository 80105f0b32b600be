"""A file that is given twice is refused: the last one alone would be read, and nothing said of the first."""

from __future__ import annotations

import importlib

import pytest

from ml.__main__ import VERBS, main


@pytest.mark.parametrize(
    ("verb", "option"),
    [
        (["train"], "--out"),
        (["train"], "--second-opinion"),
        (["snapshot"], "--solutions"),
        (["snapshot"], "--estimates"),
        (["score"], "--solutions"),
        (["score"], "--checkpoint"),
        (["execute"], "--solutions"),
        (["sample"], "--problems"),
        (["solve"], "--problems"),
        (["autolabel"], "--problems"),
        (["autolabel"], "--solutions"),
        (["evaluate", "first-mistake"], "--scores"),
    ],
)
def test_a_second_file_for_an_option_is_refused_and_both_are_named(capsys, verb, option):
    with pytest.raises(SystemExit):
        main([*verb, option, "a", option, "b"])
    told = capsys.readouterr().err
    assert f"argument {option}: given twice (a, then b), expected it once" in told
    assert told.count("\n") == 2 and "--help" in told


def test_of_an_option_that_names_no_file_the_last_value_counts():
    parser = importlib.import_module("ml.commands.train").parser()
    given = ["--snapshot", "a", "--out", "b", "--steps", "1", "--steps", "2"]
    assert parser.parse_args(given).steps == 2


def test_a_parser_can_be_asked_again_for_the_same_option():
    parser = importlib.import_module("ml.commands.train").parser()
    for _ in range(2):
        assert "named" not in vars(parser.parse_args(["--snapshot", "a", "--out", "b"]))


def test_every_verb_s_parser_refuses_a_second_file():
    for verb in VERBS:
        module = importlib.import_module(f"ml.commands.{verb}")
        assert type(module.parser()).__name__ == "OnceParser"
