"""A local model's folder with its options, `FOLDER?rows=N`. Torch-free."""

from __future__ import annotations

import urllib.parse
from pathlib import Path

from ml.errors import MisstepError

ROWS = 64


def folder_and_rows(spec: str) -> tuple[Path, int] | None:
    """The folder that a policy's name says, and how many continuations it writes at once; None where there is no such
    folder. Raises MisstepError for an option that there is not, or a number of rows that cannot be.
    """
    if Path(spec).is_dir():
        return Path(spec), ROWS
    folder, mark, query = spec.rpartition("?")
    if not mark or not Path(folder).is_dir():
        return None
    options = urllib.parse.parse_qsl(query, keep_blank_values=True)
    if [name for name, _ in options] != ["rows"]:
        raise MisstepError(f"policy {spec!r}: the options {query!r}, expected rows=N")
    rows = options[0][1]
    if not (rows.isascii() and rows.isdecimal() and int(rows) > 0):
        raise MisstepError(f"policy {spec!r}: rows={rows}, expected a whole number above 0")
    return Path(folder), int(rows)
