"""Options of `python -m ml solve` that a run could not act on: each is refused, and none passed over."""

from __future__ import annotations

import argparse

from ml.errors import MisstepError
from ml.search.solving import METHODS, Method

# What only some methods have.
OF_SOME_METHODS = ("aggregation", "width", "rollouts", "candidates", "depth")


def refuse_what_cannot_act(arguments: argparse.Namespace, method: Method) -> None:
    """Raises MisstepError for an option that the method does not have, for a reward model that it would not ask or
    lacks, and for a number of beams that cannot be parted.
    """
    name = arguments.method
    for option in OF_SOME_METHODS:
        if getattr(arguments, option) is not None and option not in method.takes:
            having = " or ".join(other for other, known in METHODS.items() if option in known.takes)
            raise MisstepError(f"--{option} with --method {name}, expected --method {having}")
    if method.needs_values and arguments.value_model is None:
        expected = "--value-model CHECKPOINT, as python -m ml train makes them (or --method self-consistency)"
        raise MisstepError(f"--method {name} without --value-model, expected {expected}")
    if arguments.value_model is not None and not method.needs_values:
        expected = "a method that asks one: " + ", ".join(
            other for other, known in METHODS.items() if known.needs_values
        )
        raise MisstepError(f"--value-model with --method {name}, expected {expected}")
    if "width" in method.takes:
        width = arguments.width or method.options.width
        if arguments.trajectories % width:
            raise MisstepError(
                f"--trajectories {arguments.trajectories} with --width {width}, expected a multiple of the width: "
                f"{name} keeps trajectories / width prefixes, with so many candidates after each"
            )
