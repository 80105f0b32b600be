"""In a confined child: runs a path's steps, each alike whether or not others run before it in one process.

A step has its own budget of processor time, its own numbers in tracebacks, and prints to one stream
that lasts for the whole path; only what the last step printed, or the one that failed, is passed on. Standard
library only: the fork server imports it by path.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import signal
import sys
import traceback
from typing import Any

STEP_FAILED = 1
OUTPUT_BYTES = 64 * 1024
# Where a child prints to, while the handle 1 leads nowhere in a step before the last; and where it reports.
PRINT_HANDLE, REPORT_HANDLE = 2, 3
_NOTHING = 0

# Taken before any step can replace it.
_set_timer = signal.setitimer


class Output(io.RawIOBase):
    """What a path prints: kept back while a later step is to come, else passed on; too much ends the process."""

    def __init__(self) -> None:
        self.step, self.is_last = 0, True
        self.held = bytearray()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, data: Any) -> int:
        """Take all of it, as a pipe does."""
        view = bytes(data)
        if self.is_last:
            _write_all(view)
            return len(view)
        self.held += view[: OUTPUT_BYTES + 1]
        if len(self.held) > OUTPUT_BYTES:
            # As the parent ends a process whose last step prints too much, so that the program cannot go on.
            self.let_go()
            _tell(self.step, f"more than {OUTPUT_BYTES} bytes of output")
            os._exit(STEP_FAILED)
        return len(view)

    def begin(self, step: int, is_last: bool) -> None:
        """A step begins: what earlier ones printed is forgotten."""
        self.held.clear()
        self.step, self.is_last = step, is_last

    def let_go(self) -> None:
        """Pass on what was kept back: the step has failed, so it is the last one."""
        _write_all(bytes(self.held[:OUTPUT_BYTES]))
        self.held.clear()
        self.is_last = True


class Steps:
    """One path's steps in one process: their names, and the stream that they print to."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
        self._open()

    def _open(self) -> None:
        self._output = Output()
        self._stream = io.TextIOWrapper(io.BufferedWriter(self._output), encoding="utf-8", errors="replace")

    def run(self, codes: list[str], known: int, cpu_seconds: float) -> int:
        """Run steps that follow `known` earlier ones, each within its own processor time; the exit status."""
        if len(codes) > 1:
            _point_handle_at(_NOTHING)
        for index, code in enumerate(codes):
            is_last = index == len(codes) - 1
            if index:
                # Should it be killed, the parent knows which one it was.
                os.write(REPORT_HANDLE, json.dumps({"step": index}).encode() + b"\n")
            if is_last and index:
                _point_handle_at(PRINT_HANDLE)
            error = self._run_one(index, is_last, code, known, cpu_seconds)
            if error is not None:
                self._output.let_go()
                _report(index, error)
                return STEP_FAILED
        return 0

    def _run_one(
        self, index: int, is_last: bool, code: str, known: int, cpu_seconds: float
    ) -> BaseException | None:
        if self._is_broken():
            self._open()
        self._output.begin(index, is_last)
        # What an earlier step put there would otherwise take this one's output.
        sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = self._stream  # type: ignore[misc]
        try:
            _set_timer(signal.ITIMER_PROF, cpu_seconds)
            exec(compile(code, f"<step {known + index + 1}>", "exec"), self.namespace)
        except SystemExit as end:
            if end.code not in (0, None):
                return end
        except BaseException as error:
            return error
        finally:
            _set_timer(signal.ITIMER_PROF, 0)
            with contextlib.suppress(Exception):
                self._stream.flush()
        return None

    def _is_broken(self) -> bool:
        """Whether an earlier step closed or took apart the stream."""
        try:
            return self._stream.closed or self._stream.buffer.raw is not self._output
        except (ValueError, AttributeError):
            return True


def _point_handle_at(target: int) -> None:
    """Where a program prints that writes to its handle itself."""
    os.dup2(target, 1)


def _write_all(data: bytes) -> None:
    while data:
        data = data[os.write(PRINT_HANDLE, data) :]


def _report(index: int, error: BaseException) -> None:
    try:
        message = "".join(traceback.format_exception_only(error)).strip()[-500:]
    except BaseException:
        message = type(error).__name__
    missing = (getattr(error, "name", None) or "") if isinstance(error, ModuleNotFoundError) else ""
    _tell(index, message, str(missing))


def _tell(index: int, message: str, missing: str = "") -> None:
    body = {"step": index, "error": message, "missing": missing}
    with contextlib.suppress(OSError):
        os.write(REPORT_HANDLE, json.dumps(body).encode()[:4000] + b"\n")
