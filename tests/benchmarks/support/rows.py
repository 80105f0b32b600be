"""A long table that is measured row by row: what is there is kept, so that a stopped benchmark goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.support.commands import write_json


class Table:
    """The rows of one JSON file. `header` is what must be the same for earlier rows to count."""

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path, self.header = path, json.loads(json.dumps(header))
        self.rows: list[dict[str, Any]] = []
        # What stands beside the header and the rows.
        self.more: dict[str, Any] = {}
        if path.exists():
            earlier = json.loads(path.read_text(encoding="utf-8"))
            if {key: earlier.get(key) for key in self.header} == self.header:
                self.rows = earlier["rows"]
                self.more = {key: earlier[key] for key in earlier.keys() - self.header.keys() - {"rows"}}

    def has(self, **key: Any) -> bool:
        """Whether a row with these values is there."""
        return any(all(row.get(name) == value for name, value in key.items()) for row in self.rows)

    def add(self, row: dict[str, Any]) -> None:
        """Print a row as a JSON line, and write the table with it."""
        self.rows.append(row)
        print(json.dumps(row), flush=True)
        self.write()

    def write(self, **more: Any) -> None:
        """The header, `more` with what was written of it before, and all rows."""
        self.more |= more
        write_json(self.path, {**self.header, **self.more, "rows": self.rows})
