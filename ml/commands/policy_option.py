"""The option by which a command is told which policy writes."""

from __future__ import annotations

from typing import Any


def add_to(group: Any) -> None:
    """The option, for a parser or a group of one."""
    group.add_argument(
        "--policy",
        default="pocket",
        help="pocket, a model's folder, or the http(s) address of an OpenAI-compatible server with address options,"
        " e.g. ?model=NAME&concurrency=32; the key is read from MISSTEP_POLICY_KEY (default: %(default)s)",
    )
