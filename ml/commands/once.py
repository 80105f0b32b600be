"""A command's parser that refuses a second file: argparse would take the last one and say nothing of the first."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ml.errors import MisstepError


class _Given(argparse.Namespace):
    """The options, and in a slot, where `vars` does not see them, the names of those that were given."""

    __slots__ = ("named",)

    def __init__(self) -> None:
        super().__init__()
        self.named: set[str] = set()


class StoreOnce(argparse.Action):
    """Stores a value, and refuses a second one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if isinstance(namespace, _Given):
            if self.dest in namespace.named:
                first = getattr(namespace, self.dest)
                raise argparse.ArgumentError(self, f"given twice ({first}, then {values}), expected it once")
            namespace.named.add(self.dest)
        setattr(namespace, self.dest, values)


def _store(**options: Any) -> argparse.Action:
    """Of options that name no file the last value counts, so that a command can be called again with one changed."""
    return StoreOnce(**options) if options.get("type") is Path else argparse._StoreAction(**options)


class OnceParser(argparse.ArgumentParser):
    """Takes each option that names a file or a folder once; `StoreOnce` does the same for any other."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register("action", None, _store)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        """As ever, into a namespace that knows what was given."""
        return super().parse_known_args(args, _Given() if namespace is None else namespace)

    def error(self, message: str) -> NoReturn:
        """What is wrong, as the last line: the options of some commands would fill a page above it."""
        self.exit(2, f"{self.prog} --help lists the options\n{self.prog}: error: {message}\n")


class RefusingParser(OnceParser):
    """For arguments that are only checked: raises MisstepError with the parser's own words, and ends no process."""

    def error(self, message: str) -> NoReturn:
        raise MisstepError(message)
