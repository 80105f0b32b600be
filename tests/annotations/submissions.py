"""A solution with alternatives, and how the tests of submissions judge it."""

from __future__ import annotations

from uuid import uuid4

from labelsite.annotations import services
from labelsite.annotations.models import Annotation
from labelsite.campaigns import queue
from labelsite.campaigns.models import Assignment, Task
from tests.campaigns.leases import expire as run_out

STEPS = [
    "One and one is two.",
    ["Two and two is five.", "Two and two is four.", "Hm."],
    "So the answer is five.",
]


def judgement(task: Task, *ratings: int, alternatives: tuple[int | None, ...] = (), **more) -> dict:
    """Ratings along the chosen steps, then those of the alternatives at the last rated position."""
    chosen = list(task.solution.step_rows.filter(is_chosen=True).order_by("position"))
    given = [{"step": step.pk, "rating": rating} for step, rating in zip(chosen, ratings, strict=False)]
    others = task.solution.step_rows.filter(is_chosen=False, position=len(ratings) - 1).order_by("option")
    for step, rating in zip(others, alternatives, strict=False):
        given.append({"step": step.pk, "rating": rating, "flagged": rating is None})
    finish = "found_error" if -1 in ratings else "solution"
    return {"finish_reason": finish, "ratings": given, "total_time_ms": 1234, **more}


def submit(lease: Assignment, *ratings: int, key: object = None, **more) -> Annotation:
    return services.submit(
        lease, str(lease.token), str(key or uuid4()), judgement(lease.task, *ratings, **more)
    )


def go_on_alone(lease: Assignment, *own: str) -> Annotation:
    """Finds no option of the second step acceptable, and reaches the answer through steps of one's own."""
    said = judgement(lease.task, 1, -1, alternatives=(-1, -1), written=list(own or ("It is four.",)))
    said["finish_reason"] = "solution"
    return services.submit(lease, str(lease.token), uuid4(), said)


def expire(lease: Assignment) -> None:
    """Its time ran out, and the place is free again."""
    run_out(lease)
    assert queue.release_expired_leases() == 1
