"""Processes that have run a path and wait to be forked: a step's state is there, and is not computed again.

A process that ran a model's code is not trusted with anything. It is stopped but for the moment in which it is to
fork, and measured each time it was not. It can fork only when the server, which its filter asks, has just told it to;
the fork is the server's own child; and parent and fork share no writable memory. Standard library only: the fork
server imports it by path.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

SECONDS_TO_FORK = 5.0
# A kept process holds no more of its own than this; a path that computed more runs again for its next step.
PRIVATE_BYTES = 64 * 1024 * 1024
SECONDS_BETWEEN_LOOKS = 0.5
DONE = b'{"done": true}\n'

# Of the kernel's seccomp_unotify: struct sizes, and the two requests of its handle.
_ASKED, _RECEIVE, _DECIDE, _CONTINUE = 80, 0xC0502100, 0xC0182101, 1
_EPERM = -1

_libc = ctypes.PyDLL(None, use_errno=True)


def wait_to_be_forked(control: socket.socket, receive: Callable[[socket.socket], Any]) -> dict[str, Any]:
    """In a child that has run its steps: report that, wait, and return in a fork with what that is to run."""
    # A neighbour in the folder that the server was started from, not in the package.
    from confinement import FORK_FLAGS, PR_SET_PDEATHSIG, fork_number

    os.dup2(0, 1)
    os.dup2(0, 2)
    os.write(3, DONE)
    os.dup2(0, 3)
    while True:
        request, handles = receive(control)
        if request is None:
            os._exit(0)
        if _libc.syscall(fork_number(), FORK_FLAGS, 0, 0, 0, 0) == 0:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            printed, report, own_control = handles
            for source, target in ((printed, 1), (printed, 2), (report, 3), (own_control, 4)):
                os.dup2(source, target)
            for handle in handles:
                os.close(handle)
            return dict(request)
        for handle in handles:
            os.close(handle)


class Snapshot:
    """A child of the server: running, or kept. `listener` decides over its forks; None if it cannot fork.

    most_cpu_seconds: for all its steps together, and the forks made of it. Each step's own limit is a timer in the
    child, which a program may switch off.
    """

    def __init__(
        self, pid: int, control: socket.socket, listener: int | None, most_cpu_seconds: float
    ) -> None:
        self.pid, self.control, self.listener = pid, control, listener
        self.most_cpu_seconds = most_cpu_seconds
        self.handle = os.pidfd_open(pid)

    def end(self) -> int:
        """Kill it if it still runs; its wait status."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        self.close()
        return status

    def stop(self) -> bool:
        """Let it do nothing until it goes on; False where it has ended."""
        os.kill(self.pid, signal.SIGSTOP)
        found = os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        return found is not None and found.si_code == os.CLD_STOPPED

    def go_on(self) -> None:
        """After a stop."""
        os.kill(self.pid, signal.SIGCONT)

    def is_over_budget(self) -> bool:
        """Whether it has used more processor time than it may; the kernel names a process's clock by its number."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2) > self.most_cpu_seconds
        except OSError:
            return False

    def is_large(self) -> bool:
        """Whether it has more memory of its own than a kept process may."""
        return _anonymous_bytes(self.pid) - _anonymous_bytes(os.getpid()) > PRIVATE_BYTES

    def close(self) -> None:
        os.close(self.handle)
        self.control.close()
        if self.listener is not None:
            os.close(self.listener)


class Snapshots:
    """The kept children, by the key of the path that they ran."""

    def __init__(self) -> None:
        self.kept: dict[str, Snapshot] = {}

    def drop(self, keys: Sequence[str]) -> None:
        """End these."""
        for key in keys:
            if key in self.kept:
                self.kept.pop(key).end()

    def end(self) -> None:
        """End all, and whatever else is a child of the server."""
        self.drop(list(self.kept))
        for pid in _children():
            os.kill(pid, signal.SIGKILL)

    def fork(
        self, request: dict[str, Any], handles: Sequence[int], control: socket.socket, cpu_seconds: float
    ) -> Snapshot | None:
        """Have a kept process fork and run a request; None where it does not do so."""
        parent = self.kept.get(request["parent"])
        if parent is None or parent.listener is None:
            return None
        child = None
        try:
            parent.go_on()
            socket.send_fds(parent.control, [json.dumps(request).encode() + b"\n"], list(handles))
            pid = self._allow_one_fork(parent)
            if pid is not None:
                child = Snapshot(pid, control, os.dup(parent.listener), cpu_seconds)
        except OSError:
            pass
        # It has run for a moment, in which it may have done anything.
        if child is None or not parent.stop() or parent.is_large() or parent.is_over_budget():
            self.drop([request["parent"]])
        return child

    def _allow_one_fork(self, parent: Snapshot) -> int | None:
        assert parent.listener is not None
        known = _children()
        ready, _, _ = select.select([parent.listener, parent.handle], [], [], SECONDS_TO_FORK)
        if parent.listener not in ready or parent.handle in ready:
            return None
        if not _decide(parent.listener, parent.pid):
            return None
        deadline = time.monotonic() + SECONDS_TO_FORK
        while time.monotonic() < deadline:
            new = _children() - known
            if new:
                return new.pop()
            time.sleep(0.0001)
        return None

    def watch(self, child: Snapshot, connection: socket.socket, keep: str | None) -> dict[str, Any]:
        """Until the child has ended, or is kept. A byte from the parent says which of the two it wants."""
        watched = [child.handle, connection.fileno()] + ([] if child.listener is None else [child.listener])
        while True:
            ready, _, _ = select.select(watched, [], [], SECONDS_BETWEEN_LOOKS)
            if child.handle in ready:
                return {"status": child.end()}
            if child.is_over_budget():
                child.end()
                return {"status": int(signal.SIGXCPU)}
            if not ready:
                continue
            if child.listener in ready:
                if not _decide(child.listener, None):
                    watched.remove(child.listener)
                continue
            if connection.recv(1) == b"s" and keep:
                return self._keep(child, keep)
            return {"status": child.end()}

    def _keep(self, child: Snapshot, key: str) -> dict[str, Any]:
        self.drop([key])
        if not child.stop():
            return {"status": child.end()}
        # One whose forks nobody watches can have none, and would only be in the way.
        if child.listener is None or child.is_large():
            child.end()
            return {"kept": False}
        self.kept[key] = child
        return {"kept": True}


def receive_listener(watching: socket.socket) -> int | None:
    """The handle that a new child sends once its forks are watched; None if it ends before that."""
    watching.settimeout(SECONDS_TO_FORK)
    try:
        _, handles, _, _ = socket.recv_fds(watching, 1, 1)
    except OSError:
        return None
    return handles[0] if handles else None


def _anonymous_bytes(pid: int) -> int:
    """A process's memory that is no file's. A fork's begins as its parent's, which it shares until it writes."""
    with open(f"/proc/{pid}/statm") as file:
        _, resident, of_files, *_ = map(int, file.read().split())
    return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")


def _children() -> set[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(map(int, file.read().split()))


def _decide(listener: int, allowed: int | None) -> bool:
    """Answer one process that wants to fork: yes to the allowed one, no to any other. False if none is left."""
    asked = bytearray(_ASKED)
    try:
        fcntl.ioctl(listener, _RECEIVE, asked)
        number, pid = struct.unpack_from("=QI", asked)
        answer = (0, 0, _CONTINUE) if pid == allowed else (0, _EPERM, 0)
        fcntl.ioctl(listener, _DECIDE, struct.pack("=QqiI", number, *answer))
    except OSError:
        return False
    return allowed is None or pid == allowed
