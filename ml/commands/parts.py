"""`--part I/N`: a share of a command's problems or solutions, so that several machines do one run between them."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from ml.errors import MisstepError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Part:
    """The part with this number, from 1, of so many. Parts are runs of neighbours, so that their files, one behind the
    other, are those of the whole.
    """

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def places(self, total: int) -> range:
        """The places of this part among so many; none where there are more parts than that."""
        begin, end = (total * edge // self.count for edge in (self.number - 1, self.number))
        return range(begin, end)

    def of(self, items: Sequence[Item]) -> list[Item]:
        """This part of the items; raises MisstepError where there is nothing in it."""
        places = self.places(len(items))
        if not places:
            raise MisstepError(f"--part {self} of {len(items)} is empty, expected fewer parts")
        return list(items[places.start : places.stop])


def part(text: str) -> Part:
    """The argument's value."""
    number, slash, count = text.partition("/")
    if slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
        return Part(int(number), int(count))
    raise argparse.ArgumentTypeError(f"{text!r}, expected I/N with I from 1 to N")


def add_part(arguments: argparse.ArgumentParser) -> None:
    """The option itself."""
    arguments.add_argument(
        "--part",
        type=part,
        metavar="I/N",
        help="do only the I-th of N equal parts, I from 1, for N processes side by side; the parts' files, joined in"
        " order, are those of the whole",
    )


def taken(
    found: Iterable[Item], source: str, kind: str, part: Part | None, limit: int | None = None
) -> list[Item]:
    """Those of the items that a run is to do; raises MisstepError where there are none."""
    items = list(islice(found, limit))
    if not items:
        raise MisstepError(f"{source}: no {kind}, expected at least one")
    return items if part is None else part.of(items)


def input_settings(items: Sequence[object]) -> dict[str, Any]:
    """What the items of a run add to its settings: with others it is another run."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr(item).encode("utf-8", "replace"))
    return {"items": len(items), "sha256": digest.hexdigest()}


def part_settings(chosen: Part | None) -> dict[str, str]:
    """What a part adds to the settings of its run. The whole is no part."""
    return {"part": str(chosen)} if chosen is not None else {}
