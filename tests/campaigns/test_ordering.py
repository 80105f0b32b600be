"""What an ordering reads of a solution: all that machines were given of it, and nothing else."""

from __future__ import annotations

import pytest

from labelsite.campaigns.models import Ordering, Task
from labelsite.campaigns.ordering import place_new, reorder, top_of_queue, waiting
from tests.factories import make_campaign, make_scores, make_solution, make_task

pytestmark = pytest.mark.django_db


def scored(ordering: Ordering, scores: list[float]) -> Task:
    """A wrong solution of three steps in a campaign of its own, with scores of the first ones."""
    solution = make_solution(["a", "b", "c"], is_correct=False)
    solution.step_rows.filter(position__gte=len(scores)).update(is_chosen=False)
    task = make_task(make_campaign(ordering=ordering), solution)
    task.campaign.score_run = make_scores(solution, scores)
    task.campaign.save()
    return task


@pytest.mark.parametrize("ordering", [Ordering.UNCERTAINTY, Ordering.DISAGREEMENT, Ordering.CONVINCING_WRONG])
def test_a_solution_in_which_a_choice_is_missing_is_ordered_by_the_steps_up_to_there(
    ordering: Ordering,
) -> None:
    broken, short = scored(ordering, [0.8]), scored(ordering, [0.8])
    # Behind the gap the file goes on, which machines were not given.
    broken.solution.step_rows.filter(position=2).update(is_chosen=True)
    for task in (broken, short):
        reorder(task.campaign)
        task.refresh_from_db()
    assert (broken.priority, broken.priority_reason) == (short.priority, short.priority_reason)
    assert broken.priority >= 0


def test_convincing_wrong_answers_come_four_by_four_and_each_fifth_is_the_most_convincing_of_the_rest() -> (
    None
):
    campaign = make_campaign(ordering=Ordering.CONVINCING_WRONG)
    believed = [(False, k / 10) for k in range(6)] + [(True, 0.95), (None, 0.9), (True, 0.1)]
    solutions = [make_solution(["a"], is_correct=is_correct) for is_correct, _ in believed]
    campaign.score_run = make_scores(solutions[0], [believed[0][1]])
    for solution, (_, score) in zip(solutions[1:], believed[1:], strict=True):
        make_scores(solution, [score], run=campaign.score_run)
    campaign.save()
    for solution in [*solutions, make_solution(["a"])]:
        make_task(campaign, solution)
    reorder(campaign)
    order = [(task.solution.is_correct, task.priority_reason) for task in waiting(campaign)]
    assert [is_correct for is_correct, _ in order] == [False] * 4 + [True] + [False] * 2 + [None, True, True]
    scores = [reason.rpartition("=")[2] for _, reason in order]
    assert scores == ["0.50", "0.40", "0.30", "0.20", "0.95", "0.10", "0.00", "0.90", "0.10", "unscored"]
    assert reorder(campaign) == 0


def test_known_answers_take_no_place_in_the_mixture_and_what_comes_later_stands_behind_it() -> None:
    campaign = make_campaign(ordering=Ordering.CONVINCING_WRONG)
    believed = [(False, 0.8)] * 8 + [(True, 0.7)] * 2 + [(True, 0.95)] * 3
    solutions = [make_solution(["a"], is_correct=is_correct) for is_correct, _ in believed]
    campaign.score_run = make_scores(solutions[0], [believed[0][1]])
    for solution, (_, score) in zip(solutions[1:], believed[1:], strict=True):
        make_scores(solution, [score], run=campaign.score_run)
    campaign.save()
    for solution in solutions[:10]:
        make_task(campaign, solution)
    for solution in solutions[10:]:
        make_task(campaign, solution, kind="gold", gold=[None])
    reorder(campaign)
    order = [task.solution.is_correct for task in waiting(campaign)]
    assert order == [*[False] * 4, True, *[False] * 4, True]

    late = make_solution(["a"], is_correct=False)
    make_scores(late, [0.9], run=campaign.score_run)
    task = make_task(campaign, late)
    place_new(campaign, task.pk - 1)
    assert top_of_queue(campaign, 11)[-1] == task.pk
    reorder(campaign)
    assert top_of_queue(campaign, 1) == [task.pk]


def test_a_step_without_a_score_on_the_way_leaves_a_solution_unscored() -> None:
    task = scored(Ordering.UNCERTAINTY, [0.8])
    task.solution.step_rows.filter(position=1).update(is_chosen=True)
    reorder(task.campaign)
    task.refresh_from_db()
    assert (task.priority, task.priority_reason) == (-1.0, "unscored")
