"""The label rules at every door: whatever is tried, only lawful annotations are stored.

`is_lawful` below is written anew from the rules' words, so that it does not share a mistake with the code.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from labelsite.accounts.models import User
from labelsite.annotations.importers import ImportRefused, import_file
from labelsite.annotations.models import Annotation, StepRating
from labelsite.campaigns.models import Assignment, Protocol, Task
from labelsite.campaigns.services import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_token, make_user

pytestmark = pytest.mark.django_db
LENGTH = 3
FINISH = some.sampled_from(["found_error", "solution", "bad_problem", "give_up"])
RATING = some.sampled_from([-1, 0, 1])
quick = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def is_lawful(finish: str, trajectory: list[int], reason: str) -> bool:
    if any(rating not in (-1, 0, 1) for rating in trajectory) or -1 in trajectory[:-1]:
        return False
    if len(trajectory) > LENGTH:
        return False
    has_mistake = trajectory[-1:] == [-1]
    if finish == "found_error":
        return has_mistake
    if finish == "solution":
        return not has_mistake and len(trajectory) == LENGTH
    return not has_mistake and reason != ""


def obeys_the_law(annotation: Annotation) -> bool:
    """What stands in the tables, rows and all, against the rules' words."""
    rows = list(annotation.ratings.select_related("step"))
    trajectory = annotation.trajectory
    for row in rows:
        if row.step.solution_id != annotation.task.solution_id:
            return False
        if row.rating is None:
            continue
        # PRM800K's people gave up with options of the open position rated; here those are not kept.
        is_open = annotation.origin == "import" and annotation.finish_reason in ("give_up", "bad_problem")
        if row.step.position >= len(trajectory) + is_open:
            return False
        if row.step.is_chosen and row.rating != trajectory[row.step.position]:
            return False
    return is_lawful(annotation.finish_reason, trajectory, annotation.reason)


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


# Positions and options of the task's solution: the second position has an alternative.
PLACES = [(0, 0), (1, 0), (1, 1), (2, 0)]
DOORS = ("page", "api", "import", "orm")


@dataclass(frozen=True)
class Said:
    """A random judgement, in no door's form yet. `ratings` are by place; None stands for "?"."""

    finish: str
    reason: str
    ratings: dict[tuple[int, int], int | None]
    first_mistake: int | None
    names_a_strange_step: bool


@some.composite
def judgements(draw) -> Said:
    """Half of them as somebody who knows the rules would judge, and half anything at all."""
    finish = draw(FINISH)
    reason = draw(some.sampled_from(["", "why"]))
    if draw(some.booleans()):
        mistake = draw(some.integers(0, LENGTH - 1)) if finish == "found_error" else None
        until = LENGTH if finish == "solution" else draw(some.integers(0, LENGTH))
        until = until if mistake is None else mistake
        ratings = {(place, 0): draw(some.sampled_from([0, 1])) for place in range(until)}
        if mistake is not None:
            ratings[mistake, 0] = -1
            ratings |= {(1, 1): draw(RATING)} if mistake == 1 else {}
        return Said(finish, reason or "why", ratings, mistake, False)
    some_places = draw(some.lists(some.sampled_from(PLACES), unique=True))
    ratings = {place: draw(some.sampled_from([-1, 0, 1, 1, None])) for place in some_places}
    first = draw(some.sampled_from([None, None, 0, 2, 7, -1]))
    return Said(finish, reason, ratings, first, draw(some.sampled_from([False, False, False, True])))


def by_page(client, task: Task, said: Said, annotator: User) -> None:
    lease = lease_of(task, annotator)
    client.force_login(annotator)
    body = {"token": str(lease.token), "key": str(uuid4()), "judgement": sent(task, said)}
    client.post(f"/annotate/task/{lease.pk}/submit/", json.dumps(body), content_type="application/json")


def by_api(client, task: Task, said: Said, annotator: User) -> None:
    lease = lease_of(task, annotator)
    client.logout()
    client.post(
        "/api/v1/annotations/",
        json.dumps({"assignment": lease.pk, "token": str(lease.token), "judgement": sent(task, said)}),
        content_type="application/json",
        headers={"Authorization": f"Token {make_token(annotator)}", "Idempotency-Key": str(uuid4())},
    )


def lease_of(task: Task, annotator: User) -> Assignment:
    lease = Assignment.objects.filter(task=task, annotator=annotator).first()
    return lease or claim_next(task.campaign, annotator)


