"""`--set NAME=VALUE`: a method's options that have no option of their own, public code's variants among them."""

from __future__ import annotations

import argparse


def add_to(arguments: argparse.ArgumentParser) -> None:
    """The option itself, which may be given more than once."""
    arguments.add_argument(
        "--set",
        action="append",
        default=None,
        metavar="NAME=VALUE",
        help="one of the method's own options by its name, like unvisited=zero; may be given again for another."
        " A wrong name lists those that there are; docs/search-options.md says what they mean",
    )


def given_otherwise(arguments: argparse.Namespace) -> set[str]:
    """The names of the options that were given as options of their own."""
    return {name for name, value in vars(arguments).items() if value is not None and name != "set"}
