"""The queue: who gets which task, for how long. Every rule here is one SQL statement.

`Task.remaining` = overlap - leased - submitted, kept in the same transaction as the assignments. Nobody waits in a
circle: a claim locks a task before its assignment and everybody else after it, but of one person's claims and
submissions only one is under way (`turns`), and the assignment that a claim writes is the person's own, lapsed one.
Whoever locks many tasks does it in the order of their ids, and holds the sweep.
"""

from __future__ import annotations

import random
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

from labelsite.accounts.models import User
from labelsite.campaigns import frontier, gold_turns
from labelsite.campaigns.frontier import NEAR_SQL, REMEMBERED_SQL, WAITS, in_both
from labelsite.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    Exposure,
    MemberState,
    TaskKind,
)
from labelsite.campaigns.reasons import NothingLeft, Reason, why_nothing_is_left
from labelsite.campaigns.sweep import release_expired_leases
from labelsite.campaigns.turns import wait_for_turn
from labelsite.deadlocks import again_after_deadlock
from labelsite.statements import Columns, Statement

# A gold or screening item is for everybody: its overlap is a number that no team reaches.
EVERYBODY = 30_000
RELEASE_EVERY_SECONDS = 20
_ARMS = (Exposure.NEVER, Exposure.AFTER, Exposure.BEFORE)

# What came back to the person comes into their hands now, after what they hold: a reload gives the first that came.
# A lease in hand besides those held a moment ago is another tab's claim since; then nothing is picked.
_CLAIM = f"""
WITH in_hand AS (
    SELECT min(lease.id) AS id FROM campaigns_assignment AS lease JOIN campaigns_task AS held ON held.id = lease.task_id
    WHERE lease.annotator_id = %(annotator)s AND lease.state = 'leased' AND held.campaign_id = %(campaign)s
      AND lease.id <> ALL(%(held)s::bigint[])
), picked AS (
    SELECT task.id FROM campaigns_task AS task
    WHERE {WAITS} AND (SELECT id FROM in_hand) IS NULL
    ORDER BY task.priority DESC, task.id
    FOR UPDATE OF task SKIP LOCKED LIMIT 1
), given AS (
    INSERT INTO campaigns_assignment AS lease (task_id, annotator_id, state, token, attempt, leased_until,
                                               heartbeat_at, exposure, draft, draft_version, created_at)
    SELECT id, %(annotator)s, 'leased', gen_random_uuid(), 1, now() + %(seconds)s * interval '1 second', now(),
           %(exposure)s::text, '{{}}', 0, now() FROM picked
    ON CONFLICT (task_id, annotator_id) DO UPDATE
       SET state = 'leased', token = excluded.token, attempt = lease.attempt + 1,
           leased_until = excluded.leased_until, heartbeat_at = excluded.heartbeat_at,
           created_at = excluded.created_at
     WHERE lease.state = 'lapsed'
    RETURNING id, task_id
), taken AS (
    UPDATE campaigns_task AS task SET remaining = remaining - 1 FROM given
    WHERE task.id = given.task_id
)
SELECT COALESCE((SELECT id FROM in_hand), (SELECT id FROM given))
"""
# The same among the first tasks for the person, which it finds from where an earlier claim left off.
_CLAIM_NEAR = (
    _CLAIM.replace("picked AS (", f"{NEAR_SQL}, picked AS (")
    .replace("IS NULL\n    ORDER", "IS NULL\n      AND task.id = ANY(ARRAY(SELECT id FROM near))\n    ORDER")
    .rstrip()
    + f", {REMEMBERED_SQL}"
)
PATIENCE_MILLISECONDS = 200


_CLAIMS, _CLAIMS_NEAR = in_both(_CLAIM), in_both(_CLAIM_NEAR)
# For once without passing over what somebody is at work on: it waits for each such task, a moment at most.
_CLAIMS_PATIENT = in_both(_CLAIM.replace(" SKIP LOCKED", ""))

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


def desk_of(campaign: int, annotator: User) -> Desk:
    """Reads the person's place; raises Campaign.DoesNotExist."""
    row = _DESK.row(campaign=campaign, annotator=annotator.pk)
    if row is None:
        raise Campaign.DoesNotExist
    member_state, *sections = row[0] or [""]
    return Desk(_CAMPAIGN.object(row[2:]), member_state, sections, row[1])


@again_after_deadlock
def claim_at(desk: Desk, annotator: User, *, besides: int | None = None) -> int | NothingLeft:
    """The person's assignment, by its id: the one already in hand, else the next of the queue, else why there is none.

    `besides` names the assignment in hand when the page prepares the one after it.
    """
    campaign = desk.campaign
    others = [lease for lease in desk.held if lease != besides]
    refusal = _refusal(campaign, annotator, desk.member_state)
    # A pause stops what is new; what is in hand comes back after a reload, and may be submitted.
    if refusal and (not others or refusal.reason == Reason.NOT_ADMITTED):
        return refusal
    # A lease in hand stays in hand, also when its time ran out but nobody released it yet.
    if others:
        if _renewed(others[0], annotator):
            return others[0]
        return claim_at(desk_of(campaign.pk, annotator), annotator, besides=besides)
    if _sweep.is_due():
        release_expired_leases()
    kinds = _kinds(campaign, desk.member_state)
    claimed = _claim_any(desk, annotator, kinds)
    if claimed is None and release_expired_leases():
        claimed = _claim_any(desk, annotator, kinds)
    if claimed is None:
        # What was passed over may be free: somebody wrote to it in this very moment.
        try:
            claimed = _claim_patiently(desk, annotator, kinds)
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


