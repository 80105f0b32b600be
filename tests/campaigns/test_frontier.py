"""A claim goes on from where the person left off, and finds what came into the queue before that place since then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from labelsite.accounts.models import User
from labelsite.campaigns import frontier, queue, sections, services
from labelsite.campaigns.models import Assignment, Campaign, Task
from labelsite.campaigns.reasons import NothingLeft
from labelsite.campaigns.settling import open_again
from labelsite.campaigns.sweep import release_expired_leases
from tests.campaigns.leases import claim_next, expire, finish
from tests.factories import make_campaign, make_solution, make_task, make_user
from tests.transactions import held

pytestmark = pytest.mark.django_db(transaction=True)
TASKS = 5


@pytest.fixture
def person() -> User:
    return make_user()


@pytest.fixture
def campaign(person: User) -> Campaign:
    campaign = make_campaign(members=[person, make_user(username="other")], overlap=2)
    for _ in range(TASKS):
        make_task(campaign, make_solution(["Only step."]))
    return campaign


def label(campaign: Campaign, person: User) -> Task:
    lease = claim_next(campaign, person)
    assert isinstance(lease, Assignment)
    return finish(lease).task


def walked_past(campaign: Campaign, person: User) -> int:
    """How many tasks the next claim need not look at."""
    found = frontier.frontier_of((person.pk, campaign.pk, "work", ""))
    return campaign.tasks.filter(pk__lt=found.first, priority__lte=found.priority).count()


def test_what_a_person_has_done_is_not_walked_past_again(campaign: Campaign, person: User):
    done = [label(campaign, person) for _ in range(3)]
    assert done == list(campaign.tasks.order_by("pk")[:3])
    assert walked_past(campaign, person) == 2


def test_whoever_has_a_frontier_claims_with_as_many_statements_as_who_has_none(campaign, person, monkeypatch):
    # Once in a while a claim takes back expired leases, whoever makes it.
    monkeypatch.setattr(queue._sweep, "next_at", inf)
    with CaptureQueriesContext(connection) as first:
        lease = claim_next(campaign, person)
    finish(lease)
    with CaptureQueriesContext(connection) as second:
        claim_next(campaign, person)
    assert len(first) == len(second)


def test_a_claim_is_planned_once_and_not_each_time(campaign: Campaign, person: User):
    for _ in range(TASKS):
        label(campaign, person)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_or(generic_plans > 0), sum(custom_plans) FROM pg_prepared_statements"
            " WHERE statement LIKE %s",
            ["%near AS MATERIALIZED%"],
        )
        assert cursor.fetchone() == (True, 0)


def lapsed(campaign: Campaign, task: Task) -> None:
    lease = Assignment.objects.get(task=task, annotator__username="other")
    expire(lease)
    assert release_expired_leases() == 1


def more_important(campaign: Campaign, task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(priority=2.0)


def opened_again(campaign: Campaign, task: Task) -> None:
    assert open_again({task.pk: 1}) == 1


def made_work(campaign: Campaign, task: Task) -> None:
    services.set_kind(task, "work", None)


def taken_by_the_other(campaign: Campaign, person: User) -> None:
    """All places of the first task are taken, one of them in the other's hands."""
    Task.objects.filter(pk=campaign.tasks.order_by("pk")[0].pk).update(overlap=1, remaining=1)
    assert isinstance(claim_next(campaign, User.objects.get(username="other")), Assignment)


def done_by_others(campaign: Campaign, person: User) -> None:
    Task.objects.filter(pk=campaign.tasks.order_by("pk")[0].pk).update(state="done", overlap=1, remaining=0)


def held_as_gold(campaign: Campaign, person: User) -> None:
    services.set_kind(campaign.tasks.order_by("pk")[0], "gold", [-1])


@pytest.mark.parametrize(
    ("before", "back"),
    [(taken_by_the_other, lapsed), (done_by_others, opened_again), (held_as_gold, made_work)],
)
def test_what_comes_back_in_front_of_the_frontier_is_next(
    campaign: Campaign, person: User, before: Callable[..., None], back: Callable[..., None]
):
    first, second, third, fourth, _ = campaign.tasks.order_by("pk")
    before(campaign, person)
    assert [label(campaign, person) for _ in range(2)] == [second, third]
    back(campaign, first)
    assert [label(campaign, person) for _ in range(2)] == [first, fourth]


def test_a_task_that_becomes_more_important_and_a_new_one_are_next(campaign: Campaign, person: User):
    *_, last = campaign.tasks.order_by("pk")
    label(campaign, person)
    more_important(campaign, last)
    assert label(campaign, person) == last
    new = make_task(campaign, make_solution(["Only step."]), priority=3.0)
    assert label(campaign, person) == new


