"""A campaign may be deleted once a checkpoint has scored it; whatever names it afterwards says so and fails nowhere."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import translation

from labelsite.autolabels.models import ScoreRun
from labelsite.campaigns import archive
from labelsite.jobs.failures import failure
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.services import perform
from labelsite.jobs.wording import links
from labelsite.training.tasks import prepare_evaluation
from tests.factories import make_campaign, make_job, make_task, make_user

pytestmark = pytest.mark.django_db


def scored(client, result: dict[str, list[int]], campaign: int) -> str:
    """The page of a scoring that is done."""
    client.force_login(make_user("admin"))
    job = make_job(verb="score", spec={"campaign": campaign})
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE, result=result)
    run = ScoreRun.objects.create(name="scores", job=job)
    page = client.get(reverse("training:scores", args=[run.pk]))
    assert page.status_code == 200
    return page.content.decode()


def test_the_page_of_scores_stays_when_their_campaign_is_deleted(client):
    campaign = make_campaign()
    tasks = [make_task(campaign).pk for _ in range(2)]
    archive.delete(campaign)
    page = scored(client, {"before": tasks, "after": tasks[::-1]}, campaign.pk)
    assert "no longer there" in page and "<table" not in page


def test_a_campaign_in_whose_queue_nothing_waits_is_not_said_to_be_gone(client):
    campaign = make_campaign(name="Done")
    page = scored(client, {"before": [], "after": []}, campaign.pk)
    assert "no longer there" not in page and "Nothing waits in the queue of Done" in page


def test_tasks_that_are_there_keep_the_places_that_they_had(client):
    campaign = make_campaign()
    gone, first, second = (make_task(campaign) for _ in range(3))
    ids = [gone.pk, first.pk, second.pk]
    gone.delete()
    page = scored(client, {"before": ids, "after": ids}, campaign.pk)
    assert 'class="number">2</th>' in page and 'class="number">1</th>' not in page and ">was " not in page


def test_a_place_whose_task_of_before_was_taken_out_shows_the_one_of_now(client):
    campaign = make_campaign()
    gone, first, second = (make_task(campaign) for _ in range(3))
    ids = [gone.pk, first.pk, second.pk]
    gone.delete()
    page = scored(client, {"before": ids, "after": ids[::-1]}, campaign.pk)
    assert re.findall(r'class="number">(\d)</th>', page) == ["1", "2"]
    assert re.findall(r">was (\d)<", page) == ["3"]


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_of_a_deleted_campaign_says_in_the_reader_s_language_that_it_is_gone():
    job = make_job(kind="ml", verb="evaluate", spec={"campaign": 10**9, "score_run": 1, "arguments": []})
    perform(job.pk, job.task_name, prepare=prepare_evaluation)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and job.error == "the campaign is no longer there"
    with translation.override("ko"):
        assert not failure(job.error, job.refusal).said.isascii()


def test_no_job_leads_to_a_campaign_that_is_gone():
    campaign = make_campaign()
    job = Job(verb="arrange", state=JobState.DONE, spec={"campaign": campaign.pk}, result={})
    assert [link.text for link in links(job)] == ["Open the campaign"]
    archive.delete(campaign)
    assert not links(job)
