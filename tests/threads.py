"""Many people at the same moment, each on a connection of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def at_once(work: Sequence[Callable[[], T]]) -> list[T]:
    """Does every piece of work at once; what they return, in their order. The first error is raised."""
    returned: list[T | None] = [None] * len(work)
    errors: list[BaseException] = []
    start = threading.Barrier(len(work))

    def run(place: int) -> None:
        try:
            start.wait()
            returned[place] = work[place]()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return returned  # type: ignore[return-value]
