"""Writes to campaigns: their settings, members and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from labelsite.accounts.models import Role, User
from labelsite.campaigns.gold import correct_gold, fill_gold, positions_literal
from labelsite.campaigns.leases import (
    LEASE_COLUMNS,
    LEASE_TABLES,
    LeaseLost,
    complete,
    hold,
    hold_of,
    lease_from,
    submission,
    take_up,
)
from labelsite.campaigns.models import (
    Campaign,
    Membership,
    MemberState,
    Task,
    TaskKind,
    TaskState,
)
from labelsite.campaigns.ordering import reorder
from labelsite.campaigns.queue import (
    EVERYBODY,
    Desk,
    claim_at,
    claim_next,
    desk_of,
    heartbeat,
    hold_the_sweep,
    release_expired_leases,
)
from labelsite.campaigns.reasons import NothingLeft, Reason
from labelsite.campaigns.settling import one_look_settles, settle
from labelsite.problems.models import Solution

# What orderings read.
RUNS = frozenset({"estimate_run", "score_run"})

__all__ = [
    "LEASE_COLUMNS",
    "LEASE_TABLES",
    "Desk",
    "LeaseLost",
    "NothingLeft",
    "Reason",
    "add_tasks",
    "claim_at",
    "claim_next",
    "complete",
    "correct_gold",
    "create_campaign",
    "desk_of",
    "fill_gold",
    "heartbeat",
    "hold",
    "hold_of",
    "judge_screening",
    "lease_from",
    "one_look_settles",
    "release_expired_leases",
    "reorder",
    "set_members",
    "settle",
    "submission",
    "take_up",
    "update_campaign",
]


def create_campaign(
    name: str, *, created_by: User | None = None, members: Iterable[User] = (), **fields: Any
) -> Campaign:
    """A new campaign; whoever is named in `members` may label in it."""
    with transaction.atomic():
        campaign = Campaign.objects.create(name=name, created_by=created_by, **_stored(fields))
        set_members(campaign, {user.pk for user in members})
    return campaign


@transaction.atomic
def update_campaign(campaign: Campaign, changes: Mapping[str, Any]) -> Campaign:
    """Changes settings. A new guideline text is a new version; a new overlap reaches the open tasks, and so does a
    new ordering, or a run to order by.
    """
    fresh = Campaign.objects.select_for_update().get(pk=campaign.pk)
    changes = _stored(changes)
    if changes.get("guideline") not in (None, _plain(fresh.guideline)):
        fresh.guideline_version += 1
    # The run that stood there before may have been loaded anew.
    reordered = changes.get("ordering", fresh.ordering) != fresh.ordering or not RUNS.isdisjoint(changes)
    places = (fresh.overlap, fresh.adaptive_overlap)
    for field, value in changes.items():
        setattr(fresh, field, value)
    fresh.save()
    # It goes over every task, which a pause or a new name need not wait for.
    if not fresh.adaptive_overlap and places != (fresh.overlap, fresh.adaptive_overlap):
        set_overlap(fresh, fresh.overlap)
    if reordered:
        reorder(fresh)
    return fresh


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are kept."""
    return {name: _plain(value) if name == "guideline" else value for name, value in fields.items()}


def _plain(text: str) -> str:
    """A text without what sending a form adds to it: a browser ends every line in two characters."""
    return text.replace("\r\n", "\n").strip()


# Each value is made of the row's own columns: where a claim or a release has changed the row while this waited for it,
# PostgreSQL works them out anew, which it does not for what a join has read.
_SET_OVERLAP = """
UPDATE campaigns_task SET overlap = {wanted}, remaining = {wanted} - (overlap - remaining),
    state = CASE WHEN state = 'done' AND {wanted} > overlap - remaining THEN 'open' ELSE state END
WHERE campaign_id = %(campaign)s AND kind = 'work' AND overlap <> {wanted}
""".format(wanted="GREATEST(%(overlap)s, overlap - remaining, 1)")
# A statement of its own, because it must see the leases of whoever the one before it waited for.
_CLOSE_THE_LOOKED_AT = """
UPDATE campaigns_task AS task SET state = 'done'
WHERE campaign_id = %(campaign)s AND kind = 'work' AND state = 'open' AND remaining = 0
  AND NOT EXISTS (SELECT 1 FROM campaigns_assignment AS lease WHERE lease.task_id = task.id AND lease.state = 'leased')
"""


@transaction.atomic
def set_overlap(campaign: Campaign, overlap: int) -> None:
    """Gives every work task `overlap` places, but never fewer than are taken already.

    Where every place is taken and everybody has submitted, no submission will come to close the task: it is done.
    """
    hold_the_sweep()
    parameters = {"campaign": campaign.pk, "overlap": overlap}
    with connection.cursor() as cursor:
        cursor.execute(_SET_OVERLAP, parameters)
        cursor.execute(_CLOSE_THE_LOOKED_AT, parameters)


