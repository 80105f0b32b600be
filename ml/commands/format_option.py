"""The option by which a command is told what it reads."""

from __future__ import annotations

from typing import Any

from ml.formats import FORMATS


def add_to(group: Any, name: str = "--format", file: str = "--solutions") -> None:
    """The option, for a parser or a group of one. Eleven names would fill half of a page of help."""
    group.add_argument(
        name,
        choices=FORMATS,
        metavar="FORMAT",
        help=f"format of {file} (default: guessed from its first line); see docs/formats.md",
    )
