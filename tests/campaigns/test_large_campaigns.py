"""What goes over very many tasks is done by a job: a campaign is deleted, a section filled or renamed."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.utils import translation

from labelsite.accounts.models import Change
from labelsite.campaigns import archive, filling, sections
from labelsite.campaigns.models import Campaign, Ordering, Task
from labelsite.campaigns.tasks import run_deletion, run_filling
from labelsite.jobs.errors import JobCancelled
from labelsite.jobs.models import ARRANGE, Job, JobState
from labelsite.problems.models import Solution
from tests.campaigns.leases import claim_next, expire
from tests.factories import make_annotation, make_campaign, make_machine, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _two_tasks_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "TASKS_AT_ONCE", 1)
    monkeypatch.setattr(filling, "TASKS_AT_ONCE", 1)


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign("Misspelt", members=[make_user(username="ann")])
    make_task(campaign)
    make_task(campaign)
    return campaign


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_user("admin", username="admin"))
    return client


def test_a_large_campaign_is_out_of_sight_at_once_and_deleted_by_a_job(admin: Client, campaign: Campaign):
    lease = claim_next(campaign, campaign.memberships.get().user)
    expire(lease)
    lease.state = "lapsed"
    lease.save(update_fields=["state"])
    page = admin.post(f"/campaigns/{campaign.pk}/delete/", follow=True)
    job = Job.objects.get()
    assert page.redirect_chain[-1][0] == f"/jobs/{job.pk}/" and "Delete Misspelt" in page.content.decode()
    with translation.override("ko"):
        assert job.said == "Misspelt 삭제"
    campaign.refresh_from_db()
    assert campaign.is_archived and campaign.tasks.count() == 2
    run_deletion(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.DONE, "")
    assert not Campaign.objects.exists() and not Task.objects.exists() and Solution.objects.count() == 2
    told = Change.objects.filter(field="is_deleted").values_list("by__username", "name")
    assert list(told) == [("admin", "Misspelt")]
    assert admin.get(f"/jobs/{job.pk}/").status_code == 200


def test_scripts_are_answered_with_the_job_that_deletes(admin: Client, campaign: Campaign):
    answer = admin.delete(f"/api/v1/campaigns/{campaign.pk}/")
    assert (answer.status_code, answer.json()["id"]) == (202, Job.objects.get().pk)


def test_a_large_campaign_with_labels_is_refused_before_there_is_a_job(admin: Client, campaign: Campaign):
    make_annotation(campaign.tasks.all()[0], make_machine())
    answer = admin.delete(f"/api/v1/campaigns/{campaign.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (422, "refused")
    campaign.refresh_from_db()
    assert not campaign.is_archived and not Job.objects.exists()


def test_whoever_restores_the_campaign_keeps_it(campaign: Campaign):
    job = archive.delete(campaign)
    archive.set_archived(campaign, False)
    assert job
    run_deletion(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and "restored" in job.error
    with translation.override("ko"):
        assert "복원되어" in job.failure.said
    assert campaign.tasks.count() == 2


def test_labels_that_came_meanwhile_are_kept(campaign: Campaign):
    job = archive.delete(campaign)
    make_annotation(campaign.tasks.all()[0], make_machine())
    assert job
    run_deletion(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and "has annotations" in job.error
    with translation.override("ko"):
        assert "has annotations" not in job.failure.said
    assert campaign.tasks.count() == 2


def test_a_large_section_is_filled_by_a_job(admin: Client, campaign: Campaign):
    wanted = {"section": "unit 1", "source": "test", "outside": "on"}
    page = admin.post(f"/campaigns/{campaign.pk}/sections/", wanted, follow=True)
    job = Job.objects.get()
    assert page.redirect_chain[-1][0] == f"/jobs/{job.pk}/"
    with translation.override("ko"):
        assert job.said == "Misspelt의 구역 unit 1"
    assert not campaign.tasks.filter(section="unit 1").exists()
    run_filling(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["tasks_of_section"]) == (JobState.DONE, 2)
    assert campaign.tasks.filter(section="unit 1").count() == 2
    assert f"/campaigns/{campaign.pk}/" in admin.get(f"/jobs/{job.pk}/").content.decode()


def test_after_a_large_section_was_filled_the_planner_knows_of_its_index(admin: Client, campaign: Campaign):
    """Whatever it took the index for before; else each claim in a section reads all of it until it looks by itself."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_task")
        admin.post(f"/campaigns/{campaign.pk}/sections/", {"section": "unit 1", "source": "test"})
        run_filling(Job.objects.get().pk)
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'task_section_queue'")
        assert cursor.fetchone() == (2,)


