"""A job's input files, written by its first attempt and read by every one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml.whole_file import write_lines


def write_input(path: Path, rows: Iterable[Any]) -> None:
    """Write JSON Lines, all of them or none, unless an earlier attempt has: what its child left goes on with no other.

    What a row was made of may have been put right since; the job is about what was there when it began.
    """
    if not path.exists():
        write_lines(path, rows)
