"""Takes back the leases whose time ran out; one process at a time, so that nobody locks tasks crosswise."""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from labelsite.campaigns.models import AssignmentState

# A lease whose time ran out keeps its state until the next sweep, which a paused campaign may long wait for.
IN_HAND = Q(state=AssignmentState.LEASED, leased_until__gte=Now())
RUN_OUT = Q(state=AssignmentState.LEASED, leased_until__lt=Now())
RELEASE_BATCH = 200
_SWEEP = "hashtext('misstep release leases')"
_RELEASE = """
WITH expired AS (
    SELECT lease.id, lease.task_id FROM campaigns_assignment AS lease
    WHERE lease.state = 'leased' AND lease.leased_until < now()
    ORDER BY lease.leased_until LIMIT %(batch)s FOR UPDATE SKIP LOCKED
), lapsed AS (
    UPDATE campaigns_assignment AS lease SET state = 'lapsed' FROM expired
    WHERE lease.id = expired.id RETURNING lease.task_id
), freed AS (SELECT task_id, count(*) AS slots FROM lapsed GROUP BY task_id),
returned AS (
    UPDATE campaigns_task AS task SET remaining = remaining + freed.slots FROM freed
    WHERE task.id = freed.task_id RETURNING 1
)
SELECT count(*) FROM lapsed
"""


def release_expired_leases() -> int:
    """Takes back up to RELEASE_BATCH leases whose time ran out; their drafts stay. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        # One sweeper at a time: two would lock the tasks of their batches in different orders.
        cursor.execute(f"SELECT pg_try_advisory_xact_lock({_SWEEP})")
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(_RELEASE, {"batch": RELEASE_BATCH})
        return int(cursor.fetchone()[0])


def hold_the_sweep() -> None:
    """Keeps expired leases where they are until the transaction ends: whoever locks many tasks would otherwise wait
    for a sweeper that waits for them.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock({_SWEEP})")
