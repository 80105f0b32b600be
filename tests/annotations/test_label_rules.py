"""The label rules at every door: whatever is tried, only lawful annotations are stored.

`is_lawful` below is written anew from the rules' words, so that it does not share a mistake with the code.
"""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from labelsite.annotations.models import Annotation, StepRating
from labelsite.campaigns.models import Assignment, Protocol, Task
from labelsite.campaigns.services import claim_next
from tests.factories import make_campaign, make_member, make_solution, make_task, make_token, make_user

pytestmark = pytest.mark.django_db
LENGTH = 3
FINISH = some.sampled_from(["found_error", "solution", "bad_problem", "give_up"])
RATING = some.sampled_from([-1, 0, 1])
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def is_lawful(finish: str, trajectory: list[int], reason: str, steps: int = LENGTH) -> bool:
    if any(rating not in (-1, 0, 1) for rating in trajectory) or -1 in trajectory[:-1]:
        return False
    has_mistake = trajectory[-1:] == [-1]
    if finish == "found_error":
        return has_mistake and len(trajectory) <= steps
    if finish == "solution":
        return not has_mistake and len(trajectory) == steps
    return not has_mistake and reason != ""


@pytest.fixture
def task() -> Task:
    campaign = make_campaign(members=[make_user()])
    return make_task(campaign, make_solution([f"Step {number}." for number in range(LENGTH)]), overlap=50)


@quick
@given(
    finish=FINISH,
    trajectory=some.lists(some.integers(-2, 2), max_size=5),
    reason=some.sampled_from(["", "why"]),
)
def test_the_tables_refuse_what_is_not_lawful(task, finish, trajectory, reason) -> None:
    """The database itself, reached past every service."""
    annotator = task.campaign.memberships.get().user
    stored = True
    with transaction.atomic():
        try:
            with transaction.atomic():
                Annotation.objects.create(
                    task=task, annotator=annotator, finish_reason=finish, trajectory=trajectory, reason=reason
                )
        except IntegrityError:
            stored = False
        transaction.set_rollback(True)
    # Here a trajectory may be longer than the solution; its ratings cannot be stored then (the test below).
    assert stored == is_lawful(
        finish, trajectory, reason, max(LENGTH, len(trajectory) * (finish == "found_error"))
    )


@quick
@given(
    trajectory=some.lists(some.sampled_from([0, 1]), min_size=0, max_size=2),
    ratings=some.lists(RATING, min_size=1, max_size=LENGTH),
)
def test_the_tables_refuse_ratings_that_do_not_fit_their_trajectory(task, trajectory, ratings) -> None:
    annotator = task.campaign.memberships.get().user
    steps = list(task.solution.step_rows.order_by("position"))
    full = [*trajectory, -1]
    with transaction.atomic():
        annotation = Annotation.objects.create(
            task=task, annotator=annotator, finish_reason="found_error", trajectory=full
        )
        rows = [
            StepRating(annotation=annotation, step=step, rating=rating)
            for step, rating in zip(steps, ratings, strict=False)
        ]
        try:
            with transaction.atomic():
                StepRating.objects.bulk_create(rows)
            stored = True
        except IntegrityError:
            stored = False
        transaction.set_rollback(True)
    assert stored == (ratings == full[: len(ratings)])


def test_a_rating_of_another_solutions_step_is_refused(task) -> None:
    annotator = task.campaign.memberships.get().user
    annotation = Annotation.objects.create(
        task=task, annotator=annotator, finish_reason="found_error", trajectory=[-1]
    )
    stranger = make_solution(["Elsewhere."]).step_rows.get()
    with pytest.raises(IntegrityError), transaction.atomic():
        StepRating.objects.create(annotation=annotation, step=stranger, rating=-1)


def test_a_judgement_cannot_be_overwritten_nor_doubled(task) -> None:
    annotator = task.campaign.memberships.get().user
    annotation = Annotation.objects.create(
        task=task, annotator=annotator, finish_reason="found_error", trajectory=[-1]
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.filter(pk=annotation.pk).update(trajectory=[1, -1])
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(
            task=task, annotator=annotator, finish_reason="found_error", trajectory=[-1], revision=2
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(
            task=task,
            annotator=make_user(),
            finish_reason="solution",
            trajectory=[-1],
            broken_rule="an excuse",
        )


def random_judgement() -> some.SearchStrategy[dict]:
    """Ratings of any step of the task and of one that is not there, in any protocol's form."""
    rating = some.fixed_dictionaries(
        {
            "step": some.integers(0, LENGTH),
            "rating": some.sampled_from([-1, 0, 1, 1, 1, None]),
            "flagged": some.booleans(),
        }
    )
    return some.fixed_dictionaries(
        {
            "finish_reason": FINISH,
            "reason": some.sampled_from(["", "why"]),
            "first_mistake": some.sampled_from([None, None, 0, 2, 7, -1]),
            "ratings": some.lists(rating, max_size=LENGTH + 1, unique_by=lambda item: item["step"]),
        }
    )


@quick
@given(
    said=random_judgement(),
    protocol=some.sampled_from(Protocol.values),
    door=some.sampled_from(["page", "api"]),
)
def test_the_page_and_the_api_store_only_what_is_lawful(client, task, said, protocol, door) -> None:
    annotator = make_user()
    with transaction.atomic():
        make_member(task.campaign, annotator)
        task.campaign.protocol = protocol
        task.campaign.save()
        lease = claim_next(task.campaign, annotator)
        assert isinstance(lease, Assignment)
        ids = [*task.solution.step_rows.order_by("position").values_list("pk", flat=True), 10**9]
        sent = said | {"ratings": [item | {"step": ids[item["step"]]} for item in said["ratings"]]}
        status = send(client, door, lease, sent)
        stored = list(Annotation.objects.filter(annotator=annotator))
        assert (len(stored) == 1) == (status in (200, 201)), status
        assert status in (200, 201, 400, 409, 422)
        for annotation in stored:
            assert is_lawful(annotation.finish_reason, annotation.trajectory, annotation.reason)
        transaction.set_rollback(True)


def send(client, door: str, lease: Assignment, judgement: dict) -> int:
    """Submits through one of the two doors that a person or a script has; returns the HTTP status."""
    if door == "page":
        client.force_login(lease.annotator)
        body = {"token": str(lease.token), "key": str(uuid4()), "judgement": judgement}
        return client.post(
            f"/annotate/task/{lease.pk}/submit/", json.dumps(body), content_type="application/json"
        ).status_code
    return submit_by_api(client, lease, judgement)


def submit_by_api(client, lease: Assignment, judgement: dict) -> int:
    client.logout()
    body = {"assignment": lease.pk, "token": str(lease.token), "judgement": judgement}
    return client.post(
        "/api/v1/annotations/",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Token {make_token(lease.annotator)}", "Idempotency-Key": str(uuid4())},
    ).status_code
