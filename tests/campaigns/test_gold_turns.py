"""Known answers come among work and in no other place, so that nobody can tell them from it."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.campaigns import sections
from labelsite.campaigns.models import Assignment, Campaign, TaskKind
from labelsite.campaigns.queue import EVERYBODY
from labelsite.campaigns.reasons import NothingLeft, Reason
from labelsite.campaigns.settling import settle
from tests.campaigns.leases import claim_next, finish
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def annotator() -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User) -> Campaign:
    """Gold comes whenever it may; it is in algebra alone."""
    campaign = make_campaign(members=[annotator, make_user(username="other")], gold_rate=1.0)
    for _ in range(3):
        make_task(
            campaign, make_solution(["One step."]), kind=TaskKind.GOLD, gold=[0], overlap=EVERYBODY,
            section="algebra",
        )  # fmt: skip
    return campaign


def work(campaign: Campaign, **fields) -> None:
    make_task(campaign, make_solution(["One step."]), **fields)


def next_kind(campaign: Campaign, person: User, **how: int) -> str:
    """The kind of the person's next task, which they do; or why there is none."""
    lease = claim_next(campaign, person, **how)
    if isinstance(lease, NothingLeft):
        return lease.reason.value
    finish(lease)
    settle(lease.task, [-1] * (lease.task.overlap - lease.task.remaining))
    return lease.task.kind


def test_a_finished_campaign_has_no_gold_left_either(campaign, annotator) -> None:
    work(campaign)
    Campaign.objects.update(gold_rate=0.0)
    assert next_kind(campaign, annotator) == "work"
    Campaign.objects.update(gold_rate=1.0)
    assert next_kind(campaign, annotator) == Reason.FINISHED
    work(campaign)
    assert next_kind(campaign, annotator) == "gold"


def test_no_gold_comes_while_all_work_is_in_hand_or_done_already(campaign, annotator) -> None:
    other = campaign.memberships.get(user__username="other").user
    work(campaign, overlap=2)
    Campaign.objects.update(overlap=2, gold_rate=0.0)
    held = claim_next(campaign, annotator)
    Campaign.objects.update(gold_rate=1.0)
    assert isinstance(held, Assignment)
    assert next_kind(campaign, annotator, besides=held.pk) == Reason.YOUR_SHARE_IS_DONE
    finish(held)
    assert next_kind(campaign, annotator) == Reason.YOUR_SHARE_IS_DONE
    assert next_kind(campaign, other) == "gold"


def test_gold_comes_in_the_section_whose_work_comes_now(campaign, annotator) -> None:
    """Of a section without work it would be the only thing, and known by its subject."""
    sections.restrict(campaign, annotator.pk, ["algebra", "geometry"])
    work(campaign, section="geometry")
    assert next_kind(campaign, annotator) == "work"
    work(campaign, section="geometry")
    work(campaign, section="algebra")
    assert next_kind(campaign, annotator) == "gold"
