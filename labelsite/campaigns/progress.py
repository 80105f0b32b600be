"""How far a campaign is: counts for its page, each by one grouped query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Sum, Value
from django.db.models.functions import Greatest, TruncDate
from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    Membership,
    MemberState,
    Task,
    TaskKind,
    TaskState,
)
from labelsite.campaigns.sections import in_order
from labelsite.campaigns.settling import AGREEING
from labelsite.campaigns.sweep import IN_HAND, RUN_OUT

DAYS = 14
# From so many solutions on, the numbers of a card and of the page are kept for so long.
LARGE, KEPT_SECONDS = 5_000, 30
# The bars' feet; above the tallest there is room for its count.
FLOOR = 122


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the plot; x, y, height in the plot's own units (a box of 560 by 150)."""

    day: date
    count: int
    x: float
    y: float
    height: float
    width: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def above(self) -> float:
        """Where its count stands."""
        return self.y - 5


@dataclass(frozen=True, slots=True)
class Member:
    user: User
    state: str
    sections: list[str]
    submitted: int
    in_hand: int

    @property
    def state_label(self) -> str:
        return str(MemberState(self.state).label)


@dataclass(frozen=True, slots=True)
class Section:
    """A section, how its work stands, and who is kept to it."""

    name: str
    tasks: int
    done: int
    open: int
    people: list[str]


def counts(campaign: Campaign) -> dict[str, Any]:
    """Tasks by state and looks wanted, free and in somebody's hands, work only; gold and screening beside. An adaptive
    task has a place for the first person alone, but wants as many as have to agree: it counts at least those.
    """
    work = Q(kind=TaskKind.WORK)
    lacking = Greatest(AGREEING - F("overlap"), 0) if campaign.adaptive_overlap else Value(0)
    found = campaign.tasks.aggregate(
        tasks=Count("id", filter=work),
        done=Count("id", filter=work & Q(state=TaskState.DONE)),
        set_aside=Count("id", filter=work & Q(state=TaskState.SET_ASIDE)),
        wanted=Sum("overlap", filter=work, default=0),
        free=Sum("remaining", filter=work & Q(state=TaskState.OPEN), default=0),
        lacking=Sum(lacking, filter=work & Q(state=TaskState.OPEN), default=0),
        gold=Count("id", filter=Q(kind=TaskKind.GOLD)),
        screening=Count("id", filter=Q(kind=TaskKind.SCREENING)),
    )
    for looks in ("wanted", "free"):
        found[looks] += found["lacking"]
    found["share"] = found["done"] / found["tasks"] if found["tasks"] else 0.0
    set_aside = campaign.tasks.filter(work, state=TaskState.SET_ASIDE)
    found["undecided"] = found["set_aside"] - len(decided(set_aside))
    leases = Assignment.objects.filter(task__campaign=campaign, task__kind=TaskKind.WORK).aggregate(
        in_hand=Count("id", filter=IN_HAND),
        run_out=Count("id", filter=RUN_OUT & Q(task__state=TaskState.OPEN)),
    )
    found["in_hand"] = leases["in_hand"]
    # Whoever asks for a task next takes these back first.
    found["free"] += leases["run_out"]
    return found


def decided(tasks: QuerySet[Task]) -> set[int]:
    """The ids of those tasks on which a reviewer's decision stands: their state stays as people left it."""
    return set(tasks.filter(adjudications__is_live=True).values_list("pk", flat=True))


def kept_counts(campaign: Campaign) -> dict[str, Any]:
    """As `counts`, for the page; a large campaign's may be some seconds old, as in `solutions_done`."""
    key = f"campaigns:counts:{campaign.pk}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        found = counts(campaign)
        if found["tasks"] >= LARGE:
            cache.set(key, found, KEPT_SECONDS)
    return found


