"""A hold that ended is told while the person still works, and not only when the work is submitted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.annotations import page
from labelsite.annotations.models import Annotation
from labelsite.campaigns.models import Assignment, Campaign
from labelsite.campaigns.queue import release_expired_leases
from tests.browser.annotator_page import Watched
from tests.campaigns.leases import claim_next
from tests.factories import make_member, make_user

pytestmark = pytest.mark.django_db(transaction=True)
ENDED = "text=Your hold on this task ended"


@pytest.fixture
def quick_heartbeats(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(page, "HEARTBEAT_SECONDS", 0.3)
    yield


def steal(campaign: Campaign, problem: str) -> None:
    """The hold on this task runs out, and somebody else takes it, before a heartbeat can take it back."""
    held = Assignment.objects.filter(task__solution__problem__text=problem)
    thief = make_user()
    make_member(campaign, thief)
    with transaction.atomic():
        held.update(leased_until=timezone.now() - timedelta(seconds=1))
        assert release_expired_leases() == 1
        found = claim_next(campaign, thief)
    assert isinstance(found, Assignment) and found.task.solution.problem.text == problem


def label_the_first(watched: Watched, annotator: User, campaign: Campaign) -> None:
    watched.annotate_two(campaign, annotator)
    watched.press("3 3 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    watched.submitted(1)


def test_the_next_rating_tells_that_the_task_was_lost_and_the_way_on_keeps_it(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate_two(campaign, annotator)
    steal(campaign, "Problem 0?")
    watched.press("3")
    watched.page.wait_for_selector(ENDED)
    watched.press("1")
    watched.saved()
    watched.page.click("text=Go on to the next task")
    watched.page.wait_for_selector("text=Problem 1?")
    assert not watched.page.is_visible(ENDED)
    lost = Assignment.objects.get(annotator=annotator, task__solution__problem__text="Problem 0?")
    assert (lost.state, len(lost.draft["ratings"])) == ("lapsed", 2)
    watched.press("3 3 Enter")
    watched.submitted(1)


def test_a_person_who_only_reads_is_told_by_the_heartbeat(
    watched: Watched, annotator: User, campaign: Campaign, quick_heartbeats: None
) -> None:
    watched.annotate_two(campaign, annotator)
    steal(campaign, "Problem 0?")
    watched.page.wait_for_selector(ENDED)
    # Trying all the same is told what became of the task, and stores nothing.
    watched.press("3 3 Enter")
    watched.page.wait_for_selector("text=it was taken up elsewhere")
    assert not Annotation.objects.exists()


def test_a_hold_that_ended_while_nobody_took_the_task_can_still_be_submitted(
    watched: Watched, annotator: User, campaign: Campaign
) -> None:
    watched.annotate_two(campaign, annotator)
    Assignment.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert release_expired_leases() == 2
    watched.press("3")
    watched.page.wait_for_selector(ENDED)
    watched.press("3 Enter")
    watched.submitted(1)


def test_a_prepared_task_that_was_lost_is_never_shown(
    watched: Watched, annotator: User, campaign: Campaign, quick_heartbeats: None
) -> None:
    watched.annotate_two(campaign, annotator)
    with watched.page.expect_response(lambda response: response.url.endswith("/next/")):
        steal(campaign, "Problem 1?")
    assert not watched.page.is_visible(ENDED)
    watched.press("3 3 Enter")
    watched.page.wait_for_selector("text=Problem 2?")
    watched.submitted(1)


def test_the_task_in_hand_is_held_while_an_earlier_one_is_open_again(
    watched: Watched, annotator: User, campaign: Campaign, quick_heartbeats: None
) -> None:
    label_the_first(watched, annotator, campaign)
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    watched.page.wait_for_timeout(500)  # Beats that began before are through.
    waiting = Assignment.objects.filter(task__solution__problem__text="Problem 1?")
    waiting.update(leased_until=timezone.now() + timedelta(seconds=5))
    watched.page.wait_for_timeout(1000)
    assert waiting.get().leased_until > timezone.now() + timedelta(seconds=60)


def test_a_lost_hold_is_told_again_when_the_task_comes_back(
    watched: Watched, annotator: User, campaign: Campaign, quick_heartbeats: None
) -> None:
    label_the_first(watched, annotator, campaign)
    steal(campaign, "Problem 1?")
    watched.page.wait_for_selector(ENDED)
    watched.press("u")
    watched.page.wait_for_selector("#revising:not([hidden])")
    watched.press("1 Enter")
    watched.page.wait_for_selector("text=Problem 1?")
    watched.page.wait_for_selector(ENDED)
