"""Lines `{"id", FIELD}`: what was said of each solution, one line for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.errors import BadRecord, MisstepError


def lines_by_id(path: Path, field: str, written_by: str) -> Iterator[tuple[int, str, list[Any]]]:
    """Line number (from 1), id, and the list in `field`.

    Raises BadRecord for a line that is none, or an id twice; MisstepError for a file without lines or that is not
    there, which names what would have been `written_by`.
    """
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected {written_by}")
    known: set[str] = set()
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            expected = f'a line {{"id", "{field}": [...]}}'
            try:
                body = json.loads(line)
                name, values = str(body["id"]), body[field]
            except (ValueError, TypeError, KeyError) as error:
                raise BadRecord(str(path), number, f"unreadable ({error})", expected) from error
            if not isinstance(values, list):
                raise BadRecord(str(path), number, f"{field} {values!r:.60}", expected)
            if name in known:
                raise BadRecord(str(path), number, f"id {name!r} a second time", "each id once")
            known.add(name)
            yield number, name, values
    if not known:
        raise MisstepError(f"{path}: no {field}, expected {written_by}")
