"""A request to stop: the loop ends its packed row, saves its last whole update, and stops."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], Any] | int | None


class TerminationFlag:
    """Turns SIGTERM and Ctrl-C into a flag that the loop looks at between packed rows; a second Ctrl-C ends it at
    once. heard: the last signal that raised it, None where none did."""

    def __init__(self) -> None:
        self.raised = False
        self.heard: int | None = None
        self._before: dict[int, Handler] = {}

    def __enter__(self) -> TerminationFlag:
        for number in (signal.SIGTERM, signal.SIGINT):
            # What a parent had ignored stays so: nohup, or a shell that started this in the background.
            if signal.getsignal(number) == signal.SIG_IGN:
                continue
            try:
                self._before[number] = signal.signal(number, self._raise)
            except ValueError:
                # Not the main thread: whoever owns the process decides what a signal does.
                break
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if kind is None and self.heard is not None:
            # It came after the last look, and nobody has obeyed it.
            signal.raise_signal(self.heard)

    def _raise(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGINT and self.heard == number:
            raise KeyboardInterrupt
        self.raised, self.heard = True, number
