"""What an ordering reads of a solution: all that machines were given of it, and nothing else."""

from __future__ import annotations

import pytest

from labelsite.campaigns import sections
from labelsite.campaigns.models import Campaign, Ordering, Task
from labelsite.campaigns.ordering import place_new, reorder, top_of_queue, waiting
from labelsite.jobs.models import ARRANGE, Job
from labelsite.problems.models import Solution
from tests.factories import make_campaign, make_estimates, make_scores, make_solution, make_task

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


def mixed_campaign(believed: list[tuple[bool | None, float]]) -> tuple[Campaign, list[Solution]]:
    """Solutions of one step each, right, wrong or ungraded, with these scores, and a campaign to order them in."""
    campaign = make_campaign(ordering=Ordering.CONVINCING_WRONG)
    solutions = [make_solution(["a"], is_correct=is_correct) for is_correct, _ in believed]
    for solution, (_, score) in zip(solutions, believed, strict=True):
        campaign.score_run = make_scores(solution, [score], run=campaign.score_run)
    campaign.save()
    return campaign, solutions


def test_convincing_wrong_answers_come_four_by_four_and_each_fifth_is_the_most_convincing_of_the_rest() -> (
    None
):
    believed = [(False, k / 10) for k in range(6)] + [(True, 0.95), (None, 0.9), (True, 0.1)]
    campaign, solutions = mixed_campaign(believed)
    for solution in [*solutions, make_solution(["a"])]:
        make_task(campaign, solution)
    reorder(campaign)
    order = [(task.solution.is_correct, task.priority_reason) for task in waiting(campaign)]
    assert [is_correct for is_correct, _ in order] == [False] * 4 + [True] + [False] * 2 + [None, True, True]
    scores = [reason.rpartition("=")[2] for _, reason in order]
    assert scores == ["0.50", "0.40", "0.30", "0.20", "0.95", "0.10", "0.00", "0.90", "0.10", "unscored"]
    assert reorder(campaign) == 0


def test_whoever_is_kept_to_a_section_finds_the_mixture_there() -> None:
    """Also where every wrong answer of one section is more convincing than those of the other."""
    campaign, solutions = mixed_campaign(
        [(False, 0.9)] * 5 + [(True, 0.9)] * 2 + [(False, 0.6)] * 5 + [(True, 0.6)]
    )
    for solution in solutions[:7]:
        make_task(campaign, solution, section="first")
    for solution in solutions[7:]:
        make_task(campaign, solution, section="second")
    reorder(campaign)
    for section, last in (("first", [False, True]), ("second", [False])):
        order = [task.solution.is_correct for task in waiting(campaign).filter(section=section)]
        assert order == [*[False] * 4, True, *last]
    sections.assign(campaign, campaign.tasks.filter(solution=solutions[0]), "second")
    assert Job.objects.filter(verb=ARRANGE).count() == 1
    reorder(campaign)
    assert [task.solution_id for task in waiting(campaign).filter(section="second")][4] == solutions[-1].pk


def test_a_new_order_writes_only_the_tasks_whose_turn_changes() -> None:
    campaign, solutions = mixed_campaign([(False, k / 20) for k in range(20)] + [(True, 0.5)] * 2)
    for solution in solutions:
        make_task(campaign, solution)
    assert reorder(campaign) == 22
    campaign.tasks.filter(solution=solutions[19]).update(state="done")
    # The two right answers come after four others each.
    assert reorder(campaign) == 2


def test_known_answers_take_no_place_in_the_mixture_and_what_comes_later_stands_where_it_is_convincing() -> (
    None
):
    believed = [(False, 0.8)] * 8 + [(True, 0.7)] * 2 + [(True, 0.95)] * 3 + [(False, 0.7)]
    campaign, solutions = mixed_campaign(believed)
    for solution in solutions[:10]:
        make_task(campaign, solution)
    for solution in solutions[10:13]:
        make_task(campaign, solution, kind="gold", gold=[None])
    reorder(campaign)
    order = [task.solution.is_correct for task in waiting(campaign)]
    assert order == [*[False] * 4, True, *[False] * 4, True]
    task = make_task(campaign, solutions[13])
    place_new(campaign, task.pk - 1)
    assert top_of_queue(campaign, 11)[-2:] == [task.pk, campaign.tasks.get(solution=solutions[9]).pk]


def test_a_step_without_a_score_on_the_way_leaves_a_solution_unscored() -> None:
    task = scored(Ordering.UNCERTAINTY, [0.8])
    task.solution.step_rows.filter(position=1).update(is_chosen=True)
    reorder(task.campaign)
    task.refresh_from_db()
    assert (task.priority, task.priority_reason) == (-1.0, "unscored")


@pytest.mark.parametrize(
    ("first_mistake", "is_known", "reason"),
    [
        # A right rollout in twenty counts as luck, so the run names the step that the PRM names.
        (1, True, "score_gap gap=0.20 step=1"),
        (None, True, "mistake_for_prm_only prm=2"),
        (None, False, "score_gap gap=0.20 step=1"),
    ],
)
def test_disagreement_goes_by_what_the_run_itself_says_of_the_first_mistake(
    first_mistake: int | None, is_known: bool, reason: str
) -> None:
    task = scored(Ordering.DISAGREEMENT, [0.9, 0.1, 0.1])
    run = make_estimates(task.solution, [0.7, 0.05, 0.0], first_mistake=first_mistake, visits=20)
    run.solution_estimates.update(is_known=is_known)
    Campaign.objects.update(estimate_run=run)
    reorder(task.campaign)
    task.refresh_from_db()
    assert task.priority_reason == reason


def test_a_solution_that_the_run_never_estimated_is_no_disagreement() -> None:
    task = scored(Ordering.DISAGREEMENT, [0.9, 0.1, 0.1])
    run = make_estimates(make_solution(["a"]), [0.0], first_mistake=0)
    Campaign.objects.update(estimate_run=run)
    reorder(task.campaign)
    task.refresh_from_db()
    assert task.priority == 0.0