@pytest.mark.parametrize(("wanted", "section"), [({"section": "unit 2"}, "unit 2"), ({"dissolve": "1"}, "")])
def test_a_large_section_is_renamed_or_dissolved_by_a_job(admin: Client, campaign: Campaign, wanted, section):
    campaign.tasks.update(section="unit 1")
    campaign.memberships.update(sections=["unit 1", "other"])
    url = f"/campaigns/{campaign.pk}/sections/rename/"
    page = admin.post(url, {"old": "unit 1", **wanted}, follow=True)
    job = Job.objects.get()
    assert page.redirect_chain[-1][0] == f"/jobs/{job.pk}/"
    assert campaign.tasks.filter(section="unit 1").count() == 2
    run_filling(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.DONE, "")
    assert campaign.tasks.filter(section=section).count() == 2
    assert campaign.memberships.get().sections == [*filter(None, [section]), "other"]


def test_until_the_job_is_done_neither_name_of_a_large_section_is_free(admin: Client, campaign: Campaign):
    campaign.tasks.update(section="unit 1")
    url = f"/api/v1/campaigns/{campaign.pk}/sections/"
    body = {"name": "unit 1", "new_name": "unit 2"}
    answer = admin.patch(url, body, content_type="application/json")
    assert (answer.status_code, answer.json()["id"]) == (202, Job.objects.get().pk)
    other = make_task(campaign, section="unit 3")
    refused = admin.patch(url, {"name": "unit 3", "new_name": "unit 2"}, content_type="application/json")
    assert refused.status_code == 422
    run_filling(Job.objects.get().pk)
    assert campaign.tasks.exclude(pk=other.pk).filter(section="unit 2").count() == 2


def test_a_large_section_that_is_renamed_already_is_not_refused_as_its_own_rival(
    admin: Client, campaign: Campaign
):
    """Whoever pressed twice has two jobs; and one that was killed before it could say that it is done runs again."""
    campaign.tasks.update(section="unit 1")
    for _ in range(2):
        admin.post(f"/campaigns/{campaign.pk}/sections/rename/", {"old": "unit 1", "section": "unit 2"})
    for job in Job.objects.order_by("pk"):
        run_filling(job.pk)
    assert list(Job.objects.values_list("state", "error")) == [(JobState.DONE, "")] * 2
    assert campaign.tasks.filter(section="unit 2").count() == 2


def test_a_large_section_that_may_not_be_dissolved_is_refused_before_there_is_a_job(
    admin, campaign: Campaign
):
    campaign.tasks.update(section="unit 1")
    campaign.memberships.update(sections=["unit 1"])
    url = f"/campaigns/{campaign.pk}/sections/rename/"
    page = admin.post(url, {"old": "unit 1", "dissolve": "1"}, follow=True)
    assert "ann may label only there" in page.content.decode() and not Job.objects.exists()


def test_scripts_are_answered_with_the_job_that_fills_a_section(admin: Client, campaign: Campaign):
    body = {"name": "unit 1", "filter": {"first": 1, "last": 2}}
    url = f"/api/v1/campaigns/{campaign.pk}/sections/"
    answer = admin.post(url, body, content_type="application/json")
    assert (answer.status_code, answer.json()["id"]) == (202, Job.objects.get().pk)
    run_filling(Job.objects.get().pk)
    assert campaign.tasks.filter(section="unit 1").count() == 2
    assert admin.post(url, body, content_type="application/json").json() == {"name": "unit 1", "moved": 0}


def test_what_was_moved_before_it_was_broken_off_is_mixed_into_the_queue(campaign: Campaign):
    Campaign.objects.update(ordering=Ordering.CONVINCING_WRONG)
    campaign.refresh_from_db()

    def broken_off() -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        sections.assign(campaign, campaign.tasks.all(), "unit 1", broken_off)
    assert campaign.tasks.filter(section="unit 1").count() == 2
    assert Job.objects.get().verb == ARRANGE


def test_a_section_of_a_campaign_that_is_gone_is_a_job_that_says_so(admin: Client, campaign: Campaign):
    admin.post(f"/campaigns/{campaign.pk}/sections/", {"section": "unit 1", "source": "test"})
    Campaign.objects.all().delete()
    job = Job.objects.get()
    run_filling(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.FAILED and "no longer there" in job.error