def test_after_the_whole_queue_was_ordered_anew_only_one_claim_looks_through_all_that_moved(campaign, person):
    for _ in range(frontier.NEAR):
        make_task(campaign, make_solution(["Only step."]))
    queue, later = (person.pk, campaign.pk, "work", ""), campaign.tasks.order_by("pk")[1:4]
    label(campaign, person)
    campaign.tasks.update(priority=1.0)
    assert label(campaign, person) == later[0]
    assert frontier.frontier_of(queue) == frontier.Frontier()
    assert [label(campaign, person) for _ in range(2)] == list(later[1:])
    assert frontier.frontier_of(queue).priority == 1.0


def test_where_more_has_moved_than_is_looked_through_a_claim_begins_at_the_start_and_remembers_anew(
    campaign: Campaign, person: User, monkeypatch: pytest.MonkeyPatch
):
    queue, tasks = (person.pk, campaign.pk, "work", ""), list(campaign.tasks.order_by("pk"))
    label(campaign, person)
    for priority, task in enumerate(tasks):
        Task.objects.filter(pk=task.pk).update(priority=priority)
    monkeypatch.setattr(frontier, "MOST_MOVED", 2)
    before = frontier.frontier_of(queue)
    assert label(campaign, person) == tasks[-1]
    after = frontier.frontier_of(queue)
    assert after.priority == TASKS - 1 and after.since > before.since
    assert [label(campaign, person) for _ in range(3)] == [tasks[3], tasks[2], tasks[1]]


def test_what_moves_into_the_persons_section_is_found_there(campaign: Campaign, person: User):
    first, second, third, fourth, _ = campaign.tasks.order_by("pk")
    sections.assign(campaign, campaign.tasks.filter(pk__in=[second.pk, third.pk, fourth.pk]), "unit 1")
    sections.restrict(campaign, person.pk, ["unit 1"])
    assert [label(campaign, person) for _ in range(2)] == [second, third]
    sections.assign(campaign, campaign.tasks.filter(pk=first.pk), "unit 1")
    assert [label(campaign, person) for _ in range(2)] == [first, fourth]


def test_a_transaction_that_was_under_way_when_the_frontier_moved_is_not_missed(campaign, person):
    first, second, third, *_ = campaign.tasks.order_by("pk")
    Task.objects.filter(pk=first.pk).update(state="done")
    with held(lambda: Task.objects.filter(pk=first.pk).update(state="open")):
        # Others who come and go meanwhile have later numbers.
        assert [label(campaign, person) for _ in range(2)] == [second, third]
    assert label(campaign, person) == first


def test_a_task_that_somebody_has_locked_is_passed_over_and_not_forgotten(campaign, person):
    first, second, *_ = campaign.tasks.order_by("pk")
    with held(lambda: list(Task.objects.select_for_update().filter(pk=first.pk))):
        assert label(campaign, person) == second
    assert label(campaign, person) == first


def test_what_a_transaction_saw_and_took_back_is_no_frontier(campaign: Campaign, person: User):
    with transaction.atomic():
        label(campaign, person)
        label(campaign, person)
        transaction.set_rollback(True)
    assert label(campaign, person) == campaign.tasks.order_by("pk")[0]


def test_where_all_near_tasks_are_locked_a_later_one_is_given(campaign, person):
    more = frontier.NEAR + 1 - TASKS
    tasks = [*campaign.tasks.order_by("pk"), *(make_task(campaign) for _ in range(more))]
    near = [task.pk for task in tasks[: frontier.NEAR]]
    with held(lambda: list(Task.objects.select_for_update().filter(pk__in=near))):
        assert label(campaign, person) == tasks[frontier.NEAR]


def test_whoever_has_done_everything_is_told_so_and_finds_what_comes_later(campaign, person):
    for _ in range(TASKS):
        label(campaign, person)
    assert isinstance(claim_next(campaign, person), NothingLeft)
    new = make_task(campaign, make_solution(["Only step."]), priority=-3.0)
    assert label(campaign, person) == new


def test_whoever_is_told_that_nothing_is_left_is_told_so_without_walking_past_all_that_they_have_done(
    campaign, person
):
    for _ in range(TASKS):
        label(campaign, person)
    with CaptureQueriesContext(connection) as asked:
        assert isinstance(claim_next(campaign, person), NothingLeft)
    claims = [query["sql"] for query in asked.captured_queries if "picked AS (" in query["sql"]]
    assert claims and all("near AS MATERIALIZED" in claim for claim in claims)


def test_what_was_remembered_of_a_database_that_was_replaced_by_a_backup_is_forgotten(campaign, person):
    queue = (person.pk, campaign.pk, "work", "")
    frontier.remember(queue, frontier.Frontier(), 2**40, 0, [-1.0, 2**40])
    assert label(campaign, person) == campaign.tasks.order_by("pk")[0]


def test_a_process_remembers_no_more_than_it_has_room_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frontier, "_MOST_REMEMBERED", 2)
    monkeypatch.setattr(frontier, "_frontiers", {})
    start = frontier.Frontier()
    for number in range(3):
        frontier.remember((number, 1, "work", ""), start, 7, 0, [0.0, 5.0])
    assert frontier.frontier_of((2, 1, "work", "")) == replace(start, priority=0.0, first=5, since=7)
    assert frontier.frontier_of((0, 1, "work", "")) == start
