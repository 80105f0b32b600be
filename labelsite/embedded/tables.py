"""Tables of a database that is new or older than the code: made where it is embedded, asked for where it is not."""

from __future__ import annotations

import fcntl
import sys

from labelsite.environment import var_folder

# These make the tables, or are there to look at what is missing.
WITHOUT_TABLES = {"migrate", "prepare_demo", "doctor", "check", "dbshell", "makemigrations", "showmigrations"}
UNDEFINED_TABLE, UNDEFINED_COLUMN = "42P01", "42703"


def make_first_tables() -> None:
    """Make the tables of an embedded database that has none at all; one that has some is left to `migrate`."""
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    with open(var_folder() / "run" / "tables.lock", "wb") as lock:
        # Of several first commands at once, one makes the tables and the others wait for them.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if "django_migrations" not in connection.introspection.table_names():
            print("the database is new: making its tables ...", file=sys.stderr, flush=True)
            call_command("migrate", interactive=False, verbosity=0)
    connection.close()


def waiting_migrations() -> int:
    """How many migrations the database lacks; raises DatabaseError where it does not answer."""
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def why_in_a_line(problem: Exception) -> str | None:
    """What whoever started a command can mend by a setting or another command; None for any other problem."""
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    if isinstance(problem, ImproperlyConfigured):
        return str(problem)
    code = getattr(problem.__cause__, "sqlstate", None)
    if isinstance(problem, OperationalError) and code is None:
        # Only a connection that is not there has no code; behind the first line stand questions.
        return f"{str(problem).splitlines()[0]}; python manage.py doctor shows what works here"
    if code in (UNDEFINED_TABLE, UNDEFINED_COLUMN) and waiting_migrations() > 0:
        return "the database lacks tables; run python manage.py migrate"
    return None
