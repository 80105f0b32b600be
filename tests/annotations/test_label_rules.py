"""The label rules in the tables themselves: what is not lawful cannot be stored by whoever writes them."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as some

from labelsite.annotations.models import Annotation, StepRating
from labelsite.campaigns.models import Task
from tests.annotations.law import FINISH, LENGTH, RATING, is_lawful, quick
from tests.factories import make_campaign, make_solution, make_task, make_user

pytestmark = pytest.mark.django_db


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
    assert stored == is_lawful(finish, trajectory, reason)


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


@pytest.fixture
def judged(task) -> Annotation:
    annotator = task.campaign.memberships.get().user
    return Annotation.objects.create(
        task=task, annotator=annotator, finish_reason="found_error", trajectory=[1, -1]
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("trajectory", [-1]),
        ("finish_reason", "give_up"),
        ("task", make_task),
        ("annotator", make_user),
        ("exposure", "before"),
        ("origin", "import"),
        ("extra", {"written": [1]}),
        ("reason", "another"),
        ("total_time_ms", 1),
        ("guideline_version", 2),
    ],
)
def test_nothing_that_a_judgement_says_can_be_overwritten(judged, field, value) -> None:
    value = value() if callable(value) else value
    with (
        pytest.raises(IntegrityError, match="a judgement is revised, never overwritten"),
        transaction.atomic(),
    ):
        Annotation.objects.filter(pk=judged.pk).update(**{field: value})
    assert Annotation.objects.filter(pk=judged.pk).update(is_live=False) == 1


def test_a_judgement_cannot_be_doubled(task, judged) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(
            task=task,
            annotator=judged.annotator,
            finish_reason="found_error",
            trajectory=[1, -1],
            revision=2,
        )


def test_who_names_a_rule_that_was_broken_may_break_none_as_an_annotator(task) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(
            task=task,
            annotator=make_user(),
            finish_reason="solution",
            trajectory=[-1],
            broken_rule="an excuse",
        )


@pytest.mark.parametrize(
    ("finish", "trajectory", "extra"),
    [
        ("solution", [1], {"written": []}),
        ("solution", [1], {"written": [0]}),
        ("found_error", [1, 1, 1, -1], {"written": [0]}),
        ("found_error", [1, 1, 1, -1], {}),
    ],
)
def test_steps_of_ones_own_are_no_excuse_unless_they_are_there(task, finish, trajectory, extra) -> None:
    annotator = task.campaign.memberships.get().user
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.create(
            task=task, annotator=annotator, finish_reason=finish, trajectory=trajectory, extra=extra
        )


def test_an_imported_row_does_not_become_an_annotators(task) -> None:
    annotation = Annotation.objects.create(
        task=task, annotator=make_user(), finish_reason="solution", trajectory=[1], origin="import"
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        Annotation.objects.filter(pk=annotation.pk).update(origin="annotator")
