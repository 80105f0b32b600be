"""Finished tasks that lack labels, as a person was excluded, are told to the admin, who opens them again at once."""

from __future__ import annotations

import pytest

from labelsite.accounts.models import User
from labelsite.annotations import coverage
from labelsite.annotations.coverage import reopen, uncovered
from labelsite.campaigns.models import Assignment, Campaign, Task
from labelsite.campaigns.reasons import NothingLeft
from labelsite.comparison.services import adjudicate
from tests.annotations.submissions import STEPS, submit
from tests.campaigns.leases import claim_next
from tests.factories import (
    make_annotation,
    make_campaign,
    make_machine,
    make_member,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def colleague(db: None) -> User:
    return make_user()


@pytest.fixture
def campaign(annotator: User, colleague: User) -> Campaign:
    return make_campaign(members=[annotator, colleague])


def finished(campaign: Campaign, *people: User) -> Task:
    """A task on which each of the people is done."""
    task = make_task(campaign, make_solution(STEPS), overlap=len(people))
    for person in people:
        lease = claim_next(campaign, person)
        assert isinstance(lease, Assignment)
        submit(lease, 1, 1, 1)
    task.refresh_from_db()
    assert (task.state, task.remaining) == ("done", 0)
    return task


def exclude(*people: User) -> None:
    User.objects.filter(pk__in=[person.pk for person in people]).update(labels_excluded=True)


def test_where_one_label_is_wanted_only_what_nobody_else_has_labeled_counts(
    campaign, annotator, colleague
) -> None:
    alone = finished(campaign, annotator)
    finished(campaign, annotator, colleague)
    finished(campaign, colleague)
    decided = finished(campaign, annotator)
    adjudicate(decided, make_user("reviewer"), [1])
    make_annotation(alone, make_machine(), (1, 1, 1), origin="import")
    assert not uncovered(annotator).exists()
    exclude(annotator)
    assert list(uncovered(annotator)) == [alone]


def test_a_task_that_is_open_again_goes_to_somebody_else_and_is_done_after_that(
    campaign, annotator, colleague
) -> None:
    task = finished(campaign, annotator)
    exclude(annotator)
    assert (reopen(annotator), reopen(annotator)) == (1, 0)
    task.refresh_from_db()
    assert (task.state, task.overlap, task.remaining) == ("open", 2, 1)
    assert isinstance(claim_next(campaign, annotator), NothingLeft)
    submit(claim_next(campaign, colleague), 1, 1, 1)
    task.refresh_from_db()
    assert (task.state, task.remaining) == ("done", 0)
    assert not uncovered(annotator).exists()


@pytest.mark.parametrize("is_excluded_first", [True, False])
def test_a_task_that_is_for_several_people_lacks_the_excluded_look_and_waits_for_one_more(
    campaign, annotator, colleague, is_excluded_first
) -> None:
    Campaign.objects.update(overlap=2)
    third = make_user()
    make_member(campaign, third)
    task = make_task(campaign, make_solution(STEPS), overlap=2)
    submit(claim_next(campaign, annotator), 1, 1, 1)
    if is_excluded_first:
        exclude(annotator)
    submit(claim_next(campaign, colleague), 1, 1, 1)
    exclude(annotator)
    assert [(found.pk, found.missing) for found in uncovered(annotator)] == [(task.pk, 1)]
    assert (reopen(annotator), reopen(annotator)) == (1, 0)
    task.refresh_from_db()
    assert (task.state, task.overlap, task.remaining) == ("open", 3, 1)
    submit(claim_next(campaign, third), 1, 1, 1)
    task.refresh_from_db()
    assert (task.state, task.remaining) == ("done", 0)
    assert not uncovered(annotator).exists()


def test_whoever_is_excluded_after_a_task_was_opened_again_leaves_one_place_and_no_more(
    campaign, annotator, colleague
) -> None:
    task = finished(campaign, annotator)
    exclude(annotator)
    assert reopen(annotator) == 1
    submit(claim_next(campaign, colleague), 1, 1, 1)
    exclude(colleague)
    assert reopen(colleague) == 1
    task.refresh_from_db()
    assert (task.state, task.overlap, task.remaining) == ("open", 3, 1)


def test_what_was_put_away_is_neither_counted_nor_opened(campaign, annotator) -> None:
    task = finished(campaign, annotator)
    exclude(annotator)
    Campaign.objects.update(is_archived=True)
    assert not uncovered(annotator).exists()
    assert reopen(annotator) == 0
    task.refresh_from_db()
    assert task.state == "done"


def test_every_excluded_look_gets_a_place_in_batches(campaign, annotator, colleague, monkeypatch) -> None:
    monkeypatch.setattr(coverage, "BATCH", 2)
    Campaign.objects.update(overlap=2)
    tasks = [finished(campaign, annotator, colleague) for _ in range(5)]
    exclude(annotator, colleague)
    assert reopen(annotator) == 5
    assert {(task.overlap, task.remaining) for task in Task.objects.filter(pk__in=[t.pk for t in tasks])} == {
        (4, 2)
    }


@pytest.mark.django_db(transaction=True)
def test_a_reopened_task_gets_the_place_that_the_ordering_gives_it_now(campaign, annotator) -> None:
    task = finished(campaign, annotator)
    Task.objects.update(priority=1.0, priority_reason="convincing_wrong score=0.93")
    exclude(annotator)
    assert reopen(annotator) == 1
    task.refresh_from_db()
    assert (task.state, task.priority, task.priority_reason) == ("open", 0.0, "")


def test_a_reopened_adaptive_task_waits_for_the_agreement_of_those_who_count(campaign) -> None:
    people = [make_user() for _ in range(6)]
    campaign = make_campaign(members=people, adaptive_overlap=True)
    task = make_task(campaign, make_solution(STEPS), overlap=1)
    for person in people[:3]:
        submit(claim_next(campaign, person), 1, 1, 1)
    exclude(*people[:3])
    assert reopen(people[0]) == 1
    for person in people[3:]:
        task.refresh_from_db()
        assert task.state == "open"
        submit(claim_next(campaign, person), 1, 0, 1)
    task.refresh_from_db()
    assert (task.state, task.overlap, task.remaining) == ("done", 6, 0)


def test_an_adaptive_task_that_three_agreed_on_waits_for_one_more_where_one_of_them_is_excluded(
    campaign,
) -> None:
    people = [make_user() for _ in range(4)]
    campaign = make_campaign(members=people, adaptive_overlap=True)
    task = make_task(campaign, make_solution(STEPS), overlap=1)
    for person in people[:3]:
        submit(claim_next(campaign, person), 1, 1, 1)
    exclude(people[0])
    assert reopen(people[0]) == 1
    submit(claim_next(campaign, people[3]), 1, 1, 1)
    task.refresh_from_db()
    assert (task.state, task.overlap, task.remaining) == ("done", 4, 0)


def test_the_page_of_people_says_how_many_and_opens_them_in_one_action(client, campaign, annotator) -> None:
    finished(campaign, annotator)
    client.force_login(make_user("admin"))
    url, told = f"/people/{annotator.pk}/reopen/", "1 finished task has fewer labels of others than wanted"
    assert told not in client.get("/people/").content.decode()
    client.post(f"/people/{annotator.pk}/", {"role": "annotator", "is_active": "on", "labels_excluded": "on"})
    page = client.get("/people/").content.decode()
    assert told in page and url in page
    answer = client.post(url, follow=True).content.decode()
    assert "1 task is open again." in answer and told not in answer
    client.force_login(annotator)
    assert client.post(url).status_code == 403