def for_person(user: User, campaigns: Iterable[Campaign]) -> list[dict[str, Any]]:
    """The person's campaigns with their own count and what is open, in few queries whatever their number.

    Reviewers and admins also see how many of each campaign's solutions are done. Annotators are told what is open by
    tens: one by one it would stand still after gold, which counts among what they did, and move after work.
    """
    rows = list(campaigns)
    done = dict(
        Assignment.objects.filter(annotator=user, state=AssignmentState.SUBMITTED, task__campaign__in=rows)
        .values_list("task__campaign")
        .annotate(count=Count("id"))
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, (SELECT count(*) FROM (SELECT 1 FROM campaigns_task WHERE campaign_id = campaign.id"
            " AND kind = 'work' AND state = 'open' AND remaining > 0 LIMIT 1000) AS first)"
            " FROM campaigns_campaign AS campaign WHERE id = ANY(%s)",
            [[campaign.pk for campaign in rows]],
        )
        open_tasks = dict(cursor.fetchall())
    whole = solutions_done(rows) if user.is_reviewer else {}
    held, last = _in_hand_of(user, rows)
    screening = _screening_left(user, rows)
    return [
        {
            "campaign": campaign,
            "done": done.get(campaign.pk, 0),
            "open": is_open,
            "open_by_tens": None if user.is_reviewer else is_open // 10 * 10,
            "screening": screening.get(campaign.pk),
            "solutions": whole.get(campaign.pk),
        }
        for campaign in rows
        for is_open in [
            max(open_tasks.get(campaign.pk, 0) + last.get(campaign.pk, 0), held.get(campaign.pk, 0))
        ]
    ]


def _in_hand_of(user: User, campaigns: Iterable[Campaign]) -> tuple[dict[int, int], dict[int, int]]:
    """In each campaign, how many tasks the person holds, of whatever kind; and of how much work the last place."""
    rows = list(
        Assignment.objects.filter(annotator=user, state=AssignmentState.LEASED, task__campaign__in=campaigns)
        .values("task__campaign")
        .annotate(held=Count("id"), last=Count("id", filter=Q(task__kind=TaskKind.WORK, task__remaining=0)))
    )
    return {row["task__campaign"]: row["held"] for row in rows}, {
        row["task__campaign"]: row["last"] for row in rows
    }


def _screening_left(user: User, campaigns: Iterable[Campaign]) -> dict[int, int]:
    """In the campaigns that still screen the person, how many items they do before they are judged; 0: they wait for
    more. Whoever has done enough of them is judged by their next submission, or without any left when they come.
    """
    screened = Membership.objects.filter(user=user, campaign__in=campaigns, state=MemberState.SCREENING)
    sizes = dict(screened.values_list("campaign", "campaign__screening_size"))
    done = Assignment.objects.filter(annotator=user, state=AssignmentState.SUBMITTED)
    is_done = Q(pk__in=done.filter(task__kind=TaskKind.SCREENING).values("task"))
    items = Task.objects.filter(campaign__in=sizes, kind=TaskKind.SCREENING).order_by()
    rows = items.values_list("campaign").annotate(
        done=Count("id", filter=is_done), left=Count("id", filter=~is_done)
    )
    counted = {campaign: (done, left) for campaign, done, left in rows}
    return {
        campaign: min(left, max(1, size - done))
        for campaign, size in sizes.items()
        for done, left in [counted.get(campaign, (0, 0))]
        if left or done < size
    }


def missing_screening(campaign: Campaign) -> int:
    """How many screening items newcomers would wait for in vain."""
    if not campaign.screening_size:
        return 0
    there = campaign.tasks.filter(kind=TaskKind.SCREENING).count()
    return max(0, campaign.screening_size - there)


def solutions_done(campaigns: Iterable[Campaign]) -> dict[int, dict[str, int]]:
    """For each campaign with work, how many of its solutions there are and how many are done.

    A large campaign's numbers may be some seconds old: to count all of its tasks at each visit is dear, and one more
    or less is not seen there.
    """
    keys = {f"campaigns:solutions:{campaign.pk}": campaign.pk for campaign in campaigns}
    known = {keys[key]: numbers for key, numbers in cache.get_many(keys).items()}
    counted = _count_solutions(set(keys.values()) - known.keys())
    large = {pk: numbers for pk, numbers in counted.items() if numbers["total"] >= LARGE}
    cache.set_many({key: large[pk] for key, pk in keys.items() if pk in large}, KEPT_SECONDS)
    return known | counted


def _count_solutions(campaigns: Iterable[int]) -> dict[int, dict[str, int]]:
    rows = (
        Task.objects.filter(campaign__in=campaigns, kind=TaskKind.WORK)
        .values("campaign")
        .annotate(total=Count("id"), done=Count("id", filter=Q(state=TaskState.DONE)))
    )
    return {row["campaign"]: {"done": row["done"], "total": row["total"]} for row in rows}


def plot(campaign: Campaign) -> list[Bar]:
    """Annotations a day over the last two weeks, as bars."""
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    submitted = Assignment.objects.filter(
        task__campaign=campaign,
        state=AssignmentState.SUBMITTED,
        heartbeat_at__gte=timezone.localtime() - timedelta(days=DAYS),
    )
    per_day = dict(
        submitted.annotate(day=TruncDate("heartbeat_at")).values_list("day").annotate(count=Count("id"))
    )
    most = max(per_day.values(), default=0) or 1
    width = 560 / DAYS
    bars = []
    for index in range(DAYS):
        day = first + timedelta(days=index)
        height = 100 * per_day.get(day, 0) / most
        bars.append(Bar(day, per_day.get(day, 0), index * width + 4, FLOOR - height, height, width - 8))
    return bars


def sections(campaign: Campaign) -> list[Section]:
    """Every section by name, also one whose tasks are all done or gold, or to which only a member is kept. Only work is
    counted: gold stays open, and with it a section would never be done.
    """
    work = Q(kind=TaskKind.WORK)
    rows = {
        row["section"]: row
        for row in campaign.tasks.exclude(section="")
        .values("section")
        .annotate(
            tasks=Count("id", filter=work),
            done=Count("id", filter=work & Q(state=TaskState.DONE)),
            open=Count("id", filter=work & Q(state=TaskState.OPEN, remaining__gt=0)),
        )
    }
    people: dict[str, list[str]] = {}
    for name, kept in campaign.memberships.order_by("user__username").values_list(
        "user__username", "sections"
    ):
        for section in kept:
            people.setdefault(section, []).append(name)
    nothing = {"tasks": 0, "done": 0, "open": 0}
    return [
        Section(name, found["tasks"], found["done"], found["open"], people.get(name, []))
        for name in in_order(rows.keys() | people.keys())
        for found in [rows.get(name, nothing)]
    ]


def members(campaign: Campaign) -> list[Member]:
    rows = campaign.memberships.select_related("user").order_by("user__username")
    looks = {
        row["annotator"]: row
        for row in Assignment.objects.filter(task__campaign=campaign)
        .values("annotator")
        .annotate(
            submitted=Count("id", filter=Q(state=AssignmentState.SUBMITTED)),
            in_hand=Count("id", filter=IN_HAND),
        )
    }
    nothing = {"submitted": 0, "in_hand": 0}
    return [
        Member(row.user, row.state, row.sections, found["submitted"], found["in_hand"])
        for row in rows
        for found in [looks.get(row.user_id, nothing)]
    ]
