"""An arrangement that did not come to its end: the campaign's page says so, and the next save makes up for it."""

from __future__ import annotations

import pytest

from labelsite.campaigns import arranging, services
from labelsite.campaigns.models import Campaign, Ordering
from labelsite.jobs.models import Job, JobState
from labelsite.jobs.tasks import run_here
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def not_run(monkeypatch: pytest.MonkeyPatch, campaign: Campaign, state: str, **changes: object) -> Job:
    """Changes settings, and leaves their arrangement in this state."""
    with monkeypatch.context() as context:
        context.setattr(arranging, "work_off", lambda _: None)
        services.update_campaign(campaign, changes)
    job = Job.objects.latest("pk")
    Job.objects.filter(pk=job.pk).update(state=state, error="the disk is full")
    return job


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign()
    for _ in range(3):
        make_task(campaign, make_solution())
    return campaign


def overlaps(campaign: Campaign) -> set[int]:
    return set(campaign.tasks.values_list("overlap", flat=True))


@pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.FAILED, JobState.QUEUED])
def test_the_page_says_so_and_saving_again_arranges_the_tasks(campaign, client, monkeypatch, state) -> None:
    job = not_run(monkeypatch, campaign, state, overlap=5)
    client.force_login(make_user("admin"))
    page = client.get(f"/campaigns/{campaign.pk}/").content.decode()
    words = (
        "tasks are being arranged" if state == JobState.QUEUED else "Not every task is as the settings say"
    )
    assert words in page and f'href="/jobs/{job.pk}/"' in page and "the disk is full" in page
    assert overlaps(campaign) == {1}
    services.update_campaign(campaign, {})
    assert overlaps(campaign) == {5}
    assert f'href="/jobs/{job.pk}/"' not in client.get(f"/campaigns/{campaign.pk}/").content.decode()
    services.update_campaign(campaign, {"name": "Another name"})
    # One that still waited is done itself; the others are made up for by another.
    assert Job.objects.filter(verb="arrange").count() == (1 if state == JobState.QUEUED else 2)


def test_another_change_makes_up_for_the_one_before_it_too(campaign, monkeypatch) -> None:
    not_run(monkeypatch, campaign, JobState.FAILED, overlap=5)
    services.update_campaign(campaign, {"ordering": Ordering.RANDOM})
    assert overlaps(campaign) == {5}
    assert not campaign.tasks.filter(priority_reason="").exists()


def test_the_button_that_orders_the_queue_makes_up_for_it(campaign, client, monkeypatch) -> None:
    not_run(monkeypatch, campaign, JobState.CANCELLED, overlap=5)
    client.force_login(make_user("admin"))
    page = client.post(f"/campaigns/{campaign.pk}/reorder/", follow=True).content.decode()
    assert overlaps(campaign) == {5} and "0 tasks have a new place." in page


def test_a_large_campaign_is_put_in_order_by_a_worker_and_the_page_follows_it(
    campaign, client, monkeypatch
) -> None:
    monkeypatch.setattr(arranging, "AT_ONCE", 2)
    Campaign.objects.update(ordering=Ordering.RANDOM)
    client.force_login(make_user("admin"))
    fragment = f"/campaigns/{campaign.pk}/arrangement/"
    for _ in range(2):
        page = client.post(f"/campaigns/{campaign.pk}/reorder/", follow=True).content.decode()
        assert f'hx-get="{fragment}"' in page
    # The second press of the button asks for nothing that the first one has not.
    job = Job.objects.get()
    assert job.state == JobState.QUEUED and not campaign.tasks.exclude(priority_reason="").exists()
    run_here(job)
    assert "3 tasks have a new place." in client.get(fragment).content.decode()
