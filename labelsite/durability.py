"""Whether the database keeps what it has acknowledged when the power goes: servers, workers and the commands that store
labels or run jobs ask at their start."""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import DatabaseError, connection

log = logging.getLogger(__name__)

DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


def durability() -> dict[str, str]:
    """The server's settings of these names; raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(DURABILITY)])
        found = dict(cursor.fetchall())
    return {name: found[name] for name in DURABILITY}


def require_durability() -> None:
    """Raises ImproperlyConfigured where a power cut could take back acknowledged labels.

    A database that does not answer yet stops no start: the site waits for it as after any outage.
    """
    if not settings.REQUIRE_DURABILITY:
        return
    try:
        off = [name for name, value in durability().items() if value == "off"]
    except DatabaseError as problem:
        log.warning("the database does not answer, so nobody knows whether it is durable: %s", problem)
        return
    finally:
        connection.close()
    if off:
        raise ImproperlyConfigured(
            f"PostgreSQL has {', '.join(off)} off, expected on: a power cut could take back labels that were "
            "acknowledged. Where the storage keeps that promise itself, REQUIRE_DURABILITY=0 starts all the same"
        )


def require_durability_of_command() -> None:
    """The same at a command's start; raises CommandError, which is told in one line."""
    try:
        require_durability()
    except ImproperlyConfigured as refusal:
        raise CommandError(str(refusal)) from refusal
