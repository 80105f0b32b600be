"""The queue on a real PostgreSQL: overlap is never exceeded, and "nothing left" is said only when it is true."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from labelsite.accounts.models import User
from labelsite.campaigns import queue, services
from labelsite.campaigns.membership import set_members
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, MemberState, Task, TaskKind
from labelsite.campaigns.queue import heartbeat
from labelsite.campaigns.reasons import NothingLeft, Reason
from labelsite.campaigns.settling import settle
from tests.campaigns.leases import claim_next, expire, finish, reason
from tests.factories import make_member, make_solution, make_task, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_sweeping")]


def claim(campaign: Campaign, annotator: User, **how: int) -> Assignment | NothingLeft:
    return claim_next(campaign, annotator, **how)


def test_the_highest_priority_comes_first_and_equals_in_the_order_of_import(campaign, annotator) -> None:
    low, first, second = make_task(campaign), make_task(campaign, priority=2), make_task(campaign, priority=2)
    order = []
    for _ in range(3):
        lease = claim(campaign, annotator)
        order.append(lease.task)
        finish(lease)
    assert order == [first, second, low]


def test_a_reload_gives_the_same_task_and_the_same_token(campaign, annotator) -> None:
    make_task(campaign), make_task(campaign)
    once, again = claim(campaign, annotator), claim(campaign, annotator)
    assert (once.pk, once.token) == (again.pk, again.token)
    assert Task.objects.filter(remaining=0).count() == 1


def test_the_page_may_prepare_one_task_besides_the_one_in_hand_and_no_more(campaign, annotator) -> None:
    for _ in range(3):
        make_task(campaign)
    in_hand = claim(campaign, annotator)
    prepared = claim(campaign, annotator, besides=in_hand.pk)
    assert prepared.pk != in_hand.pk
    assert claim(campaign, annotator, besides=in_hand.pk).pk == prepared.pk
    finish(in_hand)
    assert claim(campaign, annotator).pk == prepared.pk


def test_a_reload_gives_the_task_in_hand_also_where_the_prepared_one_had_lapsed_in_the_same_hands(
    campaign, annotator
) -> None:
    make_task(campaign)
    expire(claim(campaign, annotator))
    queue.release_expired_leases()
    first = make_task(campaign, priority=1)
    in_hand = claim(campaign, annotator)
    assert in_hand.task == first
    # A test's one transaction is one moment to the database.
    Assignment.objects.update(created_at=F("created_at") - timedelta(minutes=2))
    Assignment.objects.exclude(pk=in_hand.pk).update(created_at=F("created_at") - timedelta(minutes=30))
    prepared = claim(campaign, annotator, besides=in_hand.pk)
    assert prepared.attempt == 2
    assert claim(campaign, annotator).pk == in_hand.pk


def test_two_people_share_a_task_only_where_its_overlap_says_so(campaign, annotator) -> None:
    other = make_user()
    make_member(campaign, other)
    task = make_task(campaign, overlap=2)
    assert claim(campaign, annotator).task == claim(campaign, other).task == task
    third = make_user()
    make_member(campaign, third)
    assert reason(campaign, third) == Reason.LEASED


def test_a_lapsed_lease_returns_to_the_queue_and_its_draft_stays(campaign, annotator) -> None:
    other = make_user()
    make_member(campaign, other)
    make_task(campaign)
    lease = claim(campaign, annotator)
    Assignment.objects.update(draft={"ratings": {"1": {"rating": 1}}})
    expire(lease)
    taken = claim(campaign, other)
    assert taken.task == lease.task
    lease.refresh_from_db()
    assert (lease.state, lease.draft) == (AssignmentState.LAPSED, {"ratings": {"1": {"rating": 1}}})
    expire(taken)
    back = claim(campaign, annotator)
    assert (back.pk, back.attempt, back.draft) == (lease.pk, 2, lease.draft)
    assert back.token != lease.token


def test_an_expired_lease_that_nobody_took_is_renewed_for_its_holder(campaign, annotator) -> None:
    make_task(campaign)
    lease = claim(campaign, annotator)
    expire(lease)
    again = claim(campaign, annotator)
    assert again.token == lease.token and again.leased_until > timezone.now()


def test_a_heartbeat_renews_only_the_lease_that_its_token_names(campaign, annotator) -> None:
    make_task(campaign)
    lease = claim(campaign, annotator)
    expire(lease)
    assert heartbeat(lease.pk, annotator, "00000000-0000-0000-0000-000000000000") is None
    assert heartbeat(lease.pk, make_user(), str(lease.token)) is None
    assert heartbeat(lease.pk, annotator, str(lease.token)) > timezone.now()


def test_a_lease_that_a_heartbeat_calls_held_is_not_swept_away_however_wrong_the_web_hosts_clock_is(
    campaign, annotator, monkeypatch
) -> None:
    make_task(campaign)
    lease = claim(campaign, annotator)
    real_now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: real_now() - timedelta(minutes=21))
    assert heartbeat(lease.pk, annotator, str(lease.token)) is not None
    assert queue.release_expired_leases() == 0
    expire(lease)
    assert claim(campaign, annotator).pk == lease.pk
    assert queue.release_expired_leases() == 0
    Assignment.objects.update(leased_until=real_now() - timedelta(seconds=1))
    assert queue.release_expired_leases() == 1
    lease.refresh_from_db()
    assert queue.reclaim(lease) and queue.release_expired_leases() == 0
    assert Task.objects.get().remaining == 0


@pytest.mark.parametrize("who", ["campaign", "person", "member"])
def test_a_pause_stops_what_is_new_and_leaves_what_is_in_hand(campaign, annotator, who) -> None:
    make_task(campaign), make_task(campaign)
    lease = claim(campaign, annotator)
    campaign.is_paused, annotator.is_paused = who == "campaign", who == "person"
    campaign.save()
    if who == "member":
        campaign.memberships.update(state=MemberState.PAUSED)
    pause = Reason.CAMPAIGN_PAUSED if who == "campaign" else Reason.YOU_ARE_PAUSED
    assert claim(campaign, annotator).pk == lease.pk
    assert reason(campaign, annotator, besides=lease.pk) == pause
    finish(lease)
    assert reason(campaign, annotator) == pause


def test_whoever_is_no_member_any_more_gets_nothing_back(campaign, annotator) -> None:
    make_task(campaign)
    claim(campaign, annotator)
    set_members(campaign, set())
    assert reason(campaign, annotator) == Reason.NOT_ADMITTED


def test_screening_comes_before_work_and_admits_at_the_threshold(campaign) -> None:
    campaign.screening_size, campaign.screening_threshold = 4, 0.75
    campaign.save()
    newcomer = make_user()
    set_members(campaign, {newcomer.pk})
    make_task(campaign)
    for _ in range(4):
        make_task(campaign, kind=TaskKind.SCREENING, gold=[-1], overlap=queue.EVERYBODY)
    for _ in range(4):
        lease = claim(campaign, newcomer)
        assert lease.task.kind == TaskKind.SCREENING
        finish(lease)
    assert reason(campaign, newcomer) == Reason.SCREENING_WAITS
    assert services.judge_screening(campaign, newcomer.pk, [True, True, True]) is None
    assert services.judge_screening(campaign, newcomer.pk, [True, False, True, True]) == MemberState.ADMITTED
    assert claim(campaign, newcomer).task.kind == TaskKind.WORK


def test_whoever_fails_the_screening_is_not_admitted(campaign) -> None:
    campaign.screening_size = 2
    campaign.save()
    newcomer = make_user()
    set_members(campaign, {newcomer.pk})
    assert services.judge_screening(campaign, newcomer.pk, [True, False]) == MemberState.REFUSED
    assert reason(campaign, newcomer) == Reason.NOT_ADMITTED


def test_gold_is_mixed_in_at_its_rate(campaign, annotator) -> None:
    campaign.gold_rate = 0.3
    campaign.save()
    for _ in range(60):
        make_task(campaign, make_solution(["One step."]))
        make_task(
            campaign, make_solution(["One step."]), kind=TaskKind.GOLD, gold=[0], overlap=queue.EVERYBODY
        )
    kinds = []
    for _ in range(60):
        lease = claim(campaign, annotator)
        kinds.append(lease.task.kind)
        finish(lease)
    # 60 draws at 0.3: fewer than 5 or more than 33 happen less than once in 10,000 runs.
    assert 5 <= Counter(kinds)[TaskKind.GOLD] <= 33


@pytest.mark.parametrize(
    ("verdicts", "overlap", "state"),
    [
        ([2], 3, "open"),
        ([2, 2, -1], 5, "open"),
        ([2, 2, 2], 3, "done"),
        ([2, 2, -1, 2], 5, "done"),
        ([2, 3, -1, 2, -1], 5, "set_aside"),
        (["give_up", "give_up", "give_up"], 3, "done"),
    ],
)
def test_adaptive_overlap_grows_until_three_agree(campaign, verdicts, overlap, state) -> None:
    campaign.adaptive_overlap = True
    campaign.save()
    task = make_task(campaign, overlap=1)
    for number in range(len(verdicts)):
        Task.objects.filter(pk=task.pk, remaining__gt=0).update(remaining=Task.objects.get().remaining - 1)
        settle(Task.objects.select_related("campaign").get(), verdicts[: number + 1])
    task.refresh_from_db()
    assert (task.overlap, task.state) == (overlap, state)
    assert (task.set_aside_reason != "") == (state == "set_aside")


def test_adding_the_same_solutions_twice_makes_their_tasks_once(campaign) -> None:
    solutions = [make_solution() for _ in range(5)]
    assert services.add_tasks(campaign, solutions) == 5
    assert services.add_tasks(campaign, [*solutions, make_solution()], batch=2) == 1
    assert campaign.tasks.count() == 6


def test_a_claim_costs_the_same_statements_however_full_the_campaign_is(campaign, annotator) -> None:
    make_task(campaign)
    with CaptureQueriesContext(connection) as small:
        finish(claim(campaign, annotator))
    for _ in range(30):
        make_task(campaign)
    with CaptureQueriesContext(connection) as large:
        finish(claim(campaign, annotator))
    assert len(small) == len(large)
