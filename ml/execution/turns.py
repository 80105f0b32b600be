"""Runs that go on side by side, and runs that want the machine to themselves: a lock for both."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Any number of shared turns at once, or one exclusive turn and nothing beside it.

    A shared turn waits for an exclusive one that waits itself, so that a stream of shared turns never keeps it
    out. A thread takes one turn at a time: a second one inside the first could wait for itself.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._shared = 0
        self._waiting = 0
        self._is_exclusive = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """A turn beside other shared ones."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_exclusive and not self._waiting)
            self._shared += 1
        try:
            yield
        finally:
            with self._changed:
                self._shared -= 1
                self._changed.notify_all()

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """A turn with no other beside it."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._is_exclusive and not self._shared)
                self._is_exclusive = True
            finally:
                self._waiting -= 1
                # Also where the wait was interrupted: shared turns may wait for it.
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._is_exclusive = False
                self._changed.notify_all()
