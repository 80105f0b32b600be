"""A person's hold on a task, from the moment it is locked to the submission that uses it."""

from __future__ import annotations

from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, Task
from labelsite.campaigns.queue import reclaim
from labelsite.campaigns.turns import wait_for_turn
from labelsite.statements import Columns, Row, Statement


class LeaseLost(Exception):
    """The hold on the task ended, and somebody else or the same person's other tab took it up; the draft is kept."""


_LEASE = Columns(Assignment, "lease", without=["draft", "leased_until", "heartbeat_at", "created_at"])
_TASK = Columns(Task, "task", without=["created_at"])
_CAMPAIGN = Columns(Campaign, "campaign", without=["guideline", "created_at"])
# A submission's lease with its task and campaign; what is long or slow to read stays.
LEASE_COLUMNS = f"{_LEASE.sql}, {_TASK.sql}, {_CAMPAIGN.sql}"
LEASE_TABLES = """
FROM campaigns_assignment AS lease
JOIN campaigns_task AS task ON task.id = lease.task_id
JOIN campaigns_campaign AS campaign ON campaign.id = task.campaign_id
WHERE lease.annotator_id = %(annotator)s AND
"""
_SELECT = f"SELECT {LEASE_COLUMNS} {LEASE_TABLES}"
_HOLD = Statement(_SELECT + "lease.id = %(assignment)s FOR UPDATE OF lease, task")
_HOLD_OF = Statement(_SELECT + "lease.task_id = %(task)s FOR UPDATE OF lease, task")


def hold(assignment: int, annotator: int) -> Assignment:
    """Locks a person's assignment and its task until the end of the transaction."""
    wait_for_turn(annotator)
    return lease_from(_HOLD.row(assignment=assignment, annotator=annotator))


def hold_of(task: int, annotator: int) -> Assignment:
    """As `hold`, found by task and person."""
    wait_for_turn(annotator)
    return lease_from(_HOLD_OF.row(task=task, annotator=annotator))


def lease_from(row: Row | None) -> Assignment:
    """The assignment, with its task and campaign, that `LEASE_COLUMNS` make; raises Assignment.DoesNotExist."""
    if row is None:
        raise Assignment.DoesNotExist
    task_at, campaign_at = _LEASE.count, _LEASE.count + _TASK.count
    lease = _LEASE.object(row[:task_at])
    lease.task = _TASK.object(row[task_at:campaign_at])
    lease.task.campaign = _CAMPAIGN.object(row[campaign_at:])
    return lease


# A lease that is no longer as it was read gives no row; the last sign of life of a finished assignment is its
# submission.
_USE_LEASE = """
    UPDATE campaigns_assignment SET state = 'submitted',
           heartbeat_at = CASE state WHEN 'leased' THEN now() ELSE heartbeat_at END
    WHERE id = %(assignment)s AND token = %(token)s::uuid AND state = %(state)s
    RETURNING task_id, annotator_id, exposure
"""
# Closes the task where `one_look_settles` it.
_FINISH_TASK = """
    UPDATE campaigns_task SET state = 'done'
    WHERE id = (SELECT task_id FROM lease) AND overlap = 1 AND state = 'open' AND %(alone)s
"""


def submission(parts: str, result: str) -> Statement:
    """One statement that uses a lease up, does what the caller's `parts` say, and closes the task where this look
    alone settles it. Only campaigns writes its own tables, and a submission still costs one round trip.

    `parts` are common table expressions that insert what they make of `lease` (task_id, annotator_id, exposure);
    `result` is what the statement selects. Without the lease as it was read nothing is stored. Parameters besides
    the caller's: assignment, token, state, alone.
    """
    return Statement(f"WITH lease AS ({_USE_LEASE}), {parts}, finished AS ({_FINISH_TASK}) {result}")


def take_up(lease: Assignment, token: str) -> None:
    """Makes sure that a locked lease may become a submission; one that lapsed is taken up again while its task
    has a free place.

    Raises LeaseLost when the token is not the lease's own (another device took the task up since), or when the
    place went to somebody else.
    """
    if str(lease.token) != token:
        raise LeaseLost
    if lease.state == AssignmentState.LAPSED and not reclaim(lease):
        raise LeaseLost