def _sections(desk: Desk, annotator: User, kind: TaskKind) -> list[str]:
    """In which of the person's sections to look for such a task, "" being everywhere. Screening is the same for all."""
    sections = (desk.sections if kind != TaskKind.SCREENING else []) or [""]
    if kind == TaskKind.GOLD:
        return gold_turns.among_work(desk.campaign.pk, annotator.pk, sections)
    return sections


@transaction.atomic
def _claim_any(desk: Desk, annotator: User, kinds: list[TaskKind], is_patient: bool = False) -> int | None:
    """Tries each kind in turn, and inside it each of the person's sections.

    If another of the person's tabs has claimed since `desk` was read, its lease is the answer.
    """
    wait_for_turn(annotator.pk)
    for kind in kinds:
        for section in _sections(desk, annotator, kind):
            if claimed := _claim(desk, annotator, kind, section, is_patient):
                return claimed
    return None


@transaction.atomic
def _claim_patiently(desk: Desk, annotator: User, kinds: list[TaskKind]) -> int | None:
    """As `_claim_any`, but it waits for tasks that are locked; after a moment it raises OperationalError."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE_MILLISECONDS}")
    return _claim_any(desk, annotator, kinds, is_patient=True)


def _claim(desk: Desk, annotator: User, kind: TaskKind, section: str, is_patient: bool) -> int | None:
    exposure = desk.campaign.exposure
    claim = {
        "campaign": desk.campaign.pk,
        "annotator": annotator.pk,
        "kind": kind.value,
        "section": section,
        "held": desk.held,
        "seconds": settings.LEASE_SECONDS,
        "exposure": random.choice(_ARMS).value if exposure == Exposure.RANDOM else exposure,
    }
    claimed: int | None
    if _may_wait_for_others(desk.campaign, kind):
        claimed, is_any = _claim_near((annotator.pk, desk.campaign.pk, kind.value, section), claim)
        if claimed or not is_any:
            return claimed
    statements = _CLAIMS_PATIENT if is_patient else _CLAIMS
    claimed = statements[bool(section)].rows(**claim)[0][0]
    return claimed


def _may_wait_for_others(campaign: Campaign, kind: TaskKind) -> bool:
    """Whether what a person has done may stay in the queue, for others."""
    return kind != TaskKind.WORK or campaign.overlap > 1 or campaign.adaptive_overlap


def _claim_near(queue: frontier.Queue, claim: dict[str, Any]) -> tuple[int | None, bool]:
    """The assignment, if it got one of the first tasks for the person, and whether there are any."""
    before = frontier.frontier_of(queue)
    row = _CLAIMS_NEAR[bool(queue[3])].rows(**claim, **asdict(before), most_moved=frontier.MOST_MOVED)[0]
    claimed, oldest, back, first, is_any = row
    if frontier.is_of_another_server(before, oldest):
        frontier.forget_all()
        return (claimed, True) if claimed else _claim_near(queue, claim)
    transaction.on_commit(lambda: frontier.remember(queue, before, oldest, back, first))
    return claimed, is_any


# The database's clock everywhere: another one that goes wrong would call a lease alive that the sweep takes away.
_RENEW = """
UPDATE campaigns_assignment SET leased_until = now() + %(seconds)s * interval '1 second', heartbeat_at = now()
WHERE id = %(assignment)s AND annotator_id = %(annotator)s AND state = 'leased'
"""
_HEARTBEAT = Statement(f"{_RENEW} AND token = %(token)s::uuid RETURNING leased_until")
_RENEW_OLD = Statement(f"{_RENEW} AND leased_until < now() + (%(seconds)s - 60) * interval '1 second'")
_RECLAIM = Statement("""
WITH place AS (
    UPDATE campaigns_task SET remaining = remaining - 1
    WHERE id = %(task)s AND state = 'open' AND remaining > 0 RETURNING id
)
UPDATE campaigns_assignment AS lease SET state = 'leased', attempt = attempt + 1, heartbeat_at = now(),
    leased_until = now() + %(seconds)s * interval '1 second'
FROM place WHERE lease.id = %(assignment)s AND lease.task_id = place.id
""")


def _renewed(assignment: int, annotator: User) -> bool:
    """Renews a lease that the person still holds, at most once a minute, so that a reload writes nothing."""
    held = Assignment.objects.filter(pk=assignment, annotator=annotator, state=AssignmentState.LEASED)
    old = {"assignment": assignment, "annotator": annotator.pk, "seconds": settings.LEASE_SECONDS}
    return bool(_RENEW_OLD.run(**old) or held.exists())


def heartbeat(assignment: int, annotator: User, token: str) -> datetime | None:
    """Renews the lease; None says that it was lost. The sum in `remaining` never changes here."""
    renewed = _HEARTBEAT.row(
        assignment=assignment, annotator=annotator.pk, token=token, seconds=settings.LEASE_SECONDS
    )
    return renewed[0] if renewed else None


def reclaim(lease: Assignment) -> bool:
    """Takes a lapsed lease up again while its task has a free place; `lease` is locked by the caller."""
    if not _RECLAIM.run(task=lease.task_id, assignment=lease.pk, seconds=settings.LEASE_SECONDS):
        return False
    lease.state, lease.attempt = AssignmentState.LEASED, lease.attempt + 1
    return True
