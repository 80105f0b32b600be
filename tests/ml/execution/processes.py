"""The processes of a sandbox's servers, as the kernel lists them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

from ml.execution.process import ProcessLayer


def servers(layer: ProcessLayer) -> set[int]:
    """The processes that the layer has started and not ended."""
    return {server.process.pid for server in layer._idle if server.process is not None}


def children(layer: ProcessLayer) -> list[int]:
    """What the only server of a layer that is not wrapped has forked."""
    (pid,) = servers(layer)
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family(layer: ProcessLayer) -> list[int]:
    """All that is of a server's process group: itself, what wraps it, what it has forked."""
    groups = servers(layer)
    return [
        pid for path in Path("/proc").glob("[0-9]*") if (pid := int(path.name)) and group_of(pid) in groups
    ]


def kept(layer: ProcessLayer) -> list[int]:
    """What fork servers have forked: those of the family that have no child, and a fork server as their parent."""
    parents = {pid: int(_stat(pid)[1]) for pid in family(layer) if _stat(pid)}
    return [
        pid
        for pid, parent in parents.items()
        if parent in parents and pid not in parents.values() and _is_fork_server(parent)
    ]


def own_memory(pid: int) -> int:
    """A process's memory that is no file's."""
    _, resident, of_files, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
    return (resident - of_files) * os.sysconf("SC_PAGE_SIZE")


def state(pid: int) -> str | None:
    """R, S, T (stopped) or Z; None where there is no such process."""
    return next(iter(_stat(pid)), None)


def group_of(pid: int) -> int | None:
    """A process's group; None where there is no such process."""
    found = _stat(pid)
    return int(found[2]) if found else None


def live(pids: Iterable[int], seconds: float = 3.0) -> list[int]:
    """Which of these processes still live after at most so long."""
    deadline = time.monotonic() + seconds
    while (left := [pid for pid in pids if state(pid) not in (None, "Z")]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def _stat(pid: int) -> list[str]:
    """State, parent, group and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _is_fork_server(pid: int) -> bool:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return b"bwrap" not in arguments[0] and any(one.endswith(b"fork_server.py") for one in arguments)
