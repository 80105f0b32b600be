"""The first mistakes that are known of tasks, as they are put right or become known later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import connection, transaction

from labelsite.accounts.models import User
from labelsite.accounts.records import record
from labelsite.campaigns.models import Campaign, Task


def positions_literal(positions: Sequence[int]) -> str:
    """A list as PostgreSQL writes it."""
    return f"{{{','.join(map(str, positions))}}}"


def recorded_name(task: Task) -> str:
    """A task as the record of changes names one."""
    return f"{task.pk} · {task.campaign.name}"


@transaction.atomic
def correct_gold(task: Task, gold: Sequence[int], source: str, by: User | None = None) -> None:
    """Gives a task that has gold other acceptable positions; what it is served as stays, and so do its places."""
    known = Task.objects.select_for_update(of=("self",)).select_related("campaign")
    fresh = known.filter(pk=task.pk, gold__len__gt=0).first()
    if fresh is not None:
        chosen = sorted(set(gold))
        record("task", recorded_name(fresh), {"gold": (fresh.gold, chosen)}, by)
        fresh.gold, fresh.gold_source = chosen, source
        fresh.save(update_fields=["gold", "gold_source"])


def fill_gold(campaign: Campaign, gold: Mapping[int, Sequence[int]], source: str) -> None:
    """Gives tasks that have no gold the positions known of their solutions; what they are served as stays."""
    with connection.cursor() as cursor:
        # Sorted by id, as whoever else writes many tasks at once.
        cursor.execute(
            "UPDATE campaigns_task AS task SET gold = known.gold, gold_source = %s FROM ("
            " SELECT wanted.id, new.gold::smallint[] FROM campaigns_task AS wanted"
            " JOIN unnest(%s::bigint[], %s::text[]) AS new (solution, gold) ON wanted.solution_id = new.solution"
            " WHERE wanted.campaign_id = %s AND wanted.gold IS NULL ORDER BY wanted.id"
            ") AS known WHERE task.id = known.id AND task.gold IS NULL",
            [source, list(gold), [positions_literal(positions) for positions in gold.values()], campaign.pk],
        )


def renew_gold(campaign: Campaign, gold: Mapping[int, Sequence[int]], source: str) -> None:
    """Gives tasks the positions that the source of their gold now knows; gold of anybody else stays.

    Nobody decides this task by task: that a file put so many right stands at its import, not in the record of changes.
    """
    tasks = Task.objects.filter(campaign=campaign, solution__in=gold, gold_source=source, gold__len__gt=0)
    for task in tasks.order_by("pk"):
        known = Task.objects.filter(pk=task.pk, gold__len__gt=0)
        known.update(gold=sorted(set(gold[task.solution_id])))
