"""Reading ids of a request, and pages by id."""

from __future__ import annotations

import pytest

from labelsite.asked import page_below, whole
from labelsite.problems.models import Problem
from tests.factories import make_problem


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("9" * 18, 10**18 - 1), ("9" * 19, None), ("-1", None), ("", None), ("²", None)],
)
def test_what_fits_in_the_database_is_a_number_and_nothing_else_is(text: str, number: int | None) -> None:
    assert whole(text) == number


@pytest.mark.django_db
def test_pages_by_id_show_every_row_once_and_the_last_one_says_that_it_is_the_last() -> None:
    ids = sorted((make_problem().pk for _ in range(5)), reverse=True)
    rows = Problem.objects.order_by("-pk")
    shown, before = [], "no number, so the first page"
    while before:
        page = page_below(rows, before, 2)
        shown.append([row.pk for row in page.rows])
        before = "" if page.further is None else str(page.further)
    assert shown == [ids[:2], ids[2:4], ids[4:]]
    assert page_below(rows.filter(pk__in=ids[:2]), "", 2).further is None
