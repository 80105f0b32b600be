"""The option --policy: once, or once for each server of the same model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

_SCHEMES = ("http://", "https://")


class _PolicyAction(argparse.Action):
    """Joins servers' addresses to one policy; anything else given twice would pass one of them over."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        given = [*getattr(namespace, "policies_given", ()), str(value)]
        namespace.policies_given = given
        if len(given) > 1 and not all(one.startswith(_SCHEMES) for one in given):
            found = ", ".join(map(repr, given))
            parser.error(
                f"{option_string}: {found}, expected one policy, or several servers of the same model"
            )
        setattr(namespace, self.dest, ",".join(given))


def add_to(arguments: Any) -> None:
    """The option, for a parser or a group of one; the same for every command that asks a policy."""
    arguments.add_argument(
        "--policy",
        action=_PolicyAction,
        default="pocket",
        help="pocket, a model's folder, or the http(s) address of an OpenAI-compatible server with address options,"
        " e.g. ?model=NAME&concurrency=32 (several servers of the same model: one --policy each); the key is read"
        " from MISSTEP_POLICY_KEY (default: %(default)s)",
    )
