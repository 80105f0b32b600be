"""A run over a campaign's solutions: what it finds is loaded, and becomes the campaign's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labelsite.autolabels.loading import load_shard
from labelsite.autolabels.models import EstimateRun
from labelsite.autolabels.services import prepare_input
from labelsite.campaigns.models import Campaign
from labelsite.celery import application
from labelsite.comparison import services
from labelsite.jobs.models import Job
from labelsite.jobs.services import perform


@application.task(name=services.ESTIMATE_TASK)
def run_campaign_estimates(job_id: int) -> None:
    perform(job_id, services.ESTIMATE_TASK, prepare=prepare_input, load=load_for_campaign)


def load_for_campaign(job: Job, folder: Path, check: Callable[[], None]) -> dict[str, Any]:
    counts = load_shard(job.shard, folder, check)
    # Read anew: a try whose connection broke has left its own picture of the run in `job`.
    run = EstimateRun.objects.get(pk=job.shard.run_id)
    # Locked, so that of two runs that end at once the one that was asked for later stands.
    campaign = Campaign.objects.select_for_update().filter(pk=job.spec["campaign"]).first()
    if campaign and run.loaded_at and (campaign.estimate_run_id or 0) <= run.pk:
        services.use_run(campaign, run, loaded=job)
    return counts
