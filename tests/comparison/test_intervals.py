"""How an estimate is drawn: its share of the range, and an interval only where rollouts are independent draws."""

from __future__ import annotations

import pytest

from labelsite.comparison.opinions import Opinions, opinions_on
from labelsite.problems.models import Step
from tests.factories import make_campaign, make_estimate_run, make_estimates, make_solution, make_task

pytestmark = pytest.mark.django_db


def seen_by(method: str, final_answer: str | None = "4") -> Opinions:
    solution = make_solution(["One.", "Two.", "Three."])
    type(solution).objects.filter(pk=solution.pk).update(final_answer=final_answer)
    solution.refresh_from_db()
    run = make_estimates(solution, [0.75, 0.5, 1.0], make_estimate_run(method=method))
    return opinions_on(make_task(make_campaign(), solution), run, None)


def shown(opinions: Opinions) -> list[tuple[bool, bool]]:
    """(has an interval, is settled) of each step."""
    return [
        (one.estimate.interval is not None, one.estimate.is_settled) for one in opinions.steps if one.estimate
    ]


@pytest.mark.parametrize("method", ["math-shepherd", "omegaprm"])
def test_rollouts_of_a_step_have_an_interval_and_a_finished_end_needs_none(method) -> None:
    assert shown(seen_by(method)) == [(True, False), (True, False), (False, True)]
    assert shown(seen_by(method, final_answer=None)) == [(True, False)] * 3


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_the_distinct_ends_of_a_tree_have_none(method) -> None:
    assert shown(seen_by(method)) == [(False, False), (False, False), (False, True)]


@pytest.mark.parametrize(
    ("method", "bars"), [("math-shepherd", [0.75, 0.5, 1.0]), ("rstar", [0.875, 0.75, 1.0])]
)
def test_a_q_fills_its_share_of_the_methods_range(method, bars) -> None:
    """As on the annotator's second look: rStar's begins at -1."""
    assert [one.estimate.bar for one in seen_by(method).steps if one.estimate] == bars


def test_from_a_step_that_does_not_run_on_nothing_was_sampled() -> None:
    opinions = seen_by("math-shepherd", final_answer=None)
    run = opinions.steps[0].estimate.row.run
    Step.objects.filter(pk=opinions.steps[1].step.pk).update(verdict="program_error")
    assert shown(opinions_on(opinions.task, run, None)) == [(True, False), (False, True), (False, True)]
