"""People whose work meets at the same rows wait for each other in a line, never in a circle."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone
from psycopg.errors import DeadlockDetected

from labelsite import deadlocks
from labelsite.accounts.models import User
from labelsite.annotations.models import Annotation
from labelsite.campaigns import queue, sections
from labelsite.campaigns.leases import LeaseLost, hold
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, Protocol, Task
from labelsite.deadlocks import again_after_deadlock
from labelsite.problems.models import Step
from tests.annotations.submissions import STEPS, expire, go_on_alone, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_user
from tests.threads import at_once
from tests.transactions import held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _no_second_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of locks alone must do; what is done again after a deadlock would hide one."""
    monkeypatch.setattr(deadlocks, "ATTEMPTS", 1)


def holders_of_two(campaign: Campaign, count: int) -> list[User]:
    """People with the same two tasks in hand, every other one in the opposite order."""
    first, second = (make_task(campaign, section="algebra") for _ in range(2))
    people = list(User.objects.filter(memberships__campaign=campaign)[:count])
    for number, holder in enumerate(people):
        for task in (first, second) if number % 2 else (second, first):
            until = timezone.now() + timedelta(minutes=9)
            Assignment.objects.create(task=task, annotator=holder, leased_until=until)
    Task.objects.filter(pk__in=[first.pk, second.pk]).update(remaining=20 - count)
    return people


@pytest.mark.usefixtures("_no_second_chance")
def test_sixteen_people_who_hold_the_same_tasks_all_change_their_section_at_once() -> None:
    for _ in range(4):
        campaign = make_campaign(overlap=20, members=[make_user() for _ in range(16)])
        make_task(campaign, section="geometry")
        people = holders_of_two(campaign, 16)
        moves = [functools.partial(sections.choose, campaign, person, "geometry") for person in people]
        assert at_once(moves) == [True] * 16
        algebra = campaign.tasks.filter(section="algebra")
        assert set(algebra.values_list("remaining", flat=True)) == {20}


@pytest.mark.usefixtures("_no_second_chance")
def test_sections_change_while_their_tasks_move_and_the_sweep_takes_leases_back() -> None:
    campaign = make_campaign(overlap=20, members=[make_user() for _ in range(12)])
    make_task(campaign, section="geometry")
    people = holders_of_two(campaign, 12)
    late = Assignment.objects.filter(annotator__in=people[6:])
    late.update(leased_until=timezone.now() - timedelta(seconds=1))
    choices = [functools.partial(sections.choose, campaign, person, "geometry") for person in people]
    renames = [lambda: sections.rename(campaign, "algebra", "groups")]
    at_once([*choices, *renames, *[queue.release_expired_leases] * 4])
    queue.release_expired_leases()
    for task in campaign.tasks.all():
        held = task.assignments.filter(state=AssignmentState.LEASED).count()
        assert task.remaining == task.overlap - held


@pytest.mark.usefixtures("_no_second_chance")
def test_a_late_submission_and_a_claim_from_another_tab_never_wait_for_each_other() -> None:
    """The claim has locked the task and wants the person's lapsed lease; the submission comes the other way."""
    for _ in range(60):
        person = make_user()
        campaign = make_campaign(members=[person], overlap=2)
        make_task(campaign, make_solution(STEPS))
        lease = claim_next(campaign, person)
        expire(lease)

        def send(lease: Assignment = lease) -> object:
            try:
                return submit(lease, 1, 1, 1)
            except LeaseLost as lost:
                return lost

        def ask(campaign: Campaign = campaign, person: User = person) -> object:
            return claim_next(campaign, person)

        at_once([send, ask])


def test_a_claim_waits_for_the_same_persons_submission_however_long_that_takes() -> None:
    person = make_user()
    campaign = make_campaign(members=[person], overlap=2)
    make_task(campaign, make_solution(STEPS))
    lease = claim_next(campaign, person)
    expire(lease)
    with held(lambda: hold(lease.pk, person.pk)) as let_go:
        threading.Timer(3 * queue.PATIENCE_MILLISECONDS / 1000, let_go.set).start()
        assert claim_next(campaign, person).pk == lease.pk


def test_people_who_write_a_step_of_one_solution_in_eight_campaigns_all_keep_theirs() -> None:
    solution, leases = make_solution(STEPS), []
    for _ in range(8):
        person = make_user()
        campaign = make_campaign(members=[person], protocol=Protocol.EVERY_OPTION)
        make_task(campaign, solution)
        leases.append(claim_next(campaign, person))
    at_once([lambda lease=lease: go_on_alone(lease) for lease in leases])
    assert Annotation.objects.count() == 8
    options = Step.objects.filter(solution=solution, source="human").values_list("option", flat=True)
    assert sorted(options) == list(range(min(options), min(options) + 8))


def test_what_a_deadlock_ended_is_done_again() -> None:
    first, second = make_task(make_campaign()), make_task(make_campaign())
    tries = []

    @again_after_deadlock
    @transaction.atomic
    def crosswise(one: Task, other: Task, other_has_come: Callable[[], None]) -> str:
        tries.append(one.pk)
        Task.objects.filter(pk=one.pk).update(priority=1)
        other_has_come()
        Task.objects.filter(pk=other.pk).update(priority=1)
        return "done"

    def met() -> None:
        """Goes on when both have their first lock; in a later attempt the other may have ended long ago."""
        if len(tries) <= 2:
            barrier.wait(20)

    barrier = threading.Barrier(2)
    results = at_once([lambda: crosswise(first, second, met), lambda: crosswise(second, first, met)])
    # On a crowded machine the two may meet a second time.
    assert results == ["done", "done"] and len(tries) >= 3


def test_between_two_attempts_the_other_has_time_to_go_on() -> None:
    began = []

    @again_after_deadlock
    def always_lost() -> None:
        began.append(time.monotonic())
        raise OperationalError("deadlock detected") from DeadlockDetected()

    with pytest.raises(OperationalError):
        always_lost()
    pauses = [after - before for before, after in pairwise(began)]
    assert len(pauses) == 2 and pauses[0] >= 0.05 and pauses[1] >= 0.1
