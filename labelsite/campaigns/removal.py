"""Solutions that came into a campaign by mistake, taken out again: a single one, or all that one import brought.

Nobody's work goes with them: what somebody labelled, decided, began, has in hand or tests people with stays. Solutions
stay in the database, with what machines said of them; frozen snapshots are files, and do not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, QuerySet, TextChoices, TextField
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from labelsite.accounts.models import User
from labelsite.accounts.records import record
from labelsite.campaigns.drafts import IS_BEGUN
from labelsite.campaigns.gold import recorded_name as recorded_task
from labelsite.campaigns.imports import Import, brought_in, import_at
from labelsite.campaigns.imports import recorded_name as recorded_import
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.sections import mix_anew
from labelsite.campaigns.sweep import hold_the_sweep
from labelsite.deadlocks import again_after_deadlock
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.jobs.titles import worded
from ml.errors import MisstepError
from ml.said import Said

TASK = "labelsite.campaigns.tasks.run_removal"
# About a second's work.
TASKS_AT_ONCE = 5000


class Reason(TextChoices):
    """Why a task stays; of several reasons, the first."""

    LABELS = "labels", gettext_lazy("labelled by people")
    IMPORTED_LABELS = "imported_labels", gettext_lazy("with labels that came with a file")
    DECISIONS = "decisions", gettext_lazy("decided by a reviewer")
    DRAFTS = "drafts", gettext_lazy("with a draft that nobody submitted")
    IN_HAND = "in_hand", gettext_lazy("in somebody's hands")
    TESTS_PEOPLE = "tests_people", gettext_lazy("gold or screening, or with a known first mistake")


# Of a row of the task table: the Reason, or null where nothing keeps it.
_REASON = f"""CASE
    WHEN EXISTS (SELECT FROM annotations_annotation AS look
                 WHERE look.task_id = campaigns_task.id AND look.origin <> 'import') THEN 'labels'
    WHEN EXISTS (SELECT FROM annotations_annotation AS look
                 WHERE look.task_id = campaigns_task.id) THEN 'imported_labels'
    WHEN EXISTS (SELECT FROM comparison_adjudication AS decision
                 WHERE decision.task_id = campaigns_task.id) THEN 'decisions'
    WHEN EXISTS (SELECT FROM campaigns_assignment AS lease
                 WHERE lease.task_id = campaigns_task.id AND {IS_BEGUN}) THEN 'drafts'
    WHEN EXISTS (SELECT FROM campaigns_assignment AS lease
                 WHERE lease.task_id = campaigns_task.id AND (lease.state = 'submitted'
                   OR (lease.state = 'leased' AND lease.leased_until >= now()))) THEN 'in_hand'
    WHEN campaigns_task.kind <> 'work' OR campaigns_task.gold IS NOT NULL THEN 'tests_people'
END"""
# Nobody is waited for with the tasks locked: who has locked a lease wants its task next, and is at work on it.
_LOCK_LEASES = """
SELECT id FROM campaigns_assignment WHERE task_id = ANY(%(tasks)s::bigint[]) FOR UPDATE SKIP LOCKED
"""
# A statement of its own, which sees what was committed while the locks were waited for.
_TAKE_OUT = f"""
WITH free AS MATERIALIZED (
    SELECT id FROM campaigns_task WHERE id = ANY(%(tasks)s::bigint[]) AND {_REASON} IS NULL
      AND NOT EXISTS (SELECT FROM campaigns_assignment AS lease
                      WHERE lease.task_id = campaigns_task.id AND NOT lease.id = ANY(%(leases)s::bigint[]))
), lapsed AS (
    DELETE FROM campaigns_assignment AS lease USING free WHERE lease.task_id = free.id
)
DELETE FROM campaigns_task USING free WHERE campaigns_task.id = free.id
"""


class TaskKept(MisstepError):
    """The task stays in its campaign. reason: what keeps it there."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(_("This solution stays in the campaign: %(why)s.") % {"why": reason.label})


@dataclass(frozen=True, slots=True)
class Found:
    """How many of some tasks nothing keeps, and how many stay for what reason."""

    free: int
    kept: dict[Reason, int]

    @property
    def staying(self) -> int:
        return sum(self.kept.values())


def look_at(rows: QuerySet[Task]) -> Found:
    """What taking these tasks out would come to just now."""
    counts = dict(_with_reason(rows).order_by().values_list("reason").annotate(count=Count("pk")))
    return Found(counts.get(None, 0), {reason: counts[reason] for reason in Reason if reason in counts})


def reason_to_stay(task: Task) -> Reason | None:
    """What keeps the task in its campaign, if anything does."""
    reason = _with_reason(Task.objects.filter(pk=task.pk)).values_list("reason", flat=True).first()
    return Reason(reason) if reason else None


def _with_reason(rows: QuerySet[Task]) -> QuerySet[Any]:
    return rows.annotate(reason=RawSQL(_REASON, (), output_field=TextField(null=True)))


@again_after_deadlock
def take_out(task: Task, by: User | None = None) -> None:
    """Takes one solution out of its campaign; raises TaskKept where something keeps it there."""
    with transaction.atomic():
        if _take_out(task.campaign.tasks.filter(pk=task.pk)):
            record("task", recorded_task(task), {"is_deleted": (False, True)}, by)
        elif Task.objects.filter(pk=task.pk).exists():
            # Whoever has locked it, and has said nothing yet, is at work on it.
            raise TaskKept(reason_to_stay(task) or Reason.IN_HAND)
    mix_anew(task.campaign)


def undo(campaign: Campaign, found: Import, by: User | None = None) -> int | Job:
    """Takes out what the import brought and nothing keeps; returns how many tasks, or the job that does it."""
    if found.tasks <= TASKS_AT_ONCE:
        return _undo(campaign, found, by)
    title = worded(gettext_noop("Undo an import into %(campaign)s"), campaign=campaign.name)
    spec = {"campaign": campaign.pk, "imported_at": found.key}
    return enqueue("django", "removal", spec, created_by=by, task_name=TASK, title=title)


def work(job: Job, lease: Lease) -> dict[str, Any]:
    """Takes out what the job names; runs in the transaction that marks the job as done."""
    campaign = Campaign.objects.filter(pk=job.spec["campaign"]).first()
    if campaign is None:
        raise MisstepError(Said(gettext_noop("the campaign is no longer there")))
    found = import_at(campaign, job.spec["imported_at"])
    taken = _undo(campaign, found, job.created_by) if found else 0
    kept = found.tasks - taken if found else 0
    return {"campaign_id": campaign.pk, "tasks_taken_out": taken, "tasks_kept": kept}


@again_after_deadlock
def _undo(campaign: Campaign, found: Import, by: User | None) -> int:
    with transaction.atomic():
        taken = _take_out(brought_in(campaign, found.imported_at))
        record("import", recorded_import(found, campaign), {"tasks": (found.tasks, found.tasks - taken)}, by)
    if taken:
        mix_anew(campaign)
    return taken


def _take_out(rows: QuerySet[Task]) -> int:
    """Deletes those that nothing keeps, whatever their number by the same few statements; returns how many.

    They are locked as whoever else locks many does it, so that a claim passes over them and waits for none.
    """
    hold_the_sweep()
    free = _with_reason(rows).filter(reason__isnull=True).select_for_update(of=("self",)).order_by("pk")
    tasks = {"tasks": list(free.values_list("pk", flat=True))}
    with connection.cursor() as cursor:
        cursor.execute(_LOCK_LEASES, tasks)
        cursor.execute(_TAKE_OUT, {**tasks, "leases": [lease for (lease,) in cursor.fetchall()]})
        return cursor.rowcount
