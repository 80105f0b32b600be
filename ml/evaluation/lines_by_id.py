"""Lines `{"id", FIELD}`: what was said of each solution, one line for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml.errors import BadRecord, MisstepError
from ml.formats.lines import ByteLines, Limits, Unreadable

# All solutions of a problem stand on one line of a pool.
LIMITS = Limits(line_bytes=2**30, total_bytes=2**40)


def lines_by_id(path: Path, field: str, written_by: str) -> Iterator[tuple[int, str, list[Any]]]:
    """Line number (from 1), id, and the list in `field`.

    Raises BadRecord for a line that is none, or an id twice; MisstepError for a file without lines or that is not
    there, which names what would have been `written_by`.
    """
    if not path.is_file():
        raise MisstepError(f"{path}: no such file, expected {written_by}")
    known: set[str] = set()
    expected = f'a line {{"id", "{field}": [...]}}'
    for number, body in objects(path, expected):
        if "id" not in body or field not in body:
            missing = "id" if "id" not in body else field
            raise BadRecord(str(path), number, f"no {missing}", expected)
        name, values = str(body["id"]), body[field]
        if not isinstance(values, list):
            raise BadRecord(str(path), number, f"{field} {values!r:.60}", expected)
        if name in known:
            raise BadRecord(str(path), number, f"id {name!r} a second time", "each id once")
        known.add(name)
        yield number, name, values
    if not known:
        raise MisstepError(f"{path}: no {field}, expected {written_by}")


def objects(path: Path, expected: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of each line of a JSON Lines file, gzipped or not; blank lines are passed over.

    Less strict than what is imported (`ml.formats.lines`): a policy may have written half of a surrogate pair, and a
    pool is only measured. Raises BadRecord for a line that is no object, or a file that cannot be unpacked.
    """
    with path.open("rb") as raw:
        number = 1
        try:
            lines = ByteLines(raw, LIMITS, path.name.endswith(".gz"))
            while line := lines.next_line():
                if line.strip():
                    body = json.loads(line.decode("utf-8-sig"))
                    if not isinstance(body, dict):
                        raise BadRecord(str(path), number, "unreadable (no JSON object)", expected)
                    yield number, body
                number += 1
        except Unreadable as error:
            raise BadRecord(str(path), number, error.found, error.expected) from error
        except (ValueError, RecursionError) as error:
            raise BadRecord(str(path), number, f"unreadable ({error})", expected) from error
