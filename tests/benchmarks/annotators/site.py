"""The site that the crowd labels on: PostgreSQL as in production, the web server, tasks and people."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

CSRF = "a" * 32
ADDRESS = ("127.0.0.1", 18461)


@contextmanager
def database() -> Iterator[int]:
    """A PostgreSQL of its own, durable as in production, with the tables in it; yields its keeper's process id."""
    with tempfile.TemporaryDirectory(prefix="misstep-bench-") as folder:
        os.environ |= {
            "VAR": folder,
            "DJANGO_SETTINGS_MODULE": "labelsite.settings",
            "BROKER_URL": "memory://",
        }
        from labelsite.embedded.supervisor import hold_servers

        hold = hold_servers(Path(folder), ["postgres"])
        os.environ["DATABASE_URL"] = hold.urls["postgres"]
        try:
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            yield hold.keeper
        finally:
            from django.db import connections

            connections.close_all()
            hold.release()


@contextmanager
def server() -> Iterator[int]:
    """The site as it runs in production: one process a core; yields the first process's id."""
    command = [sys.executable, "-m", "gunicorn", "--config", "python:labelsite.web", "labelsite.wsgi"]
    command += ["--bind", f"{ADDRESS[0]}:{ADDRESS[1]}", "--log-level", "error"]
    process = subprocess.Popen(command)
    try:
        for _ in range(300):
            try:
                http.client.HTTPConnection(*ADDRESS, timeout=1).connect()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def make_tasks(tasks: int, overlap: int, steps: int = 6, sections: Sequence[str] = ()) -> Any:
    """A campaign with `tasks` solutions of `steps` steps, in `sections` by turns, written with SQL."""
    from django.db import connection

    from labelsite.campaigns.services import create_campaign
    from labelsite.problems.models import Problem

    campaign = create_campaign(f"Bench {uuid4()}", overlap=overlap)
    problem = Problem.objects.create(
        source="bench",
        external_id=str(campaign.pk),
        digest=str(campaign.pk),
        text="What is $2 + 2$?",
        answer="4",
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO problems_solution (problem_id, external_id, digest, position_count, extra, created_at)"
            " SELECT %s, n::text, n::text, %s, '{}', now() FROM generate_series(1, %s) AS n",
            [problem.pk, steps, tasks],
        )
        cursor.execute(
            "INSERT INTO problems_step (solution_id, position, option, text, source, is_chosen)"
            " SELECT id, position, 0, 'Then $2 + ' || position || ' = ' || position + 2 || '$, as we wanted.', 'model',"
            " true FROM problems_solution, generate_series(0, %s) AS position WHERE problem_id = %s",
            [steps - 1, problem.pk],
        )
        cursor.execute(
            "INSERT INTO campaigns_task (campaign_id, solution_id, kind, state, overlap, remaining, priority,"
            " priority_reason, set_aside_reason, gold_source, section, created_at)"
            " SELECT %s, id, 'work', 'open', %s, %s, random(), '', '', '', (%s::text[])[1 + id %% %s], now()"
            " FROM problems_solution WHERE problem_id = %s ORDER BY id",
            [campaign.pk, overlap, overlap, list(sections) or [""], len(sections) or 1, problem.pk],
        )
    with connection.cursor() as cursor:
        # As autovacuum would; of the tables that are still empty it would not know either.
        cursor.execute("VACUUM ANALYZE problems_solution, problems_step, campaigns_task")
    return campaign


def make_people(campaign: Any, count: int) -> list[str]:
    """`count` members; returns the session cookie of each."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from labelsite.accounts.models import User
    from labelsite.campaigns.models import Membership

    store = import_module(settings.SESSION_ENGINE).SessionStore
    cookies = []
    for number in range(count):
        user = User.objects.create(username=f"{campaign.pk}-{number}", password="!")
        Membership.objects.create(campaign=campaign, user=user)
        session = store()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}; csrftoken={CSRF}")
    return cookies
