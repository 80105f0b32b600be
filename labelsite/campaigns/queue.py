"""The queue: who gets which task, for how long. Every rule here is one SQL statement.

`Task.remaining` = overlap - leased - submitted, kept in the same transaction as the assignments. A task is locked
before its assignments by a claim, and after its assignment by everybody else; claims skip what is locked, so
the two orders never wait for each other in a circle.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from psycopg.errors import LockNotAvailable

from labelsite.accounts.models import User
from labelsite.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    Exposure,
    MemberState,
    Task,
    TaskKind,
    TaskState,
)
from labelsite.campaigns.reasons import NothingLeft, Reason, why_nothing_is_left
from labelsite.campaigns.sweep import release_expired_leases
from labelsite.statements import Columns, Statement

# A gold or screening item is for everybody: its overlap is a number that no team reaches.
EVERYBODY = 30_000
# One task in hand and one prepared.
LEASES_AT_ONCE = 2
RELEASE_EVERY_SECONDS = 20
_ARMS = (Exposure.NEVER, Exposure.AFTER, Exposure.BEFORE)

_CLAIM = Statement("""
WITH picked AS (
    SELECT task.id FROM campaigns_task AS task
    WHERE task.campaign_id = %(campaign)s AND task.kind = %(kind)s AND task.state = 'open' AND task.remaining > 0
      AND NOT EXISTS (SELECT 1 FROM campaigns_assignment AS mine
                      WHERE mine.task_id = task.id AND mine.annotator_id = %(annotator)s AND mine.state <> 'lapsed')
    ORDER BY task.priority DESC, task.id
    FOR UPDATE OF task SKIP LOCKED LIMIT 1
), given AS (
    INSERT INTO campaigns_assignment AS lease (task_id, annotator_id, state, token, attempt, leased_until,
                                               heartbeat_at, exposure, draft, draft_version, created_at)
    SELECT id, %(annotator)s, 'leased', gen_random_uuid(), 1, now() + %(seconds)s * interval '1 second', now(),
           %(exposure)s::text, '{}', 0, now() FROM picked
    ON CONFLICT (task_id, annotator_id) DO UPDATE
       SET state = 'leased', token = excluded.token, attempt = lease.attempt + 1,
           leased_until = excluded.leased_until, heartbeat_at = excluded.heartbeat_at
     WHERE lease.state = 'lapsed'
    RETURNING id, task_id
), taken AS (
    UPDATE campaigns_task AS task SET remaining = remaining - 1 FROM given
    WHERE task.id = given.task_id
)
SELECT (SELECT id FROM picked), (SELECT id FROM given)
""")

# The same claim inside one section, which has an index of its own.
_CLAIM_IN_SECTION = Statement(
    _CLAIM.sql.replace(
        "WHERE task.campaign_id = %(campaign)s",
        "WHERE task.campaign_id = %(campaign)s AND task.section = %(section)s AND task.section <> ''",
    )
)

# The same two for once without passing over what somebody is at work on: it waits for each such task, a moment at most.
_CLAIM_PATIENTLY = Statement(_CLAIM.sql.replace(" SKIP LOCKED", ""))
_CLAIM_IN_SECTION_PATIENTLY = Statement(_CLAIM_IN_SECTION.sql.replace(" SKIP LOCKED", ""))
PATIENCE_MILLISECONDS = 200
# By whether it is inside a section, and whether it waits.
_CLAIMS = {
    (False, False): _CLAIM,
    (True, False): _CLAIM_IN_SECTION,
    (False, True): _CLAIM_PATIENTLY,
    (True, True): _CLAIM_IN_SECTION_PATIENTLY,
}

# The guideline can be long, and the page of the campaign shows it, not each task.
_CAMPAIGN = Columns(Campaign, "campaign", without=["guideline", "created_at", "renames"])
_DESK = Statement(
    f"""
SELECT (SELECT ARRAY[state] || CASE WHEN chosen_section <> '' THEN ARRAY[chosen_section] ELSE sections END
        FROM campaigns_membership WHERE campaign_id = campaign.id AND user_id = %(annotator)s),
       ARRAY(SELECT lease.id FROM campaigns_assignment AS lease
             JOIN campaigns_task AS task ON task.id = lease.task_id
             WHERE lease.annotator_id = %(annotator)s AND lease.state = 'leased'
               AND task.campaign_id = campaign.id ORDER BY lease.created_at, lease.id),
       {_CAMPAIGN.sql}
FROM campaigns_campaign AS campaign WHERE campaign.id = %(campaign)s
"""
)


@dataclass(frozen=True)
class Desk:
    """A person's place in a campaign at one moment: what they are there, the sections in which they work (none
    means all of them), and the leases in their hands.
    """

    campaign: Campaign
    member_state: str
    sections: list[str]
    held: list[int]


@dataclass
class _Throttle:
    """Lets a process sweep expired leases now and then, so that they return even while other work is left."""

    next_at: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        if time.monotonic() < self.next_at:
            return False
        self.next_at = time.monotonic() + RELEASE_EVERY_SECONDS
        return True


_sweep = _Throttle()


def claim_next(
    campaign: Campaign, annotator: User, *, besides: int | None = None
) -> Assignment | NothingLeft:
    """The person's task: the one already in hand, else the next of the queue, else why there is none.

    `besides` names the assignment in hand when the page prepares the one after it.
    """
    found = claim_at(desk_of(campaign.pk, annotator), annotator, besides=besides)
    if isinstance(found, NothingLeft):
        return found
    return Assignment.objects.select_related("task__campaign", "task__solution__problem").get(pk=found)


def desk_of(campaign: int, annotator: User) -> Desk:
    """Reads the person's place; raises Campaign.DoesNotExist."""
    row = _DESK.row(campaign=campaign, annotator=annotator.pk)
    if row is None:
        raise Campaign.DoesNotExist
    member_state, *sections = row[0] or [""]
    return Desk(_CAMPAIGN.object(row[2:]), member_state, sections, row[1])


