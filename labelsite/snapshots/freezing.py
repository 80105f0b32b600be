"""Freezing on request: at once where that takes no longer than a page may, and as a job otherwise."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign
from labelsite.jobs.lease import Lease
from labelsite.jobs.models import Job
from labelsite.jobs.services import enqueue
from labelsite.snapshots.models import Snapshot
from labelsite.snapshots.services import freeze
from ml.targets import LabelRule

TASK = "labelsite.snapshots.tasks.run_freeze"
# About a second's work.
TASKS_AT_ONCE = 2_000


def freeze_or_queue(
    campaign: Campaign, labels: str, rule: LabelRule, name: str | None, created_by: User
) -> Snapshot | Job:
    """The snapshot, or for a large campaign the job that will make it. Raises MisstepError as `freeze`."""
    if campaign.tasks.all()[: TASKS_AT_ONCE + 1].count() <= TASKS_AT_ONCE:
        return freeze(campaign, labels, rule, name, created_by)
    return start_freeze(campaign, labels, rule, name, created_by)


def start_freeze(
    campaign: Campaign, labels: str, rule: LabelRule, name: str | None, created_by: User | None
) -> Job:
    return enqueue(
        "django",
        "freeze",
        {"campaign": campaign.pk, "labels": labels, "rule": asdict(rule), "name": name},
        created_by=created_by,
        task_name=TASK,
        title=f"Freeze {campaign.name}"[:200],
    )


def work(job: Job, lease: Lease) -> dict[str, Any]:
    """Freeze what the job names; runs in the transaction that marks the job as done."""
    campaign = Campaign.objects.get(pk=job.spec["campaign"])

    def report(done: int) -> None:
        lease.report(done, unit="solutions", message="freezing")

    snapshot = freeze(
        campaign,
        job.spec["labels"],
        LabelRule(**job.spec["rule"]),
        job.spec["name"],
        job.created_by,
        report=report,
    )
    return {"snapshot": snapshot.pk, "name": snapshot.name, "sha256": snapshot.sha256}
