"""A free task that somebody is writing to is passed over for others, and is never taken for one that is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from django.db import connection

from labelsite.campaigns import queue
from labelsite.campaigns.models import Assignment, Campaign, Task
from labelsite.campaigns.reasons import NothingLeft, Reason
from tests.campaigns.leases import claim_next, finish
from tests.factories import make_campaign, make_task, make_user
from tests.transactions import held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign(members=[make_user()])
    make_task(campaign, section="algebra")
    return campaign


@pytest.fixture
def let_go(campaign) -> Iterator[threading.Event]:
    """Until it is set, the only task is locked by somebody else's transaction."""
    with held(lambda: list(Task.objects.select_for_update())) as let_go:
        yield let_go


@pytest.mark.parametrize("sections", [[], ["algebra"]])
def test_a_task_that_stays_locked_is_busy_and_nobody_has_done_their_share(campaign, let_go, sections) -> None:
    campaign.memberships.update(sections=sections)
    person = campaign.memberships.get().user
    found = claim_next(campaign, person)
    assert isinstance(found, NothingLeft) and found.reason == Reason.BUSY and "again" in str(found)
    let_go.set()
    wait = threading.Event()
    for _ in range(100):
        found = claim_next(campaign, person)
        if isinstance(found, Assignment):
            break
        assert found.reason == Reason.BUSY
        wait.wait(0.05)
    assert isinstance(found, Assignment)


def test_a_task_that_is_let_go_after_a_moment_is_claimed_at_once(campaign, let_go, monkeypatch) -> None:
    monkeypatch.setattr(queue, "PATIENCE_MILLISECONDS", 20_000)
    threading.Timer(0.3, let_go.set).start()
    found = claim_next(campaign, campaign.memberships.get().user)
    assert isinstance(found, Assignment) and Task.objects.get().remaining == 0
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


def test_a_person_who_has_done_a_locked_task_does_not_wait_for_it(campaign) -> None:
    person = campaign.memberships.get().user
    task = make_task(campaign, overlap=2)
    for _ in range(2):
        lease = claim_next(campaign, person)
        assert isinstance(lease, Assignment)
        finish(lease)
    with held(lambda: Task.objects.select_for_update().get(pk=task.pk)):
        found = claim_next(campaign, person)
        assert isinstance(found, NothingLeft) and found.reason == Reason.YOUR_SHARE_IS_DONE
