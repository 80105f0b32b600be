"""OUT.state/metrics.jsonl: a run's history as it goes, for whoever watches it, and for a run that ends early."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ml.whole_file import naming, whole_file

NAME = "metrics.jsonl"
Line = Mapping[str, float]


class HistoryFile:
    """One line for each update, on the disk as soon as it is done. folder: where; None for nowhere.

    history: that of the state from which a run goes on. Lines of updates behind it are taken away, since these come
    again.
    """

    def __init__(self, folder: Path | None, history: Sequence[Line]) -> None:
        self._path = None if folder is None else folder / NAME
        # Where the last line begins.
        self._last = 0
        if self._path and (history or self._path.exists()):
            with whole_file(self._path) as stream:
                for line in history:
                    self._last = stream.tell()
                    stream.write(_written(line))

    def add(self, line: Line) -> None:
        """Append the line of an update."""
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with naming(self._path), self._path.open("a", encoding="utf-8") as stream:
                self._last = stream.tell()
                stream.write(_written(line))

    def amend(self, line: Line) -> None:
        """Put the line of the last update in the place of what was said of it before."""
        if self._path:
            with naming(self._path), self._path.open("r+", encoding="utf-8") as stream:
                stream.seek(self._last)
                stream.truncate()
                stream.write(_written(line))


def history_lines(history: Sequence[Line]) -> str:
    """A whole history, as the file of a checkpoint has it."""
    return "".join(map(_written, history))


def _written(line: Line) -> str:
    return json.dumps(line) + "\n"
