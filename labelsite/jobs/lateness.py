"""How long this process has itself seen a lease late: the database's word alone is not enough.

After an outage of the database every lease is late at once, and every runner is about to renew its own.
"""

from __future__ import annotations

import time
from datetime import datetime

from django.conf import settings

from labelsite.jobs.lease import TICK_SECONDS
from labelsite.jobs.models import Job

# A runner notices within a tick that the database is back, and its renewal may take another.
TICKS = 3


class Lateness:
    """What `reap` asks before it takes a late job; every look at the running jobs asks of all that are late."""

    def __init__(self) -> None:
        # By the job, the end of the lease that was late and since when; another end is another lease.
        self._since: dict[int, tuple[datetime | None, float]] = {}

    def forget(self) -> None:
        """Start anew: the database did not answer, so that no runner could have renewed anything."""
        self._since.clear()

    def is_over(self, job: Job) -> bool:
        """Whether the lease has been late for as long as its runner needs to renew it."""
        end, since = self._since.get(job.pk, (None, 0.0))
        now = time.monotonic()
        if end is None or end != job.expires_at:
            self._since[job.pk] = (job.expires_at, now)
            return False
        return now - since > settings.JOB_HEARTBEAT_SECONDS + TICKS * TICK_SECONDS
