"""Somebody else's transaction, on a connection of its own, that stays open while a test goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Does the work in a thread with a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@contextmanager
def held(work: Callable[[], object]) -> Iterator[threading.Event]:
    """A transaction that has done `work`, and commits at the block's end, or before when the event is set."""
    is_done, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            work()
            is_done.set()
            let_go.wait(60)

    holding = in_background(hold)
    try:
        assert is_done.wait(20), "the other transaction did not come so far"
        yield let_go
    finally:
        let_go.set()
        holding.join()
