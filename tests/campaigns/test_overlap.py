"""Another overlap, also while people take and give back places: no place too many, and none that is never served."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from labelsite.accounts.models import User
from labelsite.annotations.coverage import reopen
from labelsite.annotations.models import Annotation
from labelsite.campaigns import queue, services
from labelsite.campaigns.models import Assignment, AssignmentState, Campaign, Task
from labelsite.comparison.services import adjudicate
from tests.annotations.submissions import STEPS, submit
from tests.campaigns.leases import claim_next, expire
from tests.factories import make_campaign, make_solution, make_task, make_user
from tests.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_sweeping")]


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def set_overlap_while(campaign: Campaign, overlap: int, *steps: Callable[[], object]) -> None:
    """Sets the overlap on a connection of its own, which has to wait for these steps to be committed."""

    def change() -> None:
        try:
            services.update_campaign(campaign, {"overlap": overlap})
        finally:
            connection.close()

    changing = threading.Thread(target=change)
    with transaction.atomic():
        for step in steps:
            step()
        changing.start()
        wait_until(somebody_waits, what="the new overlap's wait for the row")
    changing.join()


def the_task() -> Task:
    """The only task, once its sum is right."""
    task = Task.objects.get()
    held = task.assignments.exclude(state=AssignmentState.LAPSED).count()
    assert task.remaining == task.overlap - held
    return task


def claim(campaign: Campaign, place: int) -> Assignment:
    person = campaign.memberships.order_by("pk")[place].user
    found = claim_next(campaign, person)
    assert isinstance(found, Assignment)
    return found


def look(campaign: Campaign, place: int) -> Annotation:
    return submit(claim(campaign, place), 1, 1, 1)


@pytest.fixture
def campaign() -> Campaign:
    campaign = make_campaign(members=[make_user() for _ in range(3)], overlap=2)
    make_task(campaign, make_solution(STEPS))
    return campaign


def test_a_claim_in_the_same_moment_is_counted_in_the_new_overlap(campaign: Campaign) -> None:
    set_overlap_while(campaign, 3, lambda: claim(campaign, 0))
    assert (the_task().overlap, the_task().remaining) == (3, 2)


def test_a_claim_in_the_same_moment_keeps_its_place_where_the_overlap_falls(campaign: Campaign) -> None:
    look(campaign, 0)
    set_overlap_while(campaign, 1, lambda: claim(campaign, 1))
    assert (the_task().overlap, the_task().remaining, the_task().state) == (2, 0, "open")


def test_a_place_that_comes_back_in_the_same_moment_is_served_again(campaign: Campaign) -> None:
    expire(claim(campaign, 0))
    claim(campaign, 1)
    set_overlap_while(campaign, 3, queue.release_expired_leases)
    assert (the_task().overlap, the_task().remaining) == (3, 2)
    claim(campaign, 0), claim(campaign, 2)
    assert the_task().remaining == 0


def test_a_submission_in_the_same_moment_closes_the_task_for_which_it_is_now_enough(
    campaign: Campaign,
) -> None:
    lease = claim(campaign, 0)
    set_overlap_while(campaign, 1, lambda: submit(lease, 1, 1, 1))
    assert (the_task().overlap, the_task().state) == (1, "done")


def test_a_task_with_enough_looks_for_a_lower_overlap_is_done(campaign: Campaign) -> None:
    look(campaign, 0)
    services.update_campaign(campaign, {"overlap": 1})
    assert (the_task().overlap, the_task().remaining, the_task().state) == (1, 0, "done")
    services.update_campaign(campaign, {"overlap": 3})
    assert (the_task().overlap, the_task().remaining, the_task().state) == (3, 2, "open")


def test_a_task_in_somebodys_hand_stays_open_until_it_is_submitted(campaign: Campaign) -> None:
    lease = claim(campaign, 0)
    services.update_campaign(campaign, {"overlap": 1})
    assert (the_task().remaining, the_task().state) == (0, "open")
    submit(lease, 1, 1, 1)
    assert the_task().state == "done"


def test_what_was_opened_again_for_others_than_excluded_people_stays_open_under_another_overlap(
    campaign: Campaign,
) -> None:
    excluded = [look(campaign, place).annotator for place in (0, 1)]
    User.objects.filter(pk__in=[person.pk for person in excluded]).update(labels_excluded=True)
    assert reopen(User.objects.get(pk=excluded[0].pk)) == 1
    services.update_campaign(campaign, {"overlap": 1})
    assert (the_task().overlap, the_task().remaining, the_task().state) == (3, 1, "open")
    look(campaign, 2)
    assert (the_task().remaining, the_task().state) == (0, "done")


def test_a_done_task_that_a_reviewer_decided_is_opened_by_no_higher_overlap_and_an_open_one_goes_on(
    campaign: Campaign,
) -> None:
    look(campaign, 0)
    adjudicate(the_task(), make_user("reviewer"), [1])
    services.update_campaign(campaign, {"overlap": 3})
    assert (the_task().overlap, the_task().remaining, the_task().state) == (3, 2, "open")
    services.update_campaign(campaign, {"overlap": 1})
    assert (the_task().overlap, the_task().remaining, the_task().state) == (1, 0, "done")
    services.update_campaign(campaign, {"overlap": 2})
    assert (the_task().overlap, the_task().remaining, the_task().state) == (1, 0, "done")
