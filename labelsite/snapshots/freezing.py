"""Freezing on request: at once where that takes no longer than a page may, and as a job otherwise."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from django.utils.translation import gettext_noop

from labelsite.accounts.models import User
from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import Work, enqueue
from labelsite.jobs.titles import worded
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.naming import default_name
from labelsite.snapshots.refusals import usable_run
from labelsite.snapshots.services import add_row, freeze, write_files
from ml.errors import MisstepError
from ml.said import Said
from ml.targets import LabelRule

TASK = "labelsite.snapshots.tasks.run_freeze"
# About a second's work.
TASKS_AT_ONCE = 2_000


def freeze_or_queue(
    campaign: Campaign,
    labels: str,
    rule: LabelRule,
    name: str | None,
    created_by: User,
    second: EstimateRun | None = None,
    keep_unlabelled: bool = False,
) -> Snapshot | Job:
    """The snapshot, or for a large campaign the job that will make it. Raises MisstepError as `freeze`."""
    if campaign.tasks.all()[: TASKS_AT_ONCE + 1].count() <= TASKS_AT_ONCE:
        return freeze(
            campaign, labels, rule, name, created_by, second=second, keep_unlabelled=keep_unlabelled
        )
    return start_freeze(campaign, labels, rule, name, created_by, second, keep_unlabelled)


def start_freeze(
    campaign: Campaign,
    labels: str,
    rule: LabelRule,
    name: str | None,
    created_by: User | None,
    second: EstimateRun | None = None,
    keep_unlabelled: bool = False,
) -> Job:
    """The job that makes the snapshot. What is refused in any case is said at once, not by a job that fails later."""
    usable_run(campaign, second, replace(rule, labels=labels))
    return enqueue(
        "django",
        "freeze",
        # The worker does not know the language of whoever asks.
        {
            "campaign": campaign.pk,
            "labels": labels,
            "rule": asdict(rule),
            "name": name or default_name(campaign, labels),
            "second_run": second.pk if second else None,
            "keep_unlabelled": keep_unlabelled,
        },
        created_by=created_by,
        task_name=TASK,
        title=worded(gettext_noop("Freeze %(campaign)s"), campaign=campaign.name),
    )


def gather(job: Job, lease: Lease) -> Work:
    """Write the files of what the job names, and leave its row to the transaction that marks the job as done.

    That transaction sees what is committed while it runs, as the job's lease needs it to; the files are of one moment.
    """
    campaign = Campaign.objects.get(pk=job.spec["campaign"])

    def report(done: int) -> None:
        lease.report(done, unit="solutions", message="freezing")

    files = write_files(
        campaign,
        job.spec["labels"],
        LabelRule(**job.spec["rule"]),
        job.spec["name"],
        job.created_by,
        report=report,
        second=_second_of(job),
        keep_unlabelled=job.spec["keep_unlabelled"],
    )

    def work(_job: Job, _lease: Lease) -> dict[str, Any]:
        snapshot = add_row(files)
        return {"snapshot": snapshot.pk, "name": snapshot.name, "sha256": snapshot.sha256}

    return work


def _second_of(job: Job) -> EstimateRun | None:
    """The second search that was asked for. Raises MisstepError where it is gone: without it, other labels would be
    frozen.
    """
    asked = job.spec["second_run"]
    if asked is None:
        return None
    found = EstimateRun.objects.filter(pk=asked).first()
    if found is None:
        words = gettext_noop("the second search (run %(id)s) is no longer there")
        raise MisstepError(Said(words, id=asked))
    return found
