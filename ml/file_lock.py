"""A file's lock, by which one process at a time writes to a folder."""

from __future__ import annotations

import fcntl
from typing import IO, Any


def take_lock(file: IO[Any]) -> bool:
    """Whether this process may write: False only where another one holds the file's lock.

    The lock is held until the file is closed, also by the end of a process that is killed.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without such locks: nobody holds one, and refusing to work there would help nobody.
        pass
    return True


def is_free(file: IO[Any]) -> bool:
    """Whether surely no other process holds the file's lock; this one holds it then, until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
