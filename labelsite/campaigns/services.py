"""Writes to campaigns: their settings, members and tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from labelsite.accounts.models import User
from labelsite.accounts.records import record
from labelsite.campaigns import arranging
from labelsite.campaigns.archive import refuse_archived
from labelsite.campaigns.gold import positions_literal, recorded_name
from labelsite.campaigns.gold_sources import decided_by
from labelsite.campaigns.membership import add_everyone, locked_member, set_member_state, set_members
from labelsite.campaigns.models import (
    Campaign,
    MemberState,
    Task,
    TaskKind,
    TaskState,
)
from labelsite.campaigns.ordering import READS
from labelsite.campaigns.queue import EVERYBODY
from labelsite.campaigns.settling import open_again
from labelsite.jobs.models import Job
from labelsite.problems.models import Solution
from labelsite.problems.queries import trajectory_length
from ml.errors import MisstepError


def create_campaign(
    name: str, *, created_by: User | None = None, members: Iterable[User] = (), **fields: Any
) -> Campaign:
    """A new campaign; whoever is named in `members` may label in it, and every annotator where it is for everyone."""
    with transaction.atomic():
        campaign = Campaign.objects.create(name=name, created_by=created_by, **_stored(fields))
        set_members(campaign, {user.pk for user in members}, created_by)
        if campaign.is_for_everyone:
            add_everyone(campaign, created_by)
    return campaign


@transaction.atomic
def update_campaign(
    campaign: Campaign, changes: Mapping[str, Any], *, loaded: Job | None = None, by: User | None = None
) -> Campaign:
    """Changes settings. A new guideline text is a new version; a new overlap reaches the open tasks, and so does a
    new ordering, or a run to order by. What an earlier change could not do to the tasks is done now. A campaign that
    becomes one for everyone takes in the annotators there are; who comes later joins it by `membership.join`.

    `loaded`: the job that has just loaded the run among the changes. The run may have stood there before, with other
    values; the job's result then learns of the new order.
    """
    if set(changes) == {"is_paused"}:
        set_paused(campaign, changes["is_paused"], by)
        return Campaign.objects.get(pk=campaign.pk)
    fresh = Campaign.objects.select_for_update().get(pk=campaign.pk)
    if changes.get("is_paused") is False:
        refuse_archived(fresh)
    changes = _stored(changes)
    if changes.get("guideline") not in (None, fresh.guideline):
        fresh.guideline_version += 1
    before = _arranged_by(fresh)
    earlier = {field: _recorded(fresh, field) for field in changes}
    for field, value in changes.items():
        setattr(fresh, field, value)
    fresh.save()
    record("campaign", fresh.name, {name: (old, _recorded(fresh, name)) for name, old in earlier.items()}, by)
    if fresh.is_for_everyone and not earlier.get("is_for_everyone", True):
        add_everyone(fresh, by)
    after = _arranged_by(fresh)
    order = after[1:] != before[1:] or (loaded is not None and not READS[fresh.ordering].isdisjoint(changes))
    places = not fresh.adaptive_overlap and after[0] != before[0]
    # It goes over every task, which a new name need not wait for. What more places open again stands as it was ordered
    # when it was done.
    if order or places:
        arranging.arrange(fresh, places=places, order=True, told=loaded)
    else:
        arranging.arrange_the_rest(fresh)
    return fresh


def _recorded(campaign: Campaign, field: str) -> Any:
    """A setting as the record of changes keeps it: of another row its id."""
    return getattr(campaign, f"{field}_id" if hasattr(campaign, f"{field}_id") else field)


@transaction.atomic
def set_paused(campaign: Campaign, is_paused: bool, by: User | None = None) -> None:
    """Stops or restarts new tasks, at once: also while an import keeps the other settings as they are."""
    changing = Campaign.objects.filter(pk=campaign.pk, is_paused=not is_paused)
    if not is_paused:
        # Looked at by the statement itself, which waits for whoever puts the campaign away just now.
        changing = changing.filter(is_archived=False)
    if changing.update(is_paused=is_paused):
        record("campaign", campaign.name, {"is_paused": (not is_paused, is_paused)}, by)
    elif not is_paused:
        refuse_archived(campaign)


def _arranged_by(campaign: Campaign) -> tuple[Any, ...]:
    """What the places and the priorities of a campaign's tasks follow from: first the overlap, then the order."""
    runs = [getattr(campaign, f"{name}_id") for name in sorted(READS[campaign.ordering])]
    return (campaign.overlap, campaign.adaptive_overlap), campaign.ordering, *runs


