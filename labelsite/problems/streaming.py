"""What every stream of many small records through this process wants."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from django.db import connections
from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)

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


def in_chunks(rows: QuerySet[Row], size: int) -> Iterator[list[Row]]:
    """The rows of an ordered queryset, in lists of `size`; never all of them in memory.

    In a transaction, a cursor in the server gives them as they were at one moment. Outside of one the server would
    first write all of them into a file, to have them beyond the statement; and where a pooler hands out another
    connection per transaction there can be no cursor. There each list is asked for behind the one before: by the
    queryset's own order, which is then one or two of its own columns, ascending.
    """
    database = connections[rows.db]
    if database.settings_dict["DISABLE_SERVER_SIDE_CURSORS"] or database.get_autocommit():
        return _by_key(rows, size)
    stream = rows.iterator(chunk_size=size)
    return iter(lambda: list(islice(stream, size)), [])


def _by_key(rows: QuerySet[Row], size: int) -> Iterator[list[Row]]:
    first, *rest = dict.fromkeys([*map(str, rows.query.order_by), "pk"])
    further = rows.order_by(first, *rest)
    while chunk := list(further[:size]):
        yield chunk
        if len(chunk) < size:
            return
        last = chunk[-1]
        if rest:
            (second,) = rest
            same = {first: getattr(last, first), f"{second}__lte": getattr(last, second)}
            further = (
                rows.order_by(first, second).filter(**{f"{first}__gte": getattr(last, first)}).exclude(**same)
            )
        else:
            further = rows.order_by(first).filter(**{f"{first}__gt": getattr(last, first)})
