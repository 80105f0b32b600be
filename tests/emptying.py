"""Empties the tables after a test that commits, at a tenth of the price of Django's TRUNCATE.

TRUNCATE makes new files for each table and index, whether anything was in them or not; most tests leave a few rows.
Django also writes the content types and permissions anew, which are the same ones each time, so they stay here.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

STAY = ("django_migrations", "django_content_type", "auth_permission")


def empty_tables(_test: Any = None) -> None:
    """What TransactionTestCase does after a test, for the one database there is; the user must be its superuser."""
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - {*STAY})
    names = [connection.ops.quote_name(table) for table in tables]
    emptying = [
        # As TRUNCATE does, it waits for transactions that the test left behind, so that no row comes after it.
        f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE",
        # Without the triggers that look for rows which point to a deleted one: those go too.
        "SET LOCAL session_replication_role = replica",
        *(f"DELETE FROM {name}" for name in names),
    ]
    connection.ops.execute_sql_flush(["; ".join(emptying)])
