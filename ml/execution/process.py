"""Layer 2: real Python in a forked child under rlimits, Landlock and seccomp, for what Monty lacks.

The parent keeps the clock, cuts the output, and reads the verdict from the child's exit status. A child that
ran a path is kept for a while: the path's next step runs in a fork of it, so its cost does not grow with depth,
and siblings, which are forks of one parent, share nothing that they could write.
"""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml.execution import bubblewrap
from ml.execution.confinement import landlock_version, machine
from ml.execution.fork_server import NOT_CONFINED
from ml.execution.outcome import Execution, Verdict, path_keys
from ml.execution.reports import read_line, read_run, readable
from ml.execution.step_runner import OUTPUT_BYTES, STEP_FAILED

# For each step, like its processor time.
WALL_SECONDS = 20.0
SECONDS_TO_START = 120.0
# Each may hold up to snapshots.PRIVATE_BYTES of its own: at most 1 GiB for a server.
SNAPSHOTS_KEPT = 16
SECONDS_TO_END = 2.0
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
# How a level begins whose fork server is in bubblewrap.
WRAPPED = "bwrap+"


def level_name(wrapped: bool) -> str:
    """How a run's record calls this layer."""
    return f"{WRAPPED if wrapped else ''}process:landlock{landlock_version()}+seccomp-{machine()}"


