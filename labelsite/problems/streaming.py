"""What every stream of many small records through this process wants."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for reference cycles a hundred times less often.

    A batch holds many small records and no cycles; looking through them again and again took a third of the
    processor time of an import.
    """
    usual = gc.get_threshold()
    gc.set_threshold(usual[0] * 100, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
