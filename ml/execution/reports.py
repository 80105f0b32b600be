"""What the parent reads from a child's pipes and the fork server's socket. A model's code may have written it."""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

REPORT_BYTES = 64 * 1024


class Report:
    """What a child of so many steps has reported, a line each time, the later ones over the earlier; anything odd
    counts as nothing. It also names the step that began last, so that it is known which one a killed child was at.

    is_done: whether the child says that it has run its steps, the last of which had begun.
    """

    def __init__(self, steps: int = 1) -> None:
        self.told: dict[str, Any] = {}
        self.is_done, self.size = False, 0
        self._steps, self._begun, self._rest = steps, 0, b""

    def take(self, part: bytes) -> bool:
        """Read the lines that this part ends; whether another step has begun."""
        begun = self._begun
        self.size += len(part)
        *lines, self._rest = (self._rest + part).split(b"\n")
        for line in lines:
            self._read(line)
        return self._begun > begun

    def _read(self, line: bytes) -> None:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(told, dict) or not isinstance(told.get("step", 0), int):
            return
        self.told |= told
        if self._begun < told.get("step", 0) < self._steps:
            # Each step has the same time; a forged report gains no more than that of the steps to come.
            self._begun += 1
        self.is_done = self.told.get("done") is True and self._begun == self._steps - 1


def read_run(
    server: socket.socket, output_handle: int, report_handle: int, most: int, seconds: float, steps: int
) -> tuple[bytes | None, Report]:
    """The output until the server tells of the child's end, the child is done, or one byte over the cap, and what it
    reported; None where a step's time is up.

    Not until its pipes end: a child may close them and live on, and another process may hold them open.
    """
    deadline = time.monotonic() + seconds
    output, report = b"", Report(steps)
    watched = [output_handle, report_handle, server.fileno()]
    while len(output) <= most:
        # Looked at each time: a child may always have something ready.
        left = deadline - time.monotonic()
        ready = readable(watched, left) if left > 0 else []
        if not ready:
            return None, report
        if report_handle in ready:
            part = os.read(report_handle, 4096)
            if report.take(part):
                deadline = time.monotonic() + seconds
            if report.is_done:
                output += _read_now(output_handle, most + 1 - len(output))
                break
            if not part or report.size > REPORT_BYTES:
                watched.remove(report_handle)
        elif output_handle in ready:
            part = os.read(output_handle, most + 1 - len(output))
            output += part
            if not part:
                watched.remove(output_handle)
        else:
            report.take(b"\n")
            break
    return output, report


def readable(handles: Sequence[int], seconds: float) -> list[int]:
    """Which of these have something to read, or their end, within so long."""
    # Not select.select, which refuses handles from 1024 on: a run with many connections has them.
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    return [handle for handle, _ in poll.poll(max(0.0, seconds) * 1000)]


def _read_now(handle: int, limit: int) -> bytes:
    """What already lies in a pipe."""
    os.set_blocking(handle, False)
    found = b""
    try:
        while len(found) < limit:
            part = os.read(handle, limit - len(found))
            if not part:
                break
            found += part
    except BlockingIOError:
        pass
    return found


def read_line(connection: socket.socket, seconds: float) -> dict[str, Any]:
    """A line of JSON from the fork server; OSError where it has ended."""
    connection.settimeout(seconds)
    body = b""
    while not body.endswith(b"\n"):
        part = connection.recv(4096)
        if not part:
            raise OSError("the fork server ended")
        body += part
    connection.settimeout(None)
    return dict(json.loads(body))