@dataclass(slots=True, eq=False)
class _Server:
    """A fork server (None before its first use), and the keys of the paths whose processes it keeps."""

    process: subprocess.Popen[bytes] | None = None
    connection: socket.socket | None = None
    kept: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def longest_known(self, keys: Sequence[str]) -> int:
        """How many of a path's steps a kept process has run."""
        return next((length for length in range(len(keys), 0, -1) if keys[length - 1] in self.kept), 0)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came back: the output (None where the wall clock ran out), the wait status, and the report."""

    output: bytes | None
    status: int
    report: dict[str, Any]


class ProcessLayer:
    """A pool of fork servers, each running one child at a time. Thread-safe.

    wrapped: in bubblewrap; None for wherever that is available.
    """

    def __init__(
        self, servers: int = 2, wall_seconds: float = WALL_SECONDS, wrapped: bool | None = None
    ) -> None:
        self.wrapped = bubblewrap.is_available() if wrapped is None else wrapped
        self.level = level_name(self.wrapped)
        self.wall_seconds = wall_seconds
        self._idle = [_Server() for _ in range(servers)]
        self._servers = servers
        self._freed = threading.Condition()

    def run(self, codes: Sequence[str], keep_states: bool = False, is_partial: bool = False) -> Execution:
        """Run a path, from its longest kept prefix on; raises nothing, whatever happens.

        keep_states: keep the process for the path's next steps. is_partial: run it also where this system has not all
        that confines it.
        """
        started = time.perf_counter()
        keys = [key.hex() for key in path_keys(codes)]
        server = self._take(keys)
        try:
            if server.process is None:
                self._start(server)
            # A path that is known as a whole is run once more from its parent: its output is not kept.
            known = server.longest_known(keys[:-1])
            how = {"keep": keys[-1] if keep_states else None, "partial": is_partial}
            answer = self._exchange(server, codes[known:], keys, known, how)
            if answer is None:
                known = 0
                answer = self._exchange(server, codes, keys, 0, how)
            assert answer is not None
            return self._verdict(answer, known, len(codes), time.perf_counter() - started)
        except (OSError, ValueError, TimeoutError) as error:
            _end(server)
            seconds = time.perf_counter() - started
            return Execution(Verdict.INFRASTRUCTURE, "", self.level, 0, f"sandbox: {error}", seconds)
        finally:
            with self._freed:
                self._idle.append(server)
                self._freed.notify()

    def _take(self, keys: Sequence[str]) -> _Server:
        """The idle server that knows most of the path; the one that ran last, if none knows any."""
        with self._freed:
            self._freed.wait_for(lambda: self._idle)
            server = max(reversed(self._idle), key=lambda server: server.longest_known(keys[:-1]))
            self._idle.remove(server)
            return server

    def close(self) -> None:
        """End the servers; runs under way end first."""
        with self._freed:
            self._freed.wait_for(lambda: len(self._idle) == self._servers)
            for server in self._idle:
                _end(server)

    def _start(self, server: _Server) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", str(_SERVER)]
        with theirs:
            server.process = subprocess.Popen(
                bubblewrap.command(command, _SERVER.parent) if self.wrapped else command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        server.connection = ours
        if read_line(ours, SECONDS_TO_START).get("ready") is not True:
            raise OSError("the fork server did not start")

    def _exchange(
        self, server: _Server, codes: Sequence[str], keys: Sequence[str], known: int, how: dict[str, Any]
    ) -> _Answer | None:
        """Have steps run after the `known` ones; None where the process that ran those is lost."""
        assert server.connection is not None
        parent = keys[known - 1] if known else None
        request = {
            "codes": list(codes), "parent": parent, "drop": _oldest(server, parent), "known": known, **how,
        }  # fmt: skip
        output_read, output_write = os.pipe()
        report_read, report_write = os.pipe()
        try:
            handles = array.array("i", [output_write, report_write])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, handles)]
            body = json.dumps(request).encode() + b"\n"
            sent = server.connection.sendmsg([body], ancillary)
            server.connection.sendall(body[sent:])
        finally:
            os.close(output_write)
            os.close(report_write)
        try:
            limits = OUTPUT_BYTES, self.wall_seconds, len(codes)
            output, report = read_run(server.connection, output_read, report_read, *limits)
            if output is None or len(output) > OUTPUT_BYTES:
                server.connection.send(b"k")
            elif report.is_done:
                server.connection.send(b"s")
            answer = read_line(server.connection, self.wall_seconds)
            if answer.get("lost"):
                server.kept.pop(str(parent), None)
                return None
            if answer.get("kept"):
                server.kept[keys[-1]] = None
            return _Answer(output, int(answer.get("status", 0)), report.told)
        finally:
            os.close(output_read)
            os.close(report_read)

    def _verdict(self, answer: _Answer, known: int, steps: int, seconds: float) -> Execution:
        """The verdict by exit status; what the child reports only names the step and the error."""
        output, report = answer.output, answer.report

        def execution(verdict: Verdict, ran: int, error: str = "", is_whole: bool = True) -> Execution:
            # How much of its output a process that is killed had passed on is chance.
            text = ((output or b"") if is_whole else b"")[:OUTPUT_BYTES].decode("utf-8", "replace")
            return Execution(verdict, text, self.level, ran, error, seconds)

        failed = min(max(known + int(report.get("step", 0)), known), steps - 1)
        code = os.waitstatus_to_exitcode(answer.status)
        if output is None:
            return execution(Verdict.INFRASTRUCTURE, 0, f"stopped after {self.wall_seconds:g} s")
        if len(output) > OUTPUT_BYTES:
            return execution(Verdict.PROGRAM_ERROR, failed, f"more than {OUTPUT_BYTES} bytes of output")
        if code == 0:
            return execution(Verdict.OK, steps)
        if code == STEP_FAILED:
            missing = str(report.get("missing", "")).partition(".")[0]
            verdict = Verdict.INFRASTRUCTURE if missing in EXPECTED_LIBRARIES else Verdict.PROGRAM_ERROR
            return execution(verdict, failed, str(report.get("error", "")))
        if code == NOT_CONFINED:
            return execution(Verdict.INFRASTRUCTURE, 0, f"not confined: {report.get('error', '')}")
        if code in (-signal.SIGXCPU, -signal.SIGPROF):
            return execution(Verdict.PROGRAM_ERROR, failed, "CPU time limit", is_whole=False)
        if code == -signal.SIGSEGV:
            return execution(Verdict.PROGRAM_ERROR, failed, "stack overflow", is_whole=False)
        return execution(Verdict.INFRASTRUCTURE, 0, f"ended with status {code}")


def _oldest(server: _Server, parent: str | None) -> list[str]:
    """The kept paths that must go before another is kept; the parent of what runs next stays."""
    if parent is not None:
        server.kept.move_to_end(parent)
    count = max(0, len(server.kept) + 1 - SNAPSHOTS_KEPT)
    return [server.kept.popitem(last=False)[0] for _ in range(count)]


def _end(server: _Server) -> None:
    """End a server's process, and what it kept."""
    if server.connection is not None:
        server.connection.close()
    if server.process is not None:
        # There may be no handle left for the one, and nobody to be signalled by the other.
        with suppress(OSError):
            _wait_for_end(server.process.pid)
        # Its children are of its process group, which they cannot leave. They may outlive a server that was killed.
        with suppress(OSError):
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.kill()
        server.process.wait()
    server.process, server.connection = None, None
    server.kept.clear()


def _wait_for_end(pid: int) -> None:
    """Until a child has ended, for a while. It is not taken from the kernel's table: its number stays its own."""
    handle = os.pidfd_open(pid)
    readable([handle], SECONDS_TO_END)
    os.close(handle)
