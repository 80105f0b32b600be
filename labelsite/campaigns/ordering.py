"""Puts a campaign's queue in order, and writes the reason for each task's place beside it.

Priorities are computed from tables that machines filled (estimates, scores); nothing calls back when those
change, so whoever loads new scores asks for a new order.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from django.db import connection, transaction
from django.db.models import QuerySet

from labelsite.campaigns.evidence import Evidence, evidence_of
from labelsite.campaigns.models import Campaign, Ordering, Task, TaskKind, TaskState
from labelsite.campaigns.sweep import hold_the_sweep
from ml import acquisition
from ml.acquisition import Priority

BATCH = 2000
# Below every priority of ml.acquisition: what nobody scored comes last, in import order.
UNSCORED = Priority(-1.0, "unscored")
IMPORT_ORDER = Priority(0.0, "import_order")

# Which of a campaign's runs each ordering reads.
READS: Mapping[str, frozenset[str]] = {
    Ordering.IMPORT_ORDER: frozenset(),
    Ordering.RANDOM: frozenset(),
    Ordering.UNCERTAINTY: frozenset({"score_run"}),
    Ordering.DISAGREEMENT: frozenset({"score_run", "estimate_run"}),
    Ordering.CONVINCING_WRONG: frozenset({"score_run"}),
}
TOP = 10

_PLACE = """
UPDATE campaigns_task AS task SET priority = new.value, priority_reason = new.reason
FROM unnest(%s::bigint[], %s::float8[], %s::text[]) AS new (id, value, reason) WHERE task.id = new.id
"""


def no_check() -> None:
    """Nobody may break this off."""


# What the queue holds of one task: its id, its section, its solution's id and whether that is right, its priority and
# the reason.
_Row = tuple[int, str, int, bool | None, float, str]
_ROW = ("id", "section", "solution_id", "solution__is_correct", "priority", "priority_reason")
# What is mixed: how much a task is doubted, its id, and the priority that it has by itself.
_Mixed = tuple[float, int, Priority]


def reorder(campaign: Campaign, check: Callable[[], None] = no_check) -> int:
    """Writes priority and reason of every open task by the campaign's ordering; returns how many changed.

    It commits batch by batch, so that a submission waits for one of them at most, and calls `check` before each.
    Broken off, it is finished by doing it again. Of two at once each batch goes by the settings that stand when its
    turn comes, so whichever writes a task last writes what the newest settings say.
    """
    changed, last, is_done = 0, 0, False
    campaign = _as_it_stands(campaign)
    is_mixed = campaign.ordering == Ordering.CONVINCING_WRONG
    # Whoever changes the ordering or the scores meanwhile asks for a new order, too.
    mixed = _mixed(campaign, check) if is_mixed else {}
    while not is_done:
        check()
        with transaction.atomic(durable=True):
            # Also makes two reorderings take turns: the settings must be read when the other's batch is committed.
            hold_the_sweep()
            campaign = _as_it_stands(campaign)
            batch = _batch(campaign, last)
            changed += _reorder_batch(campaign, batch, mixed)
        last, is_done = (batch[-1][0] if batch else last), len(batch) < BATCH
    return changed


def place_new(campaign: Campaign, after: int) -> None:
    """Gives the tasks that the caller's transaction has made, those after the one of that id, their places.

    A new task moves none of the others; and nobody else sees one yet, so nobody waits.
    """
    while batch := _batch(campaign, after):
        _reorder_batch(campaign, batch, {})
        after = batch[-1][0]


def waiting(campaign: Campaign) -> QuerySet[Task]:
    """The work that still wants somebody, in the order in which people would be given it."""
    tasks = Task.objects.filter(campaign=campaign, kind=TaskKind.WORK, state=TaskState.OPEN, remaining__gt=0)
    return tasks.order_by("-priority", "pk")


def top_of_queue(campaign: Campaign, count: int = TOP) -> list[int]:
    """The ids of the tasks that people would be given next, in order."""
    return list(waiting(campaign).values_list("pk", flat=True)[:count])


def _as_it_stands(campaign: Campaign) -> Campaign:
    return Campaign.objects.defer("guideline").get(pk=campaign.pk)


def _batch(campaign: Campaign, after: int, **kept: str) -> list[_Row]:
    rows = Task.objects.filter(campaign=campaign, state=TaskState.OPEN, id__gt=after, **kept).order_by("id")
    return list(rows.values_list(*_ROW)[:BATCH])


def _mixed(campaign: Campaign, check: Callable[[], None]) -> dict[int, Priority]:
    """The places of all open work with scores, by its ids: of five in a row in a section, four have wrong answers.

    The sections' orders lie side by side, so whoever works in all of them gets about that mixture, too. Known answers
    have turns of their own, and would leave gaps here. It only reads and locks nothing.
    """
    wrong: defaultdict[str, list[_Mixed]] = defaultdict(list)
    others: defaultdict[str, list[_Mixed]] = defaultdict(list)
    last, is_done = 0, False
    while not is_done:
        check()
        batch = _batch(campaign, last, kind=TaskKind.WORK)
        evidence = evidence_of(campaign, [row[2] for row in batch])
        for task, section, solution, is_correct, *_ in batch:
            scores = evidence.get(solution, Evidence()).complete_scores()
            if scores is not None:
                own = acquisition.convincing_wrong(scores, is_correct)
                mixed = wrong if is_correct is False else others
                mixed[section].append((-acquisition.aggregate(scores), task, own))
        last, is_done = (batch[-1][0] if batch else last), len(batch) < BATCH
    places: dict[int, Priority] = {}
    for section in wrong.keys() | others.keys():
        places |= _places(acquisition.four_to_one(sorted(wrong[section]), sorted(others[section])))
    return places


def _places(order: Sequence[_Mixed]) -> dict[int, Priority]:
    """Falling numbers. Each task has its own priority, or a hair more than the one after it: so most tasks keep their
    numbers when some come or go.
    """
    places, place = {}, -1.0
    for _, task, own in reversed(order):
        place = max(own.value, math.nextafter(place, 2.0))
        places[task] = replace(own, value=place)
    return places


def _reorder_batch(campaign: Campaign, batch: Sequence[_Row], mixed: Mapping[int, Priority]) -> int:
    # What came after the places were given stands where it would by itself, until they are given anew.
    known = mixed if campaign.ordering == Ordering.CONVINCING_WRONG else {}
    others = [row[2] for row in batch if row[0] not in known] if READS[campaign.ordering] else []
    evidence = evidence_of(campaign, others) if others else {}
    ids, values, reasons = [], [], []
    for task, _, solution, is_correct, old_value, old_reason in batch:
        found = evidence.get(solution, Evidence())
        new = known.get(task) or priority_of(campaign.ordering, str(task), is_correct, found)
        # The import's own order needs no reason, and its rows have none.
        reason = new.code if new.reason else ""
        if (new.value, reason) != (old_value, old_reason):
            ids.append(task)
            values.append(new.value)
            reasons.append(reason)
    if ids:
        with connection.cursor() as cursor:
            # In the order of their ids, as everybody who locks many tasks does it.
            cursor.execute("SELECT 1 FROM campaigns_task WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
            cursor.execute(_PLACE, [ids, values, reasons])
    return len(ids)


def priority_of(ordering: str, identity: str, is_correct: bool | None, evidence: Evidence) -> Priority:
    """The place of one task. Without the scores that an ordering needs, it comes last and says so."""
    if ordering == Ordering.IMPORT_ORDER:
        return IMPORT_ORDER
    if ordering == Ordering.RANDOM:
        return acquisition.random_order(identity)
    scores = evidence.complete_scores()
    if scores is None:
        return UNSCORED
    if ordering == Ordering.UNCERTAINTY:
        return acquisition.uncertainty(scores)
    if ordering == Ordering.DISAGREEMENT:
        return acquisition.disagreement(
            scores, evidence.soft, evidence.first_mistake, is_known=evidence.is_known
        )
    return acquisition.convincing_wrong(scores, is_correct)
