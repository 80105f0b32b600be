"""Statements that PostgreSQL plans once per connection instead of at every call.

Django writes parameters into the text of a statement, so that each call is a new one to parse and plan; for the
statements behind an annotator's keystrokes that is most of the server's work. These send their parameters apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import psycopg
from django.conf import settings
from django.db import connection, models
from django.db.backends.utils import CursorWrapper
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
        with _cursor() as cursor:
            cursor.execute(self.sql, parameters)
            return cursor.fetchall()

    def row(self, **parameters: Any) -> Row | None:
        """Its first row, if there is any."""
        return next(iter(self.rows(**parameters)), None)

    def run(self, **parameters: Any) -> int:
        """For a statement that returns no rows: how many it wrote."""
        with _cursor() as cursor:
            cursor.execute(self.sql, parameters)
            return cursor.rowcount


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
            values[place] = field.from_db_value(values[place], None, connection)
        return self.model.from_db(connection.alias, self._names, values)


def _cursor() -> CursorWrapper:
    connection.ensure_connection()
    cursor: Any = _PlannedCursor(connection.connection)
    return (
        connection.make_debug_cursor(cursor) if connection.queries_logged else connection.make_cursor(cursor)
    )


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
