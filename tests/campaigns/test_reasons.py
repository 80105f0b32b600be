"""Each reason for which somebody gets no task is said only where it is the true one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.translation import override

from labelsite.campaigns import queue
from labelsite.campaigns.models import Campaign, Task
from labelsite.campaigns.reasons import NothingLeft, Reason
from labelsite.campaigns.settling import settle
from tests.campaigns.leases import claim_next as claim
from tests.campaigns.leases import expire, finish, reason
from tests.factories import make_member, make_task, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_sweeping")]


def test_each_reason_for_nothing_is_the_true_one(campaign, annotator) -> None:
    outsider, paused, other = make_user(), make_user(is_paused=True), make_user()
    make_member(campaign, paused)
    make_member(campaign, other)
    assert reason(campaign, annotator) == Reason.NO_TASKS
    make_task(campaign)
    assert reason(campaign, outsider) == Reason.NOT_ADMITTED
    assert reason(campaign, paused) == Reason.YOU_ARE_PAUSED
    lease = claim(campaign, annotator)
    waiting = claim(campaign, other)
    assert waiting.reason == Reason.LEASED and waiting.until == lease.leased_until
    assert reason(campaign, annotator, besides=lease.pk) == Reason.YOUR_SHARE_IS_DONE
    settle(finish(lease).task, [-1])
    assert reason(campaign, annotator) == reason(campaign, other) == Reason.FINISHED
    make_task(campaign, overlap=2)
    finish(claim(campaign, annotator))
    assert reason(campaign, annotator) == Reason.YOUR_SHARE_IS_DONE
    Campaign.objects.update(is_paused=True)
    campaign.refresh_from_db()
    assert reason(campaign, other) == Reason.CAMPAIGN_PAUSED


def test_nobody_has_done_their_share_of_a_task_that_only_lapsed_in_their_hands(campaign, annotator) -> None:
    make_task(campaign)
    expire(claim(campaign, annotator))
    queue.release_expired_leases()
    other = make_user()
    make_member(campaign, other)
    taken = claim(campaign, other)
    assert reason(campaign, annotator) == Reason.LEASED
    expire(taken)
    queue.release_expired_leases()
    assert claim(campaign, annotator).task == taken.task


def test_a_task_that_is_done_while_somebody_still_holds_it_is_waited_for_by_nobody(
    campaign, annotator
) -> None:
    make_task(campaign)
    other = make_user()
    make_member(campaign, other)
    claim(campaign, other)
    assert reason(campaign, annotator) == Reason.LEASED
    Task.objects.update(state="set_aside")
    assert reason(campaign, annotator) == Reason.FINISHED


def test_how_long_others_hold_what_is_left_is_told_without_the_servers_zone() -> None:
    soon = timezone.now() + timedelta(minutes=11, seconds=30)
    assert "for 12 more minutes" in str(NothingLeft(Reason.LEASED, soon))
    for near in (timezone.now() - timedelta(seconds=5), timezone.now() + timedelta(seconds=5)):
        assert "for 1 more minute " in str(NothingLeft(Reason.LEASED, near))
    with override("ko"):
        assert "12분 뒤" in str(NothingLeft(Reason.LEASED, soon))