def claim_at(desk: Desk, annotator: User, *, besides: int | None = None) -> int | NothingLeft:
    """As `claim_next`, but only the assignment's id."""
    campaign = desk.campaign
    if refusal := _refusal(campaign, annotator, desk.member_state):
        return refusal
    others = [lease for lease in desk.held if lease != besides]
    # A lease in hand stays in hand, also when its time ran out but nobody released it yet.
    if others:
        if _renewed(others[0], annotator):
            return others[0]
        return claim_at(desk_of(campaign.pk, annotator), annotator, besides=besides)
    if len(desk.held) >= LEASES_AT_ONCE:
        return NothingLeft(Reason.ENOUGH_IN_HAND)
    if _sweep.is_due():
        release_expired_leases()
    kinds = _kinds(campaign, desk.member_state)
    claimed = _claim_any(campaign, annotator, kinds, desk.sections)
    if claimed is None and release_expired_leases():
        claimed = _claim_any(campaign, annotator, kinds, desk.sections)
    if claimed is None:
        # What was passed over may be free: somebody wrote to it in this very moment.
        try:
            claimed = _claim_patiently(campaign, annotator, kinds, desk.sections)
        except OperationalError as problem:
            if not isinstance(problem.__cause__, LockNotAvailable):
                raise
            return NothingLeft(Reason.BUSY)
    return claimed or why_nothing_is_left(campaign, annotator, desk.member_state, desk.sections)


def _refusal(campaign: Campaign, annotator: User, member_state: str) -> NothingLeft | None:
    if annotator.is_paused or member_state == MemberState.PAUSED:
        return NothingLeft(Reason.YOU_ARE_PAUSED)
    if campaign.is_paused:
        return NothingLeft(Reason.CAMPAIGN_PAUSED)
    if member_state not in (MemberState.ADMITTED, MemberState.SCREENING):
        return NothingLeft(Reason.NOT_ADMITTED)
    return None


def _kinds(campaign: Campaign, member_state: str) -> list[TaskKind]:
    """Which kinds of task to try, in order. Gold comes by chance, so that nobody can tell it by its place."""
    if member_state == MemberState.SCREENING:
        return [TaskKind.SCREENING]
    if campaign.gold_rate and random.random() < campaign.gold_rate:
        return [TaskKind.GOLD, TaskKind.WORK]
    return [TaskKind.WORK]


def _claim_any(
    campaign: Campaign, annotator: User, kinds: list[TaskKind], sections: list[str], is_patient: bool = False
) -> int | None:
    """Tries each kind in turn, and inside it each of the person's sections. Screening is the same for everybody."""
    for kind in kinds:
        for section in sections if kind != TaskKind.SCREENING and sections else [""]:
            if claimed := _claim(campaign, annotator, kind, section, is_patient):
                return claimed
    return None


@transaction.atomic
def _claim_patiently(
    campaign: Campaign, annotator: User, kinds: list[TaskKind], sections: list[str]
) -> int | None:
    """As `_claim_any`, but it waits for tasks that are locked; after a moment it raises OperationalError."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MILLISECONDS}")
    return _claim_any(campaign, annotator, kinds, sections, is_patient=True)


def _claim(campaign: Campaign, annotator: User, kind: TaskKind, section: str, is_patient: bool) -> int | None:
    exposure = campaign.exposure
    parameters: dict[str, Any] = {
        "campaign": campaign.pk,
        "annotator": annotator.pk,
        "kind": kind.value,
        "section": section,
        "seconds": settings.LEASE_SECONDS,
        "exposure": random.choice(_ARMS).value if exposure == Exposure.RANDOM else exposure,
    }
    for _attempt in range(3):
        # One statement is one transaction, so a claim needs no round trips to open and close one.
        statement = _CLAIMS[bool(section), is_patient]
        picked, assignment = statement.rows(**parameters)[0]
        # Picked but not given: the same person took this task from another tab in the same moment.
        if picked is None or assignment is not None:
            return assignment
    return None


def _renewed(assignment: int, annotator: User) -> bool:
    """Renews a lease that the person still holds, at most once a minute, so that a reload writes nothing."""
    now = timezone.now()
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    held = Assignment.objects.filter(pk=assignment, annotator=annotator, state=AssignmentState.LEASED)
    fresh = until - timedelta(seconds=60)
    return bool(
        held.filter(leased_until__gte=fresh).exists() or held.update(leased_until=until, heartbeat_at=now)
    )


def heartbeat(assignment: int, annotator: User, token: str) -> datetime | None:
    """Renews the lease; None says that it was lost. The sum in `remaining` never changes here."""
    until = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
    renewed = Assignment.objects.filter(
        pk=assignment, annotator=annotator, token=token, state=AssignmentState.LEASED
    ).update(leased_until=until, heartbeat_at=timezone.now())
    return until if renewed else None


def reclaim(lease: Assignment) -> bool:
    """Takes a lapsed lease up again while its task has a free place; `lease` is locked by the caller."""
    free = Task.objects.filter(pk=lease.task_id, state=TaskState.OPEN, remaining__gt=0)
    if not free.update(remaining=F("remaining") - 1):
        return False
    now = timezone.now()
    lease.state, lease.attempt, lease.heartbeat_at = AssignmentState.LEASED, lease.attempt + 1, now
    lease.leased_until = now + timedelta(seconds=settings.LEASE_SECONDS)
    lease.save(update_fields=["state", "attempt", "heartbeat_at", "leased_until"])
    return True
