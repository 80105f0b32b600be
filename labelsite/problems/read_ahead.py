"""Reads the next batches of a stream while the database is busy with this one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _Failed:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


class ReadAhead(Generic[Item]):
    """Iterates over `items`, which a thread reads at most `depth` ahead.

    Python waits for the server without its lock, so parsing takes place in that time. An exception of `items`
    is raised where its item would have come. `close` (or leaving the `with` block) stops the thread.
    """

    def __init__(self, items: Iterable[Item], depth: int = 2) -> None:
        self._items = items
        self._ready: queue.Queue[Item | _Failed | _End] = queue.Queue(maxsize=depth)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> ReadAhead[Item]:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Item]:
        while not isinstance(item := self._ready.get(), _End):
            if isinstance(item, _Failed):
                raise item.error
            yield item

    def close(self) -> None:
        """Stop reading. Returns once the thread has ended, so that nobody uses the file any more."""
        self._stopped.set()
        while self._thread.is_alive():
            # The thread may wait for room in a full queue: make some until it has seen the flag.
            try:
                self._ready.get(timeout=0.01)
            except queue.Empty:
                continue

    def _read(self) -> None:
        try:
            for item in self._items:
                if self._stopped.is_set():
                    return
                self._ready.put(item)
            self._ready.put(_End())
        except BaseException as error:
            self._ready.put(_Failed(error))
