"""The label rules, written anew from their words, so that they share no mistake with the code."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

from labelsite.annotations.models import Annotation

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
