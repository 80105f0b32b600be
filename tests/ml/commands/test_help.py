"""What `--help` says of each option: something, with the default that counts where it is not given."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import signal
import threading
import warnings
from collections.abc import Iterator

import pytest

from ml.__main__ import STATUSES, VERBS, end_at_once, usage
from ml.commands import autolabel, solve, train
from ml.search.recipes import RECIPES
from ml.search.solving import METHODS
from tests.data import ROOT


def parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every verb's parser, or those of its kinds."""
    for verb in VERBS:
        parser = importlib.import_module(f"ml.commands.{verb}").parser()
        kinds = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if not kinds:
            yield verb, parser
        for kind in kinds:
            yield from ((f"{verb} {name}", one) for name, one in kind.choices.items())


def options() -> list[tuple[str, argparse.Action]]:
    return [
        (f"{verb} {action.option_strings[-1]}", action)
        for verb, parser in parsers()
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction)
    ]


EVERY = pytest.mark.parametrize("action", [pytest.param(one, id=name) for name, one in options()])


@EVERY
def test_every_option_says_what_it_is_and_which_value_it_has_where_it_is_not_given(action):
    assert action.help
    if action.default not in (None, False):
        assert "(default: %(default)s" in action.help
    elif "default" in action.help:
        assert "default: " in action.help


@EVERY
def test_no_help_begins_in_the_middle_of_a_sentence(action):
    first = action.help.split()[0].strip(",:;")
    assert first not in {"of", "on", "and", "instead", "per", "its", "whose;", "by", "for", "default"}


def test_no_page_of_help_lists_all_formats():
    assert not [verb for verb, parser in parsers() if "big_bench_mistake" in parser.format_help()]


def help_of(module, option: str) -> str:
    return next(one.help for one in module.parser()._actions if option in one.option_strings)


def test_defaults_that_a_method_has_are_the_ones_that_help_tells():
    made = {name: recipe.options() for name, recipe in RECIPES.items()}
    assert f"rstar {made['rstar'].candidates}, rest-mcts {made['rest-mcts'].candidates})" in help_of(
        autolabel, "--candidates"
    )
    assert f"(default: {made['math-shepherd'].candidates})" in help_of(autolabel, "--candidates")
    with_depth = {name: made[name].depth for name in made if hasattr(made[name], "depth")}
    assert set(with_depth.items()) == {("rstar", 16), ("rest-mcts", 16)}
    assert "rstar and rest-mcts; default: 16" in help_of(autolabel, "--depth")
    assert f"(default: omegaprm {made['omegaprm'].searches})" in help_of(autolabel, "--searches")
    temperatures = {name: options.temperature for name, options in made.items()}
    assert temperatures == {**dict.fromkeys(made, 0.8), "rest-mcts": 0.7}
    assert "default: 0.8, rest-mcts 0.7" in help_of(autolabel, "--temperature")
    assert {name: options.luck for name, options in made.items()} == {
        **dict.fromkeys(made, 0.1),
        "omegaprm": 0.0,
    }
    assert "(default: 0.1, omegaprm 0)" in help_of(autolabel, "--luck")
    assert {options.threshold for options in made.values()} == {0.0}
    assert "(default: 0)" in help_of(autolabel, "--threshold")
    rollouts = {name: options.rollouts for name, options in made.items()}
    assert rollouts == {"math-shepherd": 8, "rstar": 16, "omegaprm": 8, "rest-mcts": 100}
    told = ", ".join(f"{name} {count}" for name, count in rollouts.items())
    assert f"(default: {told})" in help_of(autolabel, "--rollouts")
    assert {name: METHODS[name].options.rollouts for name in ("mcts-star", "rstar")} == {
        "mcts-star": 100,
        "rstar": 16,
    }
    assert "mcts-star 100, rstar 16" in help_of(solve, "--rollouts")


def test_a_second_opinion_s_defaults_are_the_ones_that_help_tells():
    pytest.importorskip("torch")
    from ml.prm.second_opinion import SecondOpinion

    for option in ("sure", "doubtful"):
        told = f"(default: {getattr(SecondOpinion, option):g})"
        assert told in help_of(train, f"--second-opinion-{option}")


def test_the_list_of_verbs_says_where_the_docs_are_and_what_the_statuses_mean():
    named = re.findall(r"docs/[\w-]+\.md", usage())
    assert len(named) >= 4 and all((ROOT / path).is_file() for path in named)
    reference = (ROOT / "docs" / "reference.md").read_text()
    for status, meaning in STATUSES.items():
        assert f"{status} " in usage() and meaning in usage()
        assert f"| {status} | " in reference.partition("### Exit statuses of ml")[2]


def test_ctrl_c_ends_a_command_whose_threads_still_wait_for_a_server():
    with warnings.catch_warnings():
        # The child uses none of the threads that this process may have.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        end_at_once()
        threading.Thread(target=threading.Event().wait, args=(5,)).start()
        signal.raise_signal(signal.SIGINT)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT
