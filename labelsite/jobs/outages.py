"""How long a job waits for a server that it needs and that is away or overloaded."""

from __future__ import annotations

from labelsite.jobs.models import Job

# In seconds, the longest before the last attempt: a restart takes minutes, and so does a limit on requests.
PAUSES = (120.0, 600.0)


def outage_pause(job: Job) -> float:
    """Seconds until the next attempt, longer where fewer are left.

    What is left tells how long the outage has lasted: attempts that did not count, and those before a person's
    retry, make no pause longer.
    """
    left = job.maximum_attempts - job.attempt
    return PAUSES[-min(max(left, 1), len(PAUSES))]
