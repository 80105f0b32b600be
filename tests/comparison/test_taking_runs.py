"""Which of several runs of rollouts stands beside a campaign's steps."""

from __future__ import annotations

import pytest

from labelsite.autolabels.models import EstimateRun
from labelsite.campaigns.models import Campaign
from labelsite.comparison import services
from labelsite.comparison.services import start_campaign_estimates
from labelsite.jobs.tasks import run_here
from tests.factories import make_user
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
    run_here(newer.job)
    assert standing() == newer
    run_here(older.job)
    older.refresh_from_db()
    assert older.loaded_at and standing() == newer
    services.use_run(campaign, older)
    assert standing() == older
