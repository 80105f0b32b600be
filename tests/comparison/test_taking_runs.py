"""Which of several runs of rollouts stands beside a campaign's steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import transaction

from labelsite.autolabels.loading import load_shard
from labelsite.autolabels.models import EstimateRun, Shard
from labelsite.campaigns.models import Campaign
from labelsite.comparison import services
from labelsite.comparison.services import start_campaign_estimates
from labelsite.comparison.tasks import load_for_campaign
from labelsite.jobs.models import Job
from labelsite.jobs.tasks import run_here
from tests.factories import make_campaign, make_estimate_run, make_job, make_user
from tests.training.pocket import pocket_campaign

pytestmark = pytest.mark.django_db(transaction=True)


def standing() -> EstimateRun | None:
    return Campaign.objects.get().estimate_run


def test_an_older_run_that_ends_last_leaves_the_newer_one_where_it_is_until_a_person_chooses_it() -> None:
    campaign = pocket_campaign(count=2, annotator=make_user())
    older, newer = (
        start_campaign_estimates(campaign, None, "math-shepherd", "pocket", rollouts=1, seed=seed)
        for seed in (0, 1)
    )
    run_here(newer.shards.get().job)
    assert standing() == newer
    run_here(older.shards.get().job)
    older.refresh_from_db()
    assert older.loaded_at and standing() == newer
    services.use_run(campaign, older)
    assert standing() == older


def test_a_run_whose_last_part_is_loaded_at_a_second_try_becomes_the_campaigns(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "estimates.jsonl").write_text("")
    run = make_estimate_run(loaded_at=None)
    spec = {"campaign": make_campaign().pk}
    first, other = (
        Shard.objects.create(run=run, number=number, size=0, job=make_job(spec=spec)) for number in (0, 1)
    )
    job = Job.objects.get(pk=first.job_id)
    with transaction.atomic():
        load_for_campaign(job, tmp_path, lambda: None)
        transaction.set_rollback(True)
    load_shard(other, tmp_path)
    assert standing() is None
    with transaction.atomic():
        load_for_campaign(job, tmp_path, lambda: None)
    assert standing() == run
