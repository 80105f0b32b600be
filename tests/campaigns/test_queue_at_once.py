"""The queue with many people at once, each on a connection of their own: no place too many, none forgotten."""

from __future__ import annotations

import contextlib
from collections import Counter

import pytest

from labelsite.accounts.models import User
from labelsite.campaigns import queue
from labelsite.campaigns.leases import LeaseLost
from labelsite.campaigns.models import Assignment, AssignmentState, Task
from labelsite.campaigns.reasons import NothingLeft
from tests.campaigns.leases import claim_next, expire, finish
from tests.factories import make_campaign, make_solution, make_task, make_user
from tests.threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_sweeping")]


def test_twelve_people_at_once_never_exceed_the_overlap_and_miss_no_place() -> None:
    people = [make_user() for _ in range(12)]
    campaign = make_campaign(members=people, overlap=3)
    for _ in range(12):
        make_task(campaign, make_solution(["Only step."]))

    def label(person: User) -> None:
        while isinstance(lease := claim_next(campaign, person), Assignment):
            held = Assignment.objects.filter(task=lease.task).exclude(state=AssignmentState.LAPSED).count()
            assert held <= 3
            finish(lease)

    at_once([lambda person=person: label(person) for person in people])
    per_task = Counter(Assignment.objects.values_list("task", flat=True))
    assert set(per_task.values()) == {3} and len(per_task) == 12
    assert set(Task.objects.values_list("remaining", flat=True)) == {0}


def test_a_person_in_twenty_tabs_is_given_one_task_and_in_twenty_more_the_one_after_it() -> None:
    person = make_user()
    campaign = make_campaign(members=[person], overlap=2)
    for _ in range(30):
        make_task(campaign, make_solution(["Only step."]))
    first = {lease.pk for lease in at_once([lambda: claim_next(campaign, person)] * 20)}
    assert len(first) == 1
    in_hand = first.pop()
    second = {lease.pk for lease in at_once([lambda: claim_next(campaign, person, besides=in_hand)] * 20)}
    assert len(second) == 1 and second != {in_hand}
    assert Assignment.objects.filter(state=AssignmentState.LEASED).count() == 2
    assert sum(2 - remaining for remaining in Task.objects.values_list("remaining", flat=True)) == 2


def test_releases_claims_and_submissions_at_once_keep_every_sum() -> None:
    people = [make_user() for _ in range(8)]
    campaign = make_campaign(members=people, overlap=2)
    for _ in range(10):
        make_task(campaign, make_solution(["Only step."]))

    def disturb(person: User, number: int) -> None:
        for turn in range(12):
            lease = claim_next(campaign, person)
            if isinstance(lease, NothingLeft):
                queue.release_expired_leases()
            elif (turn + number) % 3 == 0:
                expire(lease)
                queue.release_expired_leases()
            else:
                with contextlib.suppress(LeaseLost):
                    finish(lease)

    at_once(
        [lambda person=person, number=number: disturb(person, number) for number, person in enumerate(people)]
    )
    for task in Task.objects.all():
        held = task.assignments.exclude(state=AssignmentState.LAPSED).count()
        assert task.remaining == task.overlap - held >= 0
