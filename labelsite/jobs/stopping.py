"""Signals that tell a runner to stop: heard once, and not before the job's child has had time to save."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, ParamSpec, Self, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Handler = Callable[[int, FrameType | None], Any]
# SIGQUIT is how a Celery worker may end its pool; where nobody handles a signal it means what it always means.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class _Signals:
    """While it is entered, `_hear` stands before the handlers that this process has. Other threads hear no signals."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Handler] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in STOPS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._before[number] = handler
                    signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        raise NotImplementedError


class _StoppedOnce(_Signals):
    def __init__(self) -> None:
        super().__init__()
        self._is_passing_on = False

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._is_passing_on = number, True
            try:
                self._pass_on(number, frame)
            finally:
                self._is_passing_on = False
        elif self._is_passing_on and number != self.number:
            # What a worker without a pool does on SIGTERM is to send itself SIGQUIT.
            self._pass_on(number, frame)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        try:
            self._before[number](number, frame)
        finally:
            # The handler of Celery's pool puts the signal's default in its own place.
            signal.signal(number, self._hear)


def stopped_once(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The first signal ends the work as its handler says; the next ones must not end the handing back of the job.

    Celery sends its pool two, and the second would end the process at once: the job would wait for somebody to
    notice, and pay for it with an attempt.
    """

    @functools.wraps(work)
    def guarded(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        with _StoppedOnce():
            return work(*arguments, **options)

    return guarded


class StopLater(_Signals):
    """The signals are noted, and passed on when this is left."""

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        if self.number is not None:
            signal.raise_signal(self.number)

    @property
    def is_asked(self) -> bool:
        """Whether this process was told to stop."""
        return self.number is not None

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number
