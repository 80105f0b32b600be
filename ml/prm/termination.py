"""SIGTERM as a request: the loop ends its update, saves, and stops."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class TerminationFlag:
    """Turns SIGTERM into a flag that the loop looks at between updates."""

    def __init__(self) -> None:
        self.raised = False
        self._before: Callable[[int, FrameType | None], Any] | int | None = None

    def __enter__(self) -> TerminationFlag:
        try:
            self._before = signal.signal(signal.SIGTERM, self._raise)
        except ValueError:
            # Not the main thread: whoever owns the process decides what SIGTERM does.
            self._before = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _raise(self, *_: object) -> None:
        self.raised = True
