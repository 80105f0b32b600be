"""Processes that have run a path and wait to be forked: a step's state is there, and is not computed again.

A process that ran a model's code is not trusted with anything. It can fork only when the server, which its
filter asks, has just told it to; the fork is the server's own child, so the verdict is still its exit status;
and parent and fork share no writable memory. Standard library only: the fork server imports it by path.
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
    """A child of the server: running, or kept. `listener` decides over its forks; None if it cannot fork."""

    def __init__(self, pid: int, control: socket.socket, listener: int | None) -> None:
        self.pid, self.control, self.listener = pid, control, listener
        self.handle = os.pidfd_open(pid)

    def end(self) -> int:
        """Kill it if it still runs; its wait status."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitpid(self.pid, 0)[1]
        self.close()
        return status

    def cpu_seconds(self) -> float:
        """The processor time it has used; the kernel names a process's clock by its number."""
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:
            return 0.0

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
        """End all."""
        self.drop(list(self.kept))

    def fork(
        self, request: dict[str, Any], handles: Sequence[int], control: socket.socket
    ) -> Snapshot | None:
        """Have a kept process fork and run a request; None where it does not do so."""
        parent = self.kept.get(request["parent"])
        if parent is None or parent.listener is None:
            return None
        try:
            socket.send_fds(parent.control, [json.dumps(request).encode() + b"\n"], list(handles))
            pid = self._allow_one_fork(parent)
        except OSError:
            pid = None
        if pid is None:
            self.drop([request["parent"]])
            return None
        return Snapshot(pid, control, os.dup(parent.listener))

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

    def watch(
        self, child: Snapshot, connection: socket.socket, keep: str | None, cpu_seconds: float
    ) -> dict[str, Any]:
        """Until the child has ended, or is kept. A byte from the parent says which of the two it wants.

        cpu_seconds: for all its steps together. Each step's own limit is a timer in the child, which a program
        may switch off.
        """
        watched = [child.handle, connection.fileno()] + ([] if child.listener is None else [child.listener])
        while True:
            ready, _, _ = select.select(watched, [], [], SECONDS_BETWEEN_LOOKS)
            if child.handle in ready:
                return {"status": child.end()}
            if child.cpu_seconds() > cpu_seconds:
                child.end()
                return {"status": int(signal.SIGXCPU)}
            if not ready:
                continue
            if child.listener in ready:
                if not _decide(child.listener, None):
                    watched.remove(child.listener)
                continue
            if connection.recv(1) == b"s" and keep:
                self.drop([keep])
                if _anonymous_bytes(child.pid) - _anonymous_bytes(os.getpid()) > PRIVATE_BYTES:
                    child.end()
                    return {"kept": False}
                self.kept[keep] = child
                return {"kept": True}
            return {"status": child.end()}


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
