"""The label rules at every door: whatever is tried, only lawful annotations are stored."""

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
from hypothesis import given, settings
from hypothesis import strategies as some

from labelsite.accounts.models import User
from labelsite.annotations.import_refusals import ImportRefused
from labelsite.annotations.importers import import_file
from labelsite.annotations.models import Annotation, StepRating
from labelsite.campaigns.models import Assignment, Protocol, Task
from tests.annotations.law import FINISH, LENGTH, RATING, obeys_the_law, quick
from tests.campaigns.leases import claim_next
from tests.factories import make_campaign, make_solution, make_task, make_token, make_user

pytestmark = pytest.mark.django_db
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
