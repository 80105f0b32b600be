"""What `python -m ml train` refuses by its arguments alone, before torch is loaded and anything is read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from ml.commands.train_options import EPOCHS
from ml.errors import MisstepError
from ml.training_contradictions import Contradiction, acting, contradictions

# Every forward gathers the split weights in all processes, and unpacked paths are not equally many.
UNSHARDED = ("unpacked", "validate_every")


def refuse_contradictions(options: argparse.Namespace, default: Callable[[str], Any]) -> None:
    """Raises MisstepError for options of which one leaves no room for another. default: what an option is where nobody
    asks for it.
    """
    if options.steps is not None and options.epochs != EPOCHS:
        raise MisstepError(f"--epochs {options.epochs:g} with --steps {options.steps}, expected one of them")
    given = vars(options)
    chosen = acting(given, default)
    for found in contradictions(options.objective, options.base, chosen):
        raise MisstepError(_in_words(found, given))
    unsharded = [name for name in UNSHARDED if name in chosen]
    unsharded += ["optimizer"] if chosen.get("optimizer") == "muon" else []
    unsharded += ["head"] if chosen.get("head") == "likelihood" else []
    if "shard" in chosen and unsharded:
        raise MisstepError(f"{_asked(unsharded[0], given)} with --shard, expected one of them")


def _in_words(found: Contradiction, given: Mapping[str, Any]) -> str:
    told, wanted = _asked(found.option, given), " or ".join(map(str, found.wanted))
    if found.other in ("objective", "base"):
        beside = (
            f"objective {given['objective']}" if found.other == "objective" else f"--base {given['base']}"
        )
        told += f" with {beside}" + (f", expected {wanted}" if wanted else "")
    elif found.other:
        told += f", expected {' '.join(filter(None, (_flag(found.other), wanted)))} with it"
    return f"{told}: {found.words}" if found.words else told


def _asked(name: str, given: Mapping[str, Any]) -> str:
    """An option as it was typed; one that nobody typed by its name."""
    value = given[name]
    if value is None or isinstance(value, bool):
        return _flag(name)
    values = value if isinstance(value, list) else [value]
    return " ".join([_flag(name), *(f"{one:g}" if isinstance(one, float) else str(one) for one in values)])


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
