"""The option by which a command is told where its model runs."""

from __future__ import annotations

from typing import Any


def add_to(group: Any) -> None:
    """The option, for a parser or a group of one."""
    group.add_argument(
        "--device",
        default="auto",
        help="cpu, cuda, cuda:0 ..., or auto: what MISSTEP_DEVICE says, else a GPU where there is one"
        " (default: %(default)s)",
    )