def _stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as they are kept."""
    return {name: _plain(value) if name == "guideline" else value for name, value in fields.items()}


def _plain(text: str) -> str:
    """A text without what sending a form adds to it: a browser ends every line in two characters."""
    return text.replace("\r\n", "\n").strip()


def add_tasks(
    campaign: Campaign,
    solutions: Iterable[Solution | int],
    *,
    gold: Mapping[int, Sequence[int]] | None = None,
    gold_source: str = "",
    section: str = "",
    batch: int = 2000,
) -> int:
    """Makes a work task of each solution that has none here yet; returns how many are new. Streams.

    `gold` maps a solution's id to its acceptable first-mistake positions (-1: no mistake).
    """
    overlap = _places(campaign, TaskKind.WORK)
    made, waiting = 0, []
    for solution in solutions:
        pk = solution if isinstance(solution, int) else solution.pk
        known = list(gold[pk]) if gold and pk in gold else None
        waiting.append(
            Task(
                campaign=campaign,
                solution_id=pk,
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
def set_kind(
    task: Task, kind: str, gold: Sequence[int] | None, source: str = "", by: User | None = None
) -> Task:
    """Turns a task into gold, screening or ordinary work; places already taken stay taken.

    Without a `source`, gold that stays as it is keeps its own, and other gold is the word of `by`. Returns the task,
    locked and open: whoever makes it work again knows what was submitted, and lets that `settle` it.
    Raises ValidationError where `gold` names a step that the solution does not have, or a place where nothing is chosen
    and that its gold does not name already, as an import's may.
    """
    fresh = (
        Task.objects.select_for_update(of=("self",)).select_related("campaign", "solution").get(pk=task.pk)
    )
    chosen = sorted(set(gold)) if gold else None
    last = trajectory_length(fresh.solution)
    if any(place >= last for place in set(chosen or ()) - set(fresh.gold or ())):
        raise ValidationError(_("The solution has steps 1 to %(last)s.") % {"last": last})
    taken = fresh.overlap - fresh.remaining
    record("task", recorded_name(fresh), {"kind": (fresh.kind, str(kind)), "gold": (fresh.gold, chosen)}, by)
    fresh.gold_source = (source or _source_of(chosen, fresh, by)) if chosen else ""
    fresh.kind, fresh.gold = kind, chosen
    fresh.overlap = max(taken, _places(fresh.campaign, kind))
    fresh.remaining = fresh.overlap - taken
    fresh.state, fresh.set_aside_reason = TaskState.OPEN, ""
    fresh.save(
        update_fields=["kind", "gold", "gold_source", "overlap", "remaining", "state", "set_aside_reason"]
    )
    return fresh


def _source_of(gold: Sequence[int] | None, before: Task, by: User | None) -> str:
    """Whose word the gold is; whoever only saves the form that shows it has not decided it."""
    if gold == before.gold:
        return before.gold_source
    return decided_by(by.username) if by else "reviewer"


def ask_one_more(task: Task, by: User | None = None) -> bool:
    """Opens finished work for one more person than looked at it; returns whether it was finished.

    Raises MisstepError where the campaign is archived, or its places are still to be arranged.
    """
    refuse_archived(task.campaign)
    _refuse_to_be_arranged(task.campaign)
    with transaction.atomic():
        # Three who agreed may have left a place free.
        places = 0 if task.remaining else 1
        if not open_again({task.pk: places}):
            return False
        Task.objects.filter(pk=task.pk).update(least_looks=F("overlap") - F("remaining") + 1)
        fresh = Task.objects.get(pk=task.pk)
        changed = {
            "state": (TaskState.DONE.value, fresh.state),
            "overlap": (fresh.overlap - places, fresh.overlap),
        }
        record("task", recorded_name(task), changed, by)
    # It was put in order when it was open last.
    arranging.arrange(task.campaign, places=False, order=True)
    return True


def _refuse_to_be_arranged(campaign: Campaign) -> None:
    """What a change of places has left undone is done first: it would take a place back that is given now."""
    arranging.arrange_the_rest(campaign)
    left = arranging.unfinished(campaign)
    if left and left.spec["places"]:
        message = _("the places of campaign %(campaign)s are being arranged, expected that to be done first")
        raise MisstepError(message % {"campaign": campaign.name})


@transaction.atomic
def judge_screening(campaign: Campaign, annotator: int, verdicts_right: Sequence[bool]) -> str | None:
    """Admits or refuses a person who has done the whole screening set; returns the new state, if any."""
    if len(verdicts_right) < campaign.screening_size:
        return None
    share = sum(verdicts_right) / len(verdicts_right) if campaign.screening_size else 1.0
    state = MemberState.ADMITTED if share >= campaign.screening_threshold else MemberState.REFUSED
    member = locked_member(campaign, annotator)
    if member is None or member.state != MemberState.SCREENING:
        return None
    set_member_state(campaign, annotator, state)
    return state.value
