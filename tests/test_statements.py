"""Prepared statements behave as Django's own, and are planned once."""

from __future__ import annotations

import pytest
from django.db import DataError, connection, transaction
from django.test.utils import CaptureQueriesContext

from labelsite.accounts.models import User
from labelsite.statements import Columns, Statement
from tests.factories import make_user

pytestmark = pytest.mark.django_db
SUM = Statement("SELECT %(one)s + %(other)s AS the_sum_of_a_test")


def kept() -> int:
    """How many statements of this test the server keeps for the connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%the_sum_of_a_test'"
        )
        return cursor.fetchone()[0]


def test_a_statement_is_kept_once_whatever_the_size_of_its_numbers() -> None:
    assert SUM.row(one=1, other=2) == (3,)
    assert SUM.row(one=10**12, other=-40_000) == (10**12 - 40_000,)
    assert kept() == 1


def test_nothing_is_kept_behind_a_pooler(settings) -> None:
    before = kept()
    settings.PREPARED_STATEMENTS = False
    fresh = Statement("SELECT %(one)s - 1 AS the_sum_of_a_test")
    assert fresh.row(one=1) == (0,)
    assert kept() == before


def test_errors_are_django_s_and_leave_the_statement_usable() -> None:
    halves = Statement("SELECT 10 / %(by)s")
    with pytest.raises(DataError), transaction.atomic():
        halves.row(by=0)
    assert halves.row(by=2) == (5,)


def test_a_statement_stands_in_the_log_of_queries() -> None:
    with CaptureQueriesContext(connection) as log:
        SUM.row(one=1, other=1)
    assert [query["sql"] for query in log] == ["SELECT $1 + $2 AS the_sum_of_a_test"]


def test_rows_become_the_objects_that_django_would_make() -> None:
    user = make_user(preferences={"keys": {"rate_good": "3"}})
    columns = Columns(User, "person", without=["date_joined"])
    read = Statement(f"SELECT {columns.sql} FROM accounts_user AS person WHERE id = %(pk)s")
    found = columns.object(read.rows(pk=user.pk)[0])
    django = User.objects.get(pk=user.pk)
    assert found == django and found.get_deferred_fields() == {"date_joined"}
    assert {name: getattr(found, name) for name in vars(django) if name != "_state"} == {
        name: value for name, value in vars(django).items() if name != "_state"
    }


def test_no_row_is_none_and_a_write_tells_its_number() -> None:
    assert Statement("SELECT 1 WHERE %(never)s").row(never=False) is None
    make_user()
    assert (
        Statement("UPDATE accounts_user SET is_paused = %(is)s").run(**{"is": True}) == User.objects.count()
    )
