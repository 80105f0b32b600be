"""The folder of a learning curve: one line for each point as it is measured, so that none is measured twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml.errors import MisstepError
from ml.evaluation.curve_report import draw, report
from ml.evaluation.label_worth import MEASURES, curves, worth
from ml.json_lines import as_line
from ml.whole_file import whole_file

SETTINGS, POINTS = "settings.json", "points.jsonl"


class CurveFolder:
    """path: the folder, made where there is none. settings: what decides a point beside its labels, size and seed.

    available: for each kind of labels, on how many solutions to train on there are some. left_out: the points whose
    samples taught nothing, with the reason; the same samples are drawn again when a command goes on.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        """Raises MisstepError for a folder with points of other settings, or with something else in it."""
        self.path, self.settings = path, dict(settings)
        self.available: dict[str, int] = {}
        self.left_out: list[dict[str, Any]] = []
        known = path / SETTINGS
        if known.is_file():
            self._refuse_others(json.loads(known.read_text(encoding="utf-8")))
        elif path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise MisstepError(f"{path} already holds files, expected a new or empty folder")
        else:
            with whole_file(known) as stream:
                json.dump(self.settings, stream, indent=2, ensure_ascii=False)
        self.points = self._read()

    def add(self, point: Mapping[str, Any]) -> None:
        """Keep a point: it is on the disk before the next one begins."""
        with (self.path / POINTS).open("a", encoding="utf-8") as stream:
            stream.write(as_line(point))
            stream.flush()
            os.fsync(stream.fileno())
        self.points.append(dict(point))

    def finish(self) -> dict[str, Any]:
        """Write curves, plots and what they say; returns all of it."""
        body = {
            "settings": self.settings,
            "available": self.available,
            "left_out": self.left_out,
            "curves": curves(self.points),
            "worth": {measure: worth(self.points, measure) for measure in MEASURES},
            "plots": draw(self.points, self.path),
        }
        with whole_file(self.path / "curve.json") as stream:
            json.dump(body, stream, indent=2, ensure_ascii=False)
        with whole_file(self.path / "curve.md") as stream:
            stream.write(self.report())
        return body

    def report(self) -> str:
        """The table and the answers."""
        return report(self.points, self.left_out)

    def _refuse_others(self, known: Mapping[str, Any]) -> None:
        # As they come back from a file: what was a tuple is a list there.
        own = json.loads(json.dumps(self.settings))
        for name in sorted({*known, *own}):
            if known.get(name) != own.get(name):
                had, wanted = (json.dumps(one[name]) if name in one else "as usual" for one in (known, own))
                raise MisstepError(
                    f"{self.path}: its points were measured with {name} {had}, expected {wanted}, or a new folder"
                )

    def _read(self) -> list[dict[str, Any]]:
        """The points so far; a line that a kill cut off is taken away, and its point measured again."""
        path = self.path / POINTS
        if not path.is_file():
            return []
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(path, len(whole))
        return [json.loads(line) for line in whole.decode().splitlines()]
