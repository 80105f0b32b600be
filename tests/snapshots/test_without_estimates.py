"""Mixed labels without estimates would be people's alone under another name: page, API and command refuse them."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from labelsite.accounts.models import Role
from labelsite.campaigns.models import Campaign
from labelsite.comparison.services import start_campaign_estimates
from labelsite.jobs.models import Job, JobState
from labelsite.snapshots import freezing
from labelsite.snapshots.models import Snapshot
from tests.factories import make_annotation, make_campaign, make_estimates, make_task, make_user

pytestmark = pytest.mark.django_db
LABELS = ["automatic", "mixed"]


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign("Sums")
    make_annotation(make_task(campaign), make_user())
    return campaign


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(make_user(Role.ADMIN))
    return client


def search(campaign: Campaign) -> Job:
    run = start_campaign_estimates(campaign, None, "math-shepherd", "pocket", rollouts=2, seed=0)
    return run.shards.get().job


@pytest.mark.parametrize("labels", LABELS)
def test_the_page_refuses_and_names_the_search_that_is_under_way(browser, campaign, labels: str):
    job = search(campaign)
    form = {"neutral": "positive", "target": "hard", "mixture": "people_override"}
    response = browser.post("/snapshots/", {"campaign": campaign.pk, "labels": labels, **form})
    assert response.status_code == 400
    page = response.content.decode()
    assert "no loaded estimates" in page and f"job {job.pk}" in page and "is queued" in page
    assert not Snapshot.objects.exists()


@pytest.mark.parametrize("labels", LABELS)
def test_the_api_refuses_also_a_campaign_that_a_job_would_freeze(browser, campaign, labels, monkeypatch):
    monkeypatch.setattr(freezing, "TASKS_AT_ONCE", 0)
    job = search(campaign)
    Job.objects.update(state=JobState.RUNNING)
    wanted = {"campaign": campaign.pk, "labels": labels}
    response = browser.post("/api/v1/snapshots/", wanted, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (422, "refused")
    assert f"job {job.pk}" in response.json()["detail"] and "is running" in response.json()["detail"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize("labels", LABELS)
def test_the_command_refuses_and_speaks_of_no_job_where_none_is_under_way(
    campaign: Campaign, labels: str, tmp_path: Path
):
    search(campaign)
    Job.objects.update(state=JobState.FAILED)
    search(make_campaign_with_work("Others"))
    with pytest.raises(CommandError, match="no loaded estimates") as refused:
        call_command("export_snapshot", campaign="Sums", labels=labels, out=str(tmp_path / "out"))
    assert "job" not in str(refused.value)


def test_mixed_labels_are_frozen_once_a_search_is_loaded(browser: Client, campaign: Campaign):
    make_estimates(campaign.tasks.get().solution, [1.0, 1.0])
    wanted = {"campaign": campaign.pk, "labels": "mixed"}
    assert browser.post("/api/v1/snapshots/", wanted, content_type="application/json").status_code == 201


def make_campaign_with_work(name: str) -> Campaign:
    campaign = make_campaign(name)
    make_task(campaign)
    return campaign
