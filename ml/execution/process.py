"""Layer 2: real Python in a forked child under rlimits, Landlock and seccomp, for what Monty lacks.

The parent keeps the clock, cuts the output, and reads the verdict from the child's exit status. The child
starts from scratch for each path: unlike Monty's states, a process that ran a model's code is never used
again.
"""

from __future__ import annotations

import array
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.execution.confinement import landlock_version, machine
from ml.execution.fork_server import NOT_CONFINED, STEP_FAILED
from ml.execution.outcome import Execution, Verdict

OUTPUT_BYTES = 64 * 1024
WALL_SECONDS = 20.0
SECONDS_TO_START = 120.0
# Real libraries that the sandbox may lack: that is our fault. Any other missing module is the step's
# invention.
EXPECTED_LIBRARIES = frozenset({"sympy", "numpy", "mpmath", "scipy", "pandas", "networkx", "matplotlib"})
_SERVER = Path(__file__).with_name("fork_server.py")
# Nothing of the launcher's environment: a child could read it, and libraries obey it.
_ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


def level_name() -> str:
    """How a run's record calls this layer."""
    return f"process:landlock{landlock_version()}+seccomp-{machine()}"


@dataclass(slots=True)
class _Server:
    process: subprocess.Popen[bytes]
    connection: socket.socket


class ProcessLayer:
    """A pool of fork servers, each running one child at a time. Thread-safe."""

    def __init__(self, servers: int = 2, wall_seconds: float = WALL_SECONDS) -> None:
        self.level = level_name()
        self.wall_seconds = wall_seconds
        self._idle: queue.SimpleQueue[_Server | None] = queue.SimpleQueue()
        for _ in range(servers):
            self._idle.put(None)
        self._servers = servers
        self._started: set[int] = set()
        self._lock = threading.Lock()

    def run(self, codes: Sequence[str]) -> Execution:
        """Run a path from its first step; raises nothing, whatever happens."""
        started = time.perf_counter()
        server = self._idle.get()
        try:
            server = server or self._start()
            output, status, report = self._exchange(server, codes)
            return self._verdict(output, status, report, len(codes), time.perf_counter() - started)
        except (OSError, ValueError, TimeoutError) as error:
            if server is not None:
                _end(server)
            server = None
            return Execution(
                Verdict.INFRASTRUCTURE, "", self.level, 0, f"sandbox: {error}", time.perf_counter() - started
            )
        finally:
            self._idle.put(server)

    def close(self) -> None:
        """End the servers; runs under way end first."""
        servers = [self._idle.get() for _ in range(self._servers)]
        for server in servers:
            if server is not None:
                _end(server)
            self._idle.put(None)

    def _start(self) -> _Server:
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", str(_SERVER)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        server = _Server(process, ours)
        if _read_line(ours, SECONDS_TO_START).get("ready") is not True:
            _end(server)
            raise OSError("the fork server did not start")
        return server

    def _exchange(self, server: _Server, codes: Sequence[str]) -> tuple[bytes | None, int, dict[str, Any]]:
        """Send a path, read what it prints; (output or None where the wall clock ran out, wait status,
        report).
        """
        output_read, output_write = os.pipe()
        report_read, report_write = os.pipe()
        try:
            handles = array.array("i", [output_write, report_write])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)]
            body = json.dumps({"codes": list(codes)}).encode() + b"\n"
            sent = server.connection.sendmsg([body], ancillary)
            server.connection.sendall(body[sent:])
        finally:
            os.close(output_write)
            os.close(report_write)
        try:
            output = self._read_output(output_read)
            if output is None or len(output) > OUTPUT_BYTES:
                server.connection.send(b"k")
            status = int(_read_line(server.connection, self.wall_seconds)["status"])
            os.set_blocking(report_read, False)
            return output, status, _parse_report(report_read)
        finally:
            os.close(output_read)
            os.close(report_read)

    def _read_output(self, handle: int) -> bytes | None:
        """Until the child's end, or one byte over the cap; None where the time is up."""
        deadline = time.monotonic() + self.wall_seconds
        output = b""
        while len(output) <= OUTPUT_BYTES:
            ready, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                return None
            part = os.read(handle, OUTPUT_BYTES + 1 - len(output))
            if not part:
                break
            output += part
        return output

    def _verdict(
        self, output: bytes | None, status: int, report: dict[str, Any], steps: int, seconds: float
    ) -> Execution:
        """The verdict by exit status; what the child reports only names the step and the error."""

        def execution(verdict: Verdict, ran: int, error: str = "") -> Execution:
            text = (output or b"")[:OUTPUT_BYTES].decode("utf-8", "replace")
            return Execution(verdict, text, self.level, ran, error, seconds)

        failed = min(max(int(report.get("step", steps - 1)), 0), steps - 1)
        if output is None:
            return execution(Verdict.INFRASTRUCTURE, 0, f"stopped after {self.wall_seconds:g} s")
        if len(output) > OUTPUT_BYTES:
            return execution(Verdict.PROGRAM_ERROR, steps - 1, f"more than {OUTPUT_BYTES} bytes of output")
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            return execution(Verdict.OK, steps)
        if code == STEP_FAILED:
            missing = str(report.get("missing", "")).partition(".")[0]
            verdict = Verdict.INFRASTRUCTURE if missing in EXPECTED_LIBRARIES else Verdict.PROGRAM_ERROR
            return execution(verdict, failed, str(report.get("error", "")))
        if code == NOT_CONFINED:
            return execution(Verdict.INFRASTRUCTURE, 0, f"not confined: {report.get('error', '')}")
        if code == -signal.SIGXCPU:
            return execution(Verdict.PROGRAM_ERROR, failed, "CPU time limit")
        if code == -signal.SIGSEGV:
            return execution(Verdict.PROGRAM_ERROR, failed, "stack overflow")
        return execution(Verdict.INFRASTRUCTURE, 0, f"ended with status {code}")


def _parse_report(handle: int) -> dict[str, Any]:
    """What the child reported. A model's code may have written it: anything odd counts as nothing."""
    try:
        report = json.loads(os.read(handle, 4096) or b"{}")
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(report, dict) or not isinstance(report.get("step", 0), int):
        return {}
    return report


def _read_line(connection: socket.socket, seconds: float) -> dict[str, Any]:
    connection.settimeout(seconds)
    body = b""
    while not body.endswith(b"\n"):
        part = connection.recv(4096)
        if not part:
            raise OSError("the fork server ended")
        body += part
    connection.settimeout(None)
    return dict(json.loads(body))


def _end(server: _Server) -> None:
    server.connection.close()
    server.process.kill()
    server.process.wait()
