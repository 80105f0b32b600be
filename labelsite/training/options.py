"""The options of `python -m ml train` that a form or a script may set: read from the command's own parser, so that
every door knows the same ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import cache
from math import inf
from typing import Any

from labelsite.jobs.shared_folder import in_var
from labelsite.training import checkpoints
from labelsite.training.models import Checkpoint
from ml.bounds import Bounds
from ml.commands.once import RefusingParser
from ml.commands.train import parser
from ml.errors import MisstepError

# What a run has besides its configuration, and what belongs to the machine that trains.
OF_THE_RUN = ("help", "snapshot", "manifest", "out", "labels", "objective", "base", "seed")
OF_THE_MACHINE = ("device", "shard", "threads", "save_every", "keep_state")


@cache
def _checker() -> argparse.ArgumentParser:
    return parser(RefusingParser)


@cache
def options() -> Mapping[str, argparse.Action]:
    """Every option that may be set, by its name, in the order of the command's help."""
    known = {action.dest: action for action in _checker()._actions}
    return {name: known[name] for name in known if name not in (*OF_THE_RUN, *OF_THE_MACHINE)}


OPTIONS = tuple(options())
FLAGS = tuple(name for name, action in options().items() if action.nargs == 0)
LISTS = tuple(name for name, action in options().items() if action.nargs == "+")


def kind_of(name: str) -> Any:
    """The type of an option's value."""
    kind = options()[name].type
    return kind.kind if isinstance(kind, Bounds) else kind


def limits_of(name: str) -> tuple[float | None, float | None]:
    """The least and the most that a number may be, as a form says it; None where there is no bound."""
    bounds, tiny = options()[name].type, 1e-9
    if not isinstance(bounds, Bounds):
        return None, None
    least, most = max(bounds.least, bounds.above + tiny), min(bounds.most, bounds.below - tiny)
    return (None if least == -inf else least), (None if most == inf else most)


def said(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are given; raises MisstepError for unknown ones, and for two that say how long it trains."""
    unknown = sorted(set(configuration) - set(OPTIONS))
    if unknown:
        raise MisstepError(f"configuration {', '.join(unknown)}, expected some of {', '.join(OPTIONS)}")
    chosen = {name: value for name, value in configuration.items() if _is_said(name, value)}
    if "steps" in chosen and "epochs" in chosen:
        raise MisstepError("configuration steps and epochs, expected one of them")
    return chosen


def _is_said(name: str, value: object) -> bool:
    """Whether an option is given; a 0 says something in an option with a value, and leaves a flag off.

    Raises MisstepError for a flag that is neither true nor false: a text "false" would turn it on.
    """
    if name == "problem_end" and value == "":
        # The one text that may be none at all.
        return True
    if name not in FLAGS:
        return not (value is None or value is False or value in ("", []))
    if value and not (isinstance(value, int) and value == 1):
        raise MisstepError(f"configuration {name} {value!r}, expected true or false")
    return bool(value)


def arguments_of(chosen: Mapping[str, Any]) -> list[str]:
    """The options as the command takes them."""
    parts: list[str] = []
    for name, value in chosen.items():
        flag = "--" + name.replace("_", "-")
        if name in FLAGS:
            parts.append(flag)
        elif name in LISTS:
            parts += [flag, *_texts(name, value)]
        elif name == "second_opinion":
            parts += [flag, _checkpoint_of(value)]
        else:
            # A text like --- is none of the command's own options.
            parts += [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
    return parts


def refuse_what_the_command_would(arguments: list[str]) -> None:
    """Raises MisstepError for values that would end the job before it has begun."""
    _checker().parse_args(arguments)


def _texts(name: str, value: object) -> list[str]:
    texts = [str(one) for one in value] if isinstance(value, list | tuple) else [str(value)]
    for text in texts:
        if text.startswith("-") and text != "-":
            raise MisstepError(f"configuration {name} {text!r}, expected no text that begins with a dash")
    return texts


def _checkpoint_of(sha256: str) -> str:
    checkpoint = Checkpoint.objects.filter(sha256=sha256, run__objective="classifier").first()
    if checkpoint is None:
        raise MisstepError(f"second_opinion {sha256}, expected the sha256 of a step classifier that is here")
    return in_var(checkpoints.checkpoint_path(checkpoint))
