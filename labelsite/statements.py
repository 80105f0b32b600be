"""Statements that PostgreSQL plans once per connection instead of at every call.

Django writes parameters into the text of a statement, so that each call is a new one to parse and plan; for the
statements behind an annotator's keystrokes that is most of the server's work. These send their parameters apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, models
from psycopg.types.numeric import Int8Dumper

Row = tuple[Any, ...]
M = TypeVar("M", bound=models.Model)


class Statement:
    """One SQL text with named parameters, `%(name)s`, that keeps its plan.

    It is executed as Django executes its own: with Django's errors, log and wrappers, in its transaction.
    """

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def rows(self, **parameters: Any) -> list[Row]:
        """All rows that it returns."""
        return self._executed(parameters).fetchall()

    def row(self, **parameters: Any) -> Row | None:
        """Its first row, if there is any."""
        return self._executed(parameters).fetchone()

    def run(self, **parameters: Any) -> int:
        """For a statement that returns no rows: how many it wrote."""
        return self._executed(parameters).rowcount

    def _executed(self, parameters: dict[str, Any]) -> _PlannedCursor:
        database: Any = connections[DEFAULT_DB_ALIAS]
        database.ensure_connection()
        planned = _planned_cursor(database.connection)
        wrap = database.make_debug_cursor if database.queries_logged else database.make_cursor
        wrap(planned).execute(self.sql, parameters)
        return planned


def refresh_statistics(*filled: type[models.Model]) -> None:
    """Tell the planner what these tables hold now: until it looks by itself it may take them for empty, and read every
    row for each one that is asked for.
    """
    database = connections[DEFAULT_DB_ALIAS]
    tables = ", ".join(database.ops.quote_name(model._meta.db_table) for model in filled)
    with database.cursor() as cursor:
        cursor.execute(f"ANALYZE {tables}")


def check_references_at_once() -> None:
    """Check foreign keys after each statement of this transaction, while the next batch is read, and not all at its
    commit, through which whoever waits for a lock of it would wait.
    """
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Columns(Generic[M]):
    """A model's columns in the text of a statement, and the object that their values become."""

    def __init__(self, model: type[M], alias: str, without: Sequence[str] = ()) -> None:
        fields = [field for field in model._meta.concrete_fields if field.name not in without]
        self.model = model
        self.sql = ", ".join(f"{alias}.{field.column}" for field in fields)
        self.count = len(fields)
        self._names = [field.attname for field in fields]
        self._converted: list[tuple[int, Any]] = [
            (place, field) for place, field in enumerate(fields) if hasattr(field, "from_db_value")
        ]

    def object(self, values: Sequence[Any]) -> M:
        """The object; what `without` names is fetched when somebody asks for it."""
        values = list(values)
        for place, field in self._converted:
            values[place] = field.from_db_value(values[place], None, connections[DEFAULT_DB_ALIAS])
        return self.model.from_db(DEFAULT_DB_ALIAS, self._names, values)


class _PlannedCursor(psycopg.Cursor[Any]):
    """Binds parameters in the server, and asks it to keep the statement."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        super().__init__(raw)
        # Otherwise a number's size would choose its type, and each mixture of types would be another statement.
        self.adapters.register_dumper(int, Int8Dumper)

    def execute(self, query: Any, params: Any = None, **_: Any) -> _PlannedCursor:
        self.connection.prepare_threshold = 0 if settings.PREPARED_STATEMENTS else None
        try:
            return super().execute(query, params, prepare=settings.PREPARED_STATEMENTS)
        finally:
            # All other statements differ in their text from call to call.
            self.connection.prepare_threshold = None

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        # What Django's log of queries shows; psycopg itself notes only what it sends without preparing.
        self._query = super()._convert_query(query, params)
        return self._query


def _planned_cursor(raw: Any) -> _PlannedCursor:
    """The connection's own: making a cursor costs as much as a small statement."""
    if not hasattr(raw, "planned_cursor"):
        raw.planned_cursor = _PlannedCursor(raw)
    cursor: _PlannedCursor = raw.planned_cursor
    return cursor
