"""How long a job waits for a server that it needs and that is away or overloaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from labelsite.jobs.models import Job, JobState

# In seconds, the longest before the last attempt: a restart takes minutes, and so does a limit on requests.
PAUSES = (120.0, 600.0)
# For so long a runner waits for the database to say what became of its job; then that is the poller's to find.
PATIENCE = 600.0


def outage_pause(job: Job) -> float:
    """Seconds until the next attempt, longer where fewer are left.

    What is left tells how long the outage has lasted: attempts that did not count, and those before a person's
    retry, make no pause longer.
    """
    left = job.maximum_attempts - job.attempt
    return PAUSES[-min(max(left, 1), len(PAUSES))]


def end_of_pause(job: Job) -> datetime | None:
    """When a job that waits for a server or a folder is tried again; None for one that may start now."""
    is_paused = job.state == JobState.QUEUED and job.queued_at > timezone.now()
    return job.queued_at if is_paused else None


def has_lost_connection(problem: Exception) -> bool:
    """Whether the database went away (class 08, 57P, or no code at all) and did not refuse something."""
    code = getattr(problem.__cause__, "sqlstate", None)
    return code is None or code.startswith(("08", "57P"))


def once_it_answers(write: Callable[[], object]) -> None:
    """Write to the database once it answers again; nothing where that takes longer than PATIENCE."""
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE:
        try:
            write()
            return
        except (OperationalError, InterfaceError):
            connection.close()
            time.sleep(1.0)