def set_members(campaign: Campaign, users: set[int]) -> None:
    """Exactly these people may label; those who leave keep what they did, and may come back to it."""
    start = MemberState.SCREENING if campaign.screening_size else MemberState.ADMITTED
    Membership.objects.filter(campaign=campaign).exclude(user__in=users).delete()
    Membership.objects.bulk_create(
        [Membership(campaign=campaign, user_id=user, state=start) for user in sorted(users)],
        ignore_conflicts=True,
    )


def set_member_state(campaign: Campaign, user: int, state: str) -> None:
    Membership.objects.filter(campaign=campaign, user=user).update(state=state)


def eligible_people() -> Iterable[User]:
    """Everyone who could be a member: people who can log in."""
    return User.objects.filter(is_machine=False, is_active=True).order_by("role", "username")


def add_everyone(campaign: Campaign) -> None:
    """Makes every annotator a member, and keeps the members there are."""
    current = set(campaign.memberships.values_list("user_id", flat=True))
    annotators = User.objects.filter(is_machine=False, is_active=True, role=Role.ANNOTATOR)
    set_members(campaign, current | set(annotators.values_list("pk", flat=True)))


def add_tasks(
    campaign: Campaign,
    solutions: Iterable[Solution | int],
    *,
    kind: str = TaskKind.WORK,
    gold: Mapping[int, Sequence[int]] | None = None,
    gold_source: str = "",
    section: str = "",
    batch: int = 2000,
) -> int:
    """Makes a task of each solution that has none here yet; returns how many are new. Streams.

    `gold` maps a solution's id to its acceptable first-mistake positions (-1: no mistake). Gold and screening
    tasks are open to everybody.
    """
    overlap = _places(campaign, kind)
    made, waiting = 0, []
    for solution in solutions:
        pk = solution if isinstance(solution, int) else solution.pk
        known = list(gold[pk]) if gold and pk in gold else None
        waiting.append(
            Task(
                campaign=campaign,
                solution_id=pk,
                kind=kind,
                section=section,
                overlap=overlap,
                remaining=overlap,
                gold=known,
                gold_source=gold_source if known is not None else "",
            )
        )
        if len(waiting) >= batch:
            made += _insert_tasks(campaign, waiting)
            waiting = []
    return made + _insert_tasks(campaign, waiting)


def _places(campaign: Campaign, kind: str) -> int:
    """How many people a task of this kind is for at first."""
    if kind != TaskKind.WORK:
        return EVERYBODY
    return 1 if campaign.adaptive_overlap else campaign.overlap


def _insert_tasks(campaign: Campaign, tasks: list[Task]) -> int:
    """One statement whatever the number: an import makes tasks by the hundred thousand."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO campaigns_task (campaign_id, solution_id, kind, state, overlap, remaining, priority,"
            " priority_reason, set_aside_reason, gold, gold_source, section, created_at)"
            " SELECT %s, solution, kind, 'open', places, places, 0, '', '', gold::smallint[], source, section, now()"
            " FROM unnest(%s::bigint[], %s::text[], %s::int[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY"
            " AS new (solution, kind, places, gold, source, section, place)"
            " ORDER BY place ON CONFLICT (campaign_id, solution_id) DO NOTHING",
            [
                campaign.pk,
                [task.solution_id for task in tasks],
                [str(task.kind) for task in tasks],
                [task.overlap for task in tasks],
                [None if task.gold is None else positions_literal(task.gold) for task in tasks],
                [task.gold_source for task in tasks],
                [task.section for task in tasks],
            ],
        )
        return cursor.rowcount


@transaction.atomic
def set_kind(task: Task, kind: str, gold: Sequence[int] | None, source: str = "reviewer") -> Task:
    """Turns a task into gold, screening or ordinary work; places already taken stay taken.

    Returns the task, locked and open: whoever makes it work again knows what was submitted, and lets that `settle` it.
    Raises ValidationError where `gold` names a step that the solution does not have.
    """
    fresh = (
        Task.objects.select_for_update(of=("self",)).select_related("campaign", "solution").get(pk=task.pk)
    )
    last = fresh.solution.position_count
    if gold and max(gold) >= last:
        raise ValidationError(_("The solution has steps 1 to %(last)s.") % {"last": last})
    taken = fresh.overlap - fresh.remaining
    fresh.kind, fresh.gold = kind, sorted(set(gold)) if gold else None
    fresh.gold_source = source if gold else ""
    fresh.overlap = max(taken, _places(fresh.campaign, kind))
    fresh.remaining = fresh.overlap - taken
    fresh.state, fresh.set_aside_reason = TaskState.OPEN, ""
    fresh.save(
        update_fields=["kind", "gold", "gold_source", "overlap", "remaining", "state", "set_aside_reason"]
    )
    return fresh


def judge_screening(campaign: Campaign, annotator: int, verdicts_right: Sequence[bool]) -> str | None:
    """Admits or refuses a person who has done the whole screening set; returns the new state, if any."""
    if len(verdicts_right) < campaign.screening_size:
        return None
    share = sum(verdicts_right) / len(verdicts_right) if campaign.screening_size else 1.0
    state = MemberState.ADMITTED if share >= campaign.screening_threshold else MemberState.REFUSED
    members = Membership.objects.filter(campaign=campaign, user=annotator, state=MemberState.SCREENING)
    return state.value if members.update(state=state) else None
