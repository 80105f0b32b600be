"""Whole numbers that share words: what goes into the database's value comes out, to the ends of each range."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from labelsite.comparison.packing import Column, packed, unpacked

COLUMNS = {
    "id": Column("v[1]"),
    "flag": Column("v[2]", 1),
    "signed": Column("v[3]", 17, -(2**15)),
    "position": Column("v[4]", 16, -1),
    "time": Column("v[5]", 32, -2),
    "small": Column("v[6]", 2, -1),
}
RANGES = [(column.lowest, column.lowest + 2**column.bits - 1) for column in COLUMNS.values()]


def through_the_database(rows: list[list[int]]) -> list[list[int]]:
    names = ", ".join(f"f{k}" for k in range(len(COLUMNS)))
    lists = ", ".join(["%s::bigint[]"] * len(COLUMNS))
    source = f"(SELECT ARRAY[{names}] AS v FROM unnest({lists}) AS given ({names})) AS rows"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {packed(COLUMNS)} FROM {source}", list(map(list, zip(*rows, strict=True))))
        found = unpacked(COLUMNS, cursor.fetchone()[0])
    return [list(map(int, row)) for row in zip(*(found[name] for name in COLUMNS), strict=True)]


class TestEveryValue(TestCase):
    @given(
        st.lists(
            st.tuples(*(st.integers(low, high) for low, high in RANGES)).map(list), min_size=1, max_size=8
        )
    )
    def test_comes_back_as_it_was(self, rows: list[list[int]]) -> None:
        assert through_the_database(rows) == rows


@pytest.mark.django_db
def test_the_ends_of_every_range_do_not_touch_their_neighbours() -> None:
    rows = [[range_[end] for range_ in RANGES] for end in (0, 1)]
    rows += [[RANGES[k][int(k == one)] for k in range(6)] for one in range(6)]
    assert through_the_database(rows) == rows


def test_no_rows_are_empty_columns() -> None:
    assert {name: len(values) for name, values in unpacked(COLUMNS, None).items()} == dict.fromkeys(
        COLUMNS, 0
    )
