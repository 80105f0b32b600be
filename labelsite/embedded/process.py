"""Starting a child that never outlives its parent, even when the parent is killed with SIGKILL."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def follow_parent(with_signal: int) -> None:
    """Have the kernel send us `with_signal` when the thread that started us dies.

    Only Linux has this; elsewhere a child relies on being stopped by its parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)


def die_with_parent(with_signal: int = signal.SIGTERM) -> Callable[[], None]:
    """A `preexec_fn` that makes the child follow its parent into death."""
    parent = os.getpid()

    def ask_the_kernel() -> None:
        follow_parent(with_signal)
        # The parent may have died between fork and prctl; then no signal would ever come.
        if os.getppid() != parent:
            os._exit(1)

    return ask_the_kernel


def is_alive(pid: int) -> bool:
    """Whether a process with this id runs (a zombie that nobody collected yet does not count)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
    return True
