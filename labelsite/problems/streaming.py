"""What every stream of many small records through this process wants."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_usual: list[tuple[int, int, int]] = []
_streams = 0


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for reference cycles a hundred times less often, while any thread streams.

    A batch holds many small records and no cycles; looking through them again and again took a third of the
    processor time of an import. The threshold is the process's: the first stream raises it, the last one puts it back.
    """
    global _streams
    with _lock:
        _streams += 1
        if _streams == 1:
            _usual[:] = [gc.get_threshold()]
            gc.set_threshold(_usual[0][0] * 100, *_usual[0][1:])
    try:
        yield
    finally:
        with _lock:
            _streams -= 1
            if not _streams:
                gc.set_threshold(*_usual[0])
