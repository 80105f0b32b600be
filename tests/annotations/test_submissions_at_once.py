"""One submission many times at once, and a lease that ends in the middle of it: one is stored, or nothing."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from django.db import connection

from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.campaigns.leases import LeaseLost
from labelsite.campaigns.models import Task
from tests.annotations.submissions import STEPS, expire, submit
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_ten_copies_of_one_submission_at_once_store_one() -> None:
    annotator = make_user()
    campaign = make_campaign(members=[annotator])
    make_task(campaign, make_solution(STEPS))
    lease, key, got = claim_next(campaign, annotator), uuid4(), []

    def send() -> None:
        try:
            got.append(submit(lease, 1, 1, 1, key=key).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 10 and len(set(got)) == 1


def stored(annotation: Annotation) -> tuple:
    """Everything that was written for an annotation but ids, keys, what follows from them, and times of day."""
    annotation = Annotation.objects.get(pk=annotation.pk)
    fields = {
        field.name: getattr(annotation, field.name)
        for field in Annotation._meta.concrete_fields
        if field.name not in ("id", "task", "idempotency_key", "judgement_digest", "created_at")
    }
    rows = annotation.ratings.order_by("step__position", "step__option")
    lease = annotation.task.assignments.get()
    task = Task.objects.values("state", "remaining", "overlap").get(pk=annotation.task_id)
    return fields, list(rows.values_list("rating", "flagged", "milliseconds", "note")), lease.state, task


@pytest.mark.parametrize("ratings", [(1, 0, 1), (1, -1), (-1,)])
def test_with_and_without_a_lock_the_same_is_stored(campaign, annotator, monkeypatch, ratings) -> None:
    for _ in range(2):
        make_task(campaign, make_solution(STEPS))
    alone = submit(claim_next(campaign, annotator), *ratings, alternatives=(1, None))
    monkeypatch.setattr(services, "_submit_alone", lambda *arguments: None)
    locked = submit(claim_next(campaign, annotator), *ratings, alternatives=(1, None))
    assert alone.task_id != locked.task_id and stored(alone) == stored(locked)


def test_a_lease_that_ends_between_reading_and_storing_stores_nothing(lease, monkeypatch) -> None:
    checked = services._checked

    def expire_first(*arguments):
        monkeypatch.undo()
        expire(lease)
        Task.objects.update(remaining=0)
        return checked(*arguments)

    monkeypatch.setattr(services, "_checked", expire_first)
    with pytest.raises(LeaseLost):
        submit(lease, 1, 1, 1)
    assert not Annotation.objects.exists()