def sent(task: Task, said: Said) -> dict:
    """As page and script send it."""
    ids = {(step.position, step.option): step.pk for step in task.solution.step_rows.all()}
    ratings = [
        {"step": ids[place], "rating": rating, "flagged": rating is None}
        for place, rating in said.ratings.items()
    ]
    if said.names_a_strange_step:
        ratings.append({"step": make_solution(["Elsewhere."]).step_rows.get().pk, "rating": 1})
    return {
        "finish_reason": said.finish,
        "reason": said.reason,
        "first_mistake": said.first_mistake,
        "ratings": ratings,
    }


def by_import(client, task: Task, said: Said, annotator: User) -> None:
    """A PRM800K line that says the same of a solution of its own."""
    texts = [f"Step {place}." for place in range(LENGTH)]
    read = 1 + max([place for place, _ in said.ratings], default=-1)
    steps = []
    for place in range(read):
        options = [option for at, option in PLACES if at == place]
        completions = [
            {
                "text": texts[place] if option == 0 else "Another step.",
                "rating": said.ratings.get((place, option)),
                "flagged": None,
            }
            for option in options
        ]
        chosen = None if said.finish == "found_error" and place == read - 1 else 0
        steps.append({"completions": completions, "human_completion": None, "chosen_completion": chosen})
    line = {
        "labeler": "somebody",
        "timestamp": "2022-07-17T17:33:40.183639",
        "generation": None,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": {
            "problem": "How many?",
            "ground_truth_answer": "1",
            "pre_generated_steps": texts,
            "pre_generated_answer": "1",
            "pre_generated_verifier_score": 0.5,
        },
        "label": {"steps": steps, "total_time": 1000, "finish_reason": said.finish},
    }
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(ImportRefused):
        path = Path(folder, "lines.jsonl")
        path.write_text(json.dumps(line) + "\n")
        import_file(path, "prm800k", "Imported")


def by_orm(client, task: Task, said: Said, annotator: User) -> None:
    """Rows written past every service: the annotation, then its ratings."""
    steps = {(step.position, step.option): step for step in task.solution.step_rows.all()}
    path = [said.ratings.get((place, 0)) for place in range(LENGTH)]
    trajectory = [rating for rating in path[: path.index(None) if None in path else LENGTH]]
    if said.names_a_strange_step:
        steps = dict.fromkeys(steps, make_solution(["Elsewhere."]).step_rows.get())
    with contextlib.suppress(IntegrityError), transaction.atomic():
        annotation = Annotation.objects.create(
            task=task,
            annotator=annotator,
            finish_reason=said.finish,
            trajectory=trajectory,
            reason=said.reason,
        )
        StepRating.objects.bulk_create(
            StepRating(annotation=annotation, step=steps[place], rating=rating)
            for place, rating in said.ratings.items()
        )


def test_no_door_stores_what_breaks_a_rule_nor_two_live_annotations(client) -> None:
    """Whatever is tried at whichever door, what stands in the tables afterwards obeys the law.

    An imported row that breaks a rule is kept, but only with the word that it does.
    """
    doors = {"page": by_page, "api": by_api, "import": by_import, "orm": by_orm}
    stored: Counter[str] = Counter()
    refused: Counter[str] = Counter()

    @settings(quick, max_examples=240)
    @given(said=judgements(), protocol=some.sampled_from(Protocol.values), door=some.sampled_from(DOORS))
    def try_it(said: Said, protocol: str, door: str) -> None:
        with transaction.atomic():
            annotator = make_user()
            campaign = make_campaign(members=[annotator], protocol=protocol)
            steps: list[str | list[str]] = ["Step 0.", ["Step 1.", "Another step."], "Step 2."]
            task = make_task(campaign, make_solution(steps))
            for _ in range(2):
                doors[door](client, task, said, annotator)
            found = list(Annotation.objects.all())
            assert len(found) <= 1
            for annotation in found:
                assert obeys_the_law(annotation) == (annotation.broken_rule == "")
                assert annotation.broken_rule == "" or annotation.origin == "import"
            lawful = [annotation for annotation in found if annotation.broken_rule == ""]
            stored[door] += len(lawful)
            refused[door] += not lawful
            transaction.set_rollback(True)

    try_it()
    assert set(stored) == set(refused) == set(DOORS), (stored, refused)


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
