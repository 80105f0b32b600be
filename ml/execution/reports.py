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


def read_run(
    output_handle: int, report_handle: int, most: int, seconds: float, steps: int
) -> tuple[bytes | None, dict[str, Any]]:
    """The output until the child's end, its last report, or one byte over the cap; None where a step's time is up.

    The report also names the step that began last, so that it is known which one a killed child was at.
    """
    deadline = time.monotonic() + seconds
    begun = 0
    output, told, watched = b"", b"", [output_handle, report_handle]
    while watched and len(output) <= most:
        ready = _readable(watched, deadline - time.monotonic())
        if not ready:
            return None, {}
        if report_handle in ready:
            part = os.read(report_handle, 4096)
            told += part
            report = parse(told)
            if begun < report.get("step", 0) < steps:
                # Each step has the same time; a forged report gains no more than that of the steps to come.
                begun += 1
                deadline = time.monotonic() + seconds
            if report.get("done") is True or "error" in report:
                return output + read_now(output_handle, most + 1 - len(output)), report
            if not part or len(told) > REPORT_BYTES:
                watched.remove(report_handle)
            continue
        part = os.read(output_handle, most + 1 - len(output))
        output += part
        if not part:
            watched.remove(output_handle)
    return output, parse(told + read_now(report_handle, 4096))


def _readable(handles: Sequence[int], seconds: float) -> list[int]:
    """Which of these have something to read, or their end, within so long."""
    # Not select.select, which refuses handles from 1024 on: a run with many connections has them.
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    return [handle for handle, _ in poll.poll(max(0.0, seconds) * 1000)]


def read_now(handle: int, limit: int) -> bytes:
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


def parse(body: bytes) -> dict[str, Any]:
    """What the child reported, a line each time, the later ones over the earlier; anything odd counts as nothing."""
    report: dict[str, Any] = {}
    for line in body.splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict) and isinstance(told.get("step", 0), int):
            report |= told
    return report


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
