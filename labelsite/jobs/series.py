"""The figures that a job reported while it ran, kept as a file of bounded size, and as lines to draw."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from types import TracebackType
from typing import Any

LARGEST_SERIES = 2**20
WIDTH, HEIGHT, MARGIN = 320.0, 120.0, 6.0
MOST_POINTS = 200
TAIL_BYTES = 65536


class SeriesWriter:
    """Appends progress reports to `progress.jsonl`.

    When the file passes LARGEST_SERIES bytes every second line goes, and from then on every second report,
    and so on: a day's curve takes as little room as an hour's, only with wider steps.
    """

    def __init__(self, folder: Path, attempt: int) -> None:
        self.path = folder / "progress.jsonl"
        self.attempt = attempt
        self.every = 1
        self.seen = 0
        self.file = open(self.path, "a+")  # noqa: SIM115

    def __enter__(self) -> SeriesWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()

    def add(self, progress: Mapping[str, Any]) -> None:
        """Take one report; the last of its kind is always kept by the job's row, so none is special here."""
        self.seen += 1
        if self.seen % self.every:
            return
        self.file.write(json.dumps({"attempt": self.attempt, **progress}) + "\n")
        self.file.flush()
        if self.file.tell() > LARGEST_SERIES:
            self._thin_out()

    def _thin_out(self) -> None:
        self.every *= 2
        self.file.seek(0)
        kept = self.file.readlines()[::2]
        # In append mode a write goes to the end, which truncation has just moved to the start.
        self.file.truncate(0)
        self.file.writelines(kept)
        self.file.flush()


@dataclass(frozen=True)
class Curve:
    """One metric over the work done. `points` is an SVG polyline in a box of WIDTH x HEIGHT."""

    name: str
    points: str
    low: float
    high: float
    last: float
    count: int


def read_metrics(path: Path) -> dict[str, list[tuple[float, float]]]:
    """The metrics in a `progress.jsonl`, in order of appearance, each as points (work done, value) from left to right;
    {} when there is none yet.

    A later attempt resumes further back, and its word counts for what it does again.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, dict[float, float]] = {}
    for line in lines:
        try:
            report = json.loads(line)
        except ValueError:
            continue  # The last line may be half-written.
        for name, value in (report.get("metrics") or {}).items():
            if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
                found.setdefault(name, {})[float(report.get("done") or 0)] = float(value)
    return {name: sorted(points.items()) for name, points in found.items()}


def curves(path: Path) -> list[Curve]:
    """The curves of all metrics in a `progress.jsonl`, in order of appearance; [] when there is none."""
    return [_curve(name, points) for name, points in read_metrics(path).items() if len(points) > 1]


def _curve(name: str, points: list[tuple[float, float]]) -> Curve:
    thinned = points[:: max(1, len(points) // MOST_POINTS)]
    left, right = points[0][0], points[-1][0]
    low, high = min(y for _, y in points), max(y for _, y in points)
    across, up = (right - left) or 1.0, (high - low) or 1.0
    drawn = [
        (
            MARGIN + (WIDTH - 2 * MARGIN) * (x - left) / across,
            HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (y - low) / up,
        )
        for x, y in thinned
    ]
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
    return Curve(name, text, low, high, points[-1][1], len(points))


def tail(path: Path, lines: int = 100) -> str:
    """The last lines of a log, read from its end; empty when there is no log."""
    try:
        with open(path, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
