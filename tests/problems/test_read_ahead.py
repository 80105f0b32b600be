"""The thread that reads ahead gives the same items, passes errors on, and stops when told."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from labelsite.problems.read_ahead import ReadAhead


def test_items_come_in_order():
    with ReadAhead(range(100), depth=2) as items:
        assert list(items) == list(range(100))


def test_an_error_is_raised_where_its_item_would_have_come():
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("the third line is broken")

    seen = []
    with pytest.raises(ValueError, match="third line"), ReadAhead(broken()) as items:
        for item in items:
            seen.append(item)
    assert seen == [1]


def test_leaving_early_stops_the_reader():
    read = []

    def endless() -> Iterator[int]:
        number = 0
        while True:
            read.append(number)
            yield number
            number += 1

    before = threading.active_count()
    with ReadAhead(endless(), depth=1) as items:
        assert next(iter(items)) == 0
    assert threading.active_count() == before
    assert len(read) < 50


def test_at_most_depth_items_wait():
    read = []

    def counted() -> Iterator[int]:
        for number in range(20):
            read.append(number)
            yield number

    with ReadAhead(counted(), depth=2) as items:
        for item in items:
            # Two wait in the queue, and one more is in the reader's hand.
            assert len(read) <= item + 4
