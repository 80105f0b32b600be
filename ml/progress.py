"""How a command says how far it is: JSON lines for a parent process, a short line for a person.

With `MISSTEP_PROGRESS=json` each report is one stdout line `{"progress": {...}}` that the job runner reads, and so is
what the command refuses, `{"refusal": ...}`.
Otherwise a person gets it on stderr, so that stdout stays free for the result: at most twice a second, and the more
seldom the longer it takes, since days of such lines would fill a log.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from ml.json_lines import as_line
from ml.said import sayable

# In a person's log, a hundredth of the time that has passed stands between two lines, up to this.
LONGEST_INTERVAL = 60.0


@dataclass
class Progress:
    """Reports `done` of `total` units of work. `total` may be None when it is not known beforehand.

    begun_at: how many units an earlier run had done. They took this process no time, so its pace leaves them out.
    """

    unit: str
    total: int | None = None
    begun_at: int = 0
    minimum_interval: float = 0.5
    _last: float = field(default=0.0, repr=False)
    _line: str = field(default="", repr=False)
    _started: float = field(default_factory=time.monotonic, repr=False)

    def report(
        self, done: int, message: str = "", metrics: Mapping[str, Any] | None = None, is_due: bool = False
    ) -> None:
        """Say how far the work is; skipped when the last report is too fresh, except for the final one and for what
        is said once in a while (`is_due`)."""
        now = time.monotonic()
        if now - self._last < self._interval(now) and done != self.total and not is_due:
            return
        self._last = now
        numbers = dict(metrics or {})
        body = {
            "done": done,
            "begun_at": self.begun_at,
            "total": self.total,
            "unit": self.unit,
            "message": message,
            "seconds": round(now - self._started, 2),
            "metrics": numbers,
        }
        if _is_for_a_parent():
            _say(json.dumps({"progress": body}), sys.stdout)
        else:
            self._tell_a_person(done, message, numbers)

    def _tell_a_person(self, done: int, message: str, numbers: Mapping[str, Any]) -> None:
        """The same as a line, unless the last one said just that; a figure that is not there yet is left out."""
        of = f"/{self.total}" if self.total is not None else ""
        figures = " ".join(
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in numbers.items()
            if value is not None
        )
        # "problems read" is "problem read" where there is one.
        is_one = (done if self.total is None else self.total) == 1
        unit = re.sub(r"s\b", "", self.unit, count=1) if is_one else self.unit
        line = f"{done}{of} {unit} {figures} {message}".rstrip()
        if line != self._line:
            _say(line, sys.stderr)
        self._line = line

    def _interval(self, now: float) -> float:
        seldom = min((now - self._started) / 100, LONGEST_INTERVAL)
        return self.minimum_interval if _is_for_a_parent() else max(self.minimum_interval, seldom)

    def finish(self, done: int, metrics: Mapping[str, Any] | None = None) -> None:
        """The last report, which is never skipped: by now the total is known, whatever was thought of it before."""
        self.total = done
        self.report(done, metrics=metrics)


def tell(message: str) -> None:
    """Say what keeps the work waiting, at once; an empty message takes it back, and so does the next report.

    The line holds the message alone: the figures stand as they were last reported.
    """
    if _is_for_a_parent():
        _say(json.dumps({"progress": {"message": message}}), sys.stdout)
    if message:
        _say(message, sys.stderr)


def tell_refusal(why: str) -> None:
    """Say to a parent process why the work is refused: as words and values, where the text remembers them."""
    if _is_for_a_parent():
        _say(json.dumps({"refusal": sayable(why)}), sys.stdout)


def _is_for_a_parent() -> bool:
    return os.environ.get("MISSTEP_PROGRESS") == "json"


def _say(line: str, stream: TextIO) -> None:
    """One write for the line and its end: threads speak at the same time, and `print` writes the two apart."""
    stream.write(f"{line}\n")
    stream.flush()


def pace(report: Mapping[str, Any]) -> float | None:
    """Units a second of the process that made this report; None until it has done one itself."""
    done, begun_at, seconds = (report.get(name) for name in ("done", "begun_at", "seconds"))
    if done is None or begun_at is None or not seconds or done <= begun_at:
        return None
    return float((done - begun_at) / seconds)


def print_result(result: Mapping[str, Any]) -> None:
    """Print the command's result: one JSON object, the last line on stdout."""
    print(as_line(result), end="", flush=True)
