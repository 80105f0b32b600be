"""An import is undone while people are given its tasks, save drafts and submit: nobody's work is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

import pytest

from labelsite import deadlocks
from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.annotations.refusals import refusal_of
from labelsite.campaigns import removal
from labelsite.campaigns.imports import Import
from labelsite.campaigns.models import Assignment, Campaign
from labelsite.campaigns.queue import release_expired_leases
from labelsite.campaigns.reasons import NothingLeft
from tests.annotations.submissions import expire, submit
from tests.campaigns.imports import brought_at
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_task, make_user
from tests.threads import at_once
from tests.transactions import held, in_background

pytestmark = pytest.mark.django_db(transaction=True)

MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of locks alone must do; what is done again after a deadlock would hide one."""
    monkeypatch.setattr(deadlocks, "ATTEMPTS", 1)


def undo(campaign: Campaign) -> int:
    taken = removal.undo(campaign, Import(MOMENT, campaign.tasks.count(), ""))
    assert isinstance(taken, int)
    return taken


def test_whoever_is_given_a_task_while_its_import_is_undone_keeps_it_and_can_submit() -> None:
    for _ in range(6):
        people = [make_user() for _ in range(7)]
        campaign = make_campaign(members=people, overlap=2)
        brought_at(campaign, 12, MOMENT)

        def work(person, campaign: Campaign = campaign) -> list[Assignment]:
            leases = []
            while not isinstance(lease := claim_next(campaign, person), NothingLeft):
                leases.append(lease)
                submit(lease, 1, 1)
            return leases

        *given, taken = at_once(
            [*(lambda person=person: work(person) for person in people), partial(undo, campaign)]
        )
        tasks = {lease.task_id for leases in given for lease in leases}
        assert set(campaign.tasks.values_list("pk", flat=True)) == tasks and len(tasks) + taken == 12
        assert Annotation.objects.filter(task__campaign=campaign).count() == sum(map(len, given))
        for task in campaign.tasks.all():
            assert task.remaining == task.overlap - task.annotations.count()


def test_a_claim_that_is_not_committed_yet_is_waited_for_and_its_task_stays() -> None:
    campaign = make_campaign(members=[make_user()])
    brought_at(campaign, 3, MOMENT)
    taken: list[int] = []
    with held(lambda: claim_next(campaign, campaign.memberships.get().user)):
        undoing = in_background(lambda: taken.append(undo(campaign)))
        undoing.join(0.5)
        assert not taken
    undoing.join(20)
    assert taken == [2] and Assignment.objects.get().task == campaign.tasks.get()


def test_whoever_asks_meanwhile_is_given_another_task_at_once() -> None:
    campaign = make_campaign(members=[make_user()])
    brought_at(campaign, 3, MOMENT)
    other = make_task(campaign)
    with held(lambda: undo(campaign)):
        lease = claim_next(campaign, campaign.memberships.get().user)
        assert isinstance(lease, Assignment) and lease.task == other
    assert campaign.tasks.get() == other


def late_lease(campaign: Campaign) -> Assignment:
    """A person whose time ran out before they said anything, and whose page is open still."""
    brought_at(campaign, 2, MOMENT)
    lease = claim_next(campaign, campaign.memberships.get().user)
    assert isinstance(lease, Assignment)
    expire(lease)
    return lease


def test_a_draft_that_is_on_its_way_is_not_waited_for_and_keeps_its_task() -> None:
    campaign = make_campaign(members=[make_user()])
    lease, draft = late_lease(campaign), {"ratings": {"0": 1}}

    def save() -> None:
        services.save_draft(lease.pk, lease.annotator, str(lease.token), 0, draft)

    with held(save):
        assert undo(campaign) == 1
    lease.refresh_from_db()
    assert lease.draft == draft and campaign.tasks.get() == lease.task


def test_a_late_submission_that_is_under_way_is_stored() -> None:
    campaign = make_campaign(members=[make_user()])
    lease, taken = late_lease(campaign), []
    with held(lambda: submit(lease, 1, 1)):
        undoing = in_background(lambda: taken.append(undo(campaign)))
        undoing.join(0.5)
        assert not taken
    undoing.join(20)
    assert taken == [1] and Annotation.objects.get().task == campaign.tasks.get()


def submitted_or_gone(lease: Assignment) -> bool:
    try:
        submit(lease, 1, 1)
    except Assignment.DoesNotExist as refusal:
        told = refusal_of(refusal)
        assert told and told.code == "not_found"
        return False
    return True


def test_a_submission_that_comes_after_it_is_told_that_the_task_is_gone() -> None:
    campaign = make_campaign(members=[make_user()])
    lease, stored = late_lease(campaign), []
    with held(lambda: undo(campaign)):
        sending = in_background(lambda: stored.append(submitted_or_gone(lease)))
        sending.join(0.5)
        assert not stored
    sending.join(20)
    assert stored == [False] and not campaign.tasks.exists()


def test_late_submissions_and_the_undoing_never_wait_for_each_other_in_a_circle() -> None:
    for _ in range(20):
        campaign = make_campaign(members=[make_user() for _ in range(6)])
        brought_at(campaign, 8, MOMENT)
        leases = [claim_next(campaign, member.user) for member in campaign.memberships.all()]
        Assignment.objects.update(leased_until=MOMENT)
        release_expired_leases()
        *stored, taken = at_once(
            [*(lambda lease=lease: submitted_or_gone(lease) for lease in leases), partial(undo, campaign)]
        )
        assert campaign.tasks.count() == Annotation.objects.filter(task__campaign=campaign).count()
        assert sum(stored) + taken == 8
