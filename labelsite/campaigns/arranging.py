"""Brings every task of a campaign in line with new settings: its places with the overlap, its priority with the order.

A job, because it goes over all tasks: it is asked for in the transaction of the settings, does its work in short
transactions of its own while people go on, and whatever breaks it off, somebody else finishes it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext_noop

from labelsite.campaigns.models import Campaign, Task, TaskKind
from labelsite.campaigns.ordering import BATCH, reorder, top_of_queue
from labelsite.campaigns.sweep import hold_the_sweep
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import ARRANGE, Job, JobQuerySet, JobState
from labelsite.jobs.results import add_to_result
from labelsite.jobs.services import Work, enqueue, perform
from labelsite.jobs.titles import worded

TASK = "labelsite.campaigns.tasks.run_arrangement"
# Whoever changes a campaign of up to so many tasks waits for the arrangement, under a second; a worker does the others.
AT_ONCE = 2000

# Each value is made of the row's own columns, which a claim or a release may have changed just now. Whoever's labels
# are excluded has a place too, but no say: the overlap counts others. A reviewer's word closes no task, but where it
# stands on one that is done, nobody more is asked.
_SET_OVERLAP = """
UPDATE campaigns_task AS task SET overlap = {wanted}, remaining = {wanted} - (overlap - remaining),
    state = CASE WHEN state = 'done' AND {wanted} > overlap - remaining THEN 'open' ELSE state END
FROM (SELECT locked.id AS task, (
          SELECT count(*) FROM campaigns_assignment AS look
          JOIN accounts_user AS person ON person.id = look.annotator_id
          WHERE look.task_id = locked.id AND look.state = 'submitted' AND person.labels_excluded) AS looks
      FROM unnest(%(tasks)s::bigint[]) AS locked (id)) AS unheard
WHERE task.id = unheard.task AND kind = 'work' AND overlap <> {wanted}
  AND (state <> 'done' OR NOT EXISTS (
      SELECT 1 FROM comparison_adjudication AS decision WHERE decision.task_id = task.id AND decision.is_live))
""".format(wanted="GREATEST(%(overlap)s + unheard.looks, overlap - remaining, 1)")
# A statement of its own, because it must see the leases of whoever the one before it waited for.
_CLOSE_THE_LOOKED_AT = """
UPDATE campaigns_task AS task SET state = 'done'
WHERE task.id = ANY(%(tasks)s) AND kind = 'work' AND state = 'open' AND remaining = 0
  AND NOT EXISTS (SELECT 1 FROM campaigns_assignment AS lease WHERE lease.task_id = task.id AND lease.state = 'leased')
"""


@transaction.atomic
def arrange(campaign: Campaign, *, places: bool, order: bool, told: Job | None = None) -> Job:
    """Has the tasks arranged once the caller's transaction is committed: few at once and by this process, many by a
    worker.

    If this process does not come to the end, the job is found by the next worker or poller. `told`: a job whose result
    is to say what is served first then. What the arrangement before it left undone is done with it; and one that waits
    still, and is to do all that, is this one: it goes by the settings that stand when it begins.
    """
    left = unfinished(campaign)
    before = left.spec if left else {"places": False, "order": False, "told": None}
    spec = {
        "campaign": campaign.pk,
        "places": places or before["places"],
        "order": order or before["order"],
        "told": told.pk if told else before["told"],
    }
    job = _waiting_for(spec, left)
    is_large = campaign.tasks.count() > AT_ONCE
    if job is None:
        title = worded(gettext_noop("arranging the tasks of %(campaign)s"), campaign=campaign.name)
        job = enqueue("django", ARRANGE, spec, task_name=TASK, title=title, is_announced=is_large)
    if not is_large:
        transaction.on_commit(functools.partial(work_off, job.pk), robust=True)
    return job


def _waiting_for(spec: dict[str, Any], left: Job | None) -> Job | None:
    """The arrangement that is left, if it is to do just this; locked, so that it begins with the caller's settings."""
    if left is None:
        return None
    return Job.objects.select_for_update().filter(pk=left.pk, state=JobState.QUEUED, spec=spec).first()


def arrange_the_rest(campaign: Campaign) -> None:
    """Arranges again where the last arrangement was cancelled, failed or still waits for somebody."""
    left = unfinished(campaign)
    if left and left.state != JobState.RUNNING:
        arrange(campaign, places=False, order=False)


def newest(campaign: Campaign) -> Job | None:
    return _arrangements().filter(spec__campaign=campaign.pk).first()


def unfinished(campaign: Campaign) -> Job | None:
    """The last arrangement, unless it is done: until then the tasks may not be as the settings say."""
    last = newest(campaign)
    return None if last is None or last.state == JobState.DONE else last


def arrangement_told(job_id: int) -> Job | None:
    """The last arrangement that was to tell this job what is served first then."""
    return _arrangements().light().filter(spec__told=job_id).first()


def _arrangements() -> JobQuerySet:
    return Job.objects.filter(verb=ARRANGE).order_by("-pk")


def work_off(job_id: int) -> None:
    """Run the job here, if nobody else has it."""
    perform(job_id, TASK, gather=_arrange)


def _arrange(job: Job, lease: Lease) -> Work:
    campaign = Campaign.objects.filter(pk=job.spec["campaign"]).first()
    if campaign and job.spec["places"]:
        set_overlap(campaign, lease.check)
    moved = reorder(campaign, lease.check) if campaign and job.spec["order"] else 0
    return functools.partial(_tell, campaign, moved)


def _tell(campaign: Campaign | None, moved: int, job: Job, lease: Lease) -> dict[str, Any]:
    if campaign and job.spec["told"]:
        add_to_result(job.spec["told"], {"after": top_of_queue(campaign)})
    return {"moved_tasks": moved} if job.spec["order"] else {}


def set_overlap(campaign: Campaign, check: Callable[[], None]) -> None:
    """Gives every work task as many places as the campaign says, but never fewer than are taken already.

    Where every place is taken and everybody has submitted, no submission will come to close the task: it is done.
    As `reorder`, it goes batch by batch, each by the settings that stand when its turn comes.
    """
    last, is_done = 0, False
    while not is_done:
        check()
        with transaction.atomic(durable=True):
            hold_the_sweep()
            overlap = Campaign.objects.filter(pk=campaign.pk, adaptive_overlap=False).values_list("overlap")
            batch = _locked_work(campaign, last)
            if found := overlap.first():
                _set_places(batch, found[0])
        last, is_done = (batch[-1] if batch else last), len(batch) < BATCH or not found


def _locked_work(campaign: Campaign, after: int) -> list[int]:
    tasks = Task.objects.filter(campaign=campaign, kind=TaskKind.WORK, pk__gt=after)
    return list(tasks.select_for_update().order_by("pk").values_list("pk", flat=True)[:BATCH])


def _set_places(tasks: list[int], overlap: int) -> None:
    parameters: dict[str, Any] = {"tasks": tasks, "overlap": overlap}
    with connection.cursor() as cursor:
        cursor.execute(_SET_OVERLAP, parameters)
        cursor.execute(_CLOSE_THE_LOOKED_AT, parameters)
