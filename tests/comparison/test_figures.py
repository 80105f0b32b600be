"""The agreements of a small campaign are those that were worked out by hand."""

from __future__ import annotations

import pytest

from labelsite.comparison.against import EVERYBODY
from labelsite.comparison.overview import Overview, overview
from tests.factories import (
    make_annotation,
    make_campaign,
    make_estimate_run,
    make_estimates,
    make_solution,
    make_task,
    make_user,
)

pytestmark = pytest.mark.django_db
# Q of the three steps of each solution, and the first mistakes that the run, ann and bob name in it. 0.53 and 0.47 come
# of the same share of right rollouts, which is exactly the threshold, and so not above it.
SOLUTIONS = [
    ([0.9375, 0.53, 0.0], 1, 1, 2),
    ([0.9375, 0.75, 0.47], 2, 2, 2),
    ([0.75, 0.75, 0.75], None, None, 0),
    ([0.25, 0.53, 0.0], 0, None, None),
    ([0.9375, 0.53, 0.25], 1, 0, 1),
]


@pytest.fixture
def found() -> Overview:
    people = [make_user(username=name) for name in ("ann", "bob")]
    run = make_estimate_run(parameters={"threshold": 0.5})
    campaign = make_campaign(members=people, estimate_run=run, overlap=2)
    for q_values, machine, *said in SOLUTIONS:
        task = make_task(campaign, make_solution(["a step"] * 3))
        make_estimates(task.solution, q_values, run, machine)
        for person, first in zip(people, said, strict=True):
            make_annotation(task, person, [1, 1, 1] if first is None else [1] * first + [-1])
    return overview(campaign, run, EVERYBODY, has_gold=False)


def test_a_runs_steps_are_right_where_their_share_lies_above_its_own_threshold(found) -> None:
    """Of 24 rated steps both call 10 right and 5 wrong, people alone 7 right, and the run alone 2.

    They agree on 15, and would by chance on (17 · 12 + 7 · 12) / 24 = 12.
    """
    assert found.steps is not None and found.steps.count == 24
    assert found.steps.kappa == pytest.approx((15 - 12) / (24 - 12))


def test_the_area_under_the_curve_is_that_of_q_and_not_of_the_share_of_right_rollouts(found) -> None:
    """Of 17 · 7 pairs of a right and a wrong step, Q puts the right one higher in 66 and leaves 18 open.

    For each wrong step, the right ones above it and beside it: twice 10 + 3 at 0.53, 15 + 2 at 0, twice 13 + 0 at
    0.47, 5 + 5 at 0.75 and 0 + 5 at 0.9375.
    """
    higher, beside = 2 * 10 + 15 + 2 * 13 + 5, 2 * 3 + 2 + 5 + 5
    assert found.steps is not None
    assert found.steps.auc == pytest.approx((higher + beside / 2) / (17 * 7))


def test_first_mistakes_of_people_and_the_run_agree_beyond_chance_as_counted_by_hand(found) -> None:
    """Half of ten looks agree, where 24 in 100 would by chance: people name the first, second and third step and none
    2, 2, 3 and 3 times, the run 2, 4, 2 and 2 times.
    """
    assert found.agreement is not None
    assert found.agreement.exact == 0.5
    assert found.agreement.kappa == pytest.approx((0.5 - 0.24) / (1 - 0.24))


def test_the_grid_of_first_mistakes_has_people_down_and_the_run_across(found) -> None:
    grid = next(chart for chart in found.charts if chart.title == "Where the first mistake is")
    assert grid.columns == ["people ↓ · Math-Shepherd →", "1", "2", "3", "none"]
    assert grid.rows == [("1", 0, 1, 0, 1), ("2", 0, 2, 0, 0), ("3", 0, 1, 2, 0), ("none", 2, 0, 0, 1)]


def test_two_people_agree_beyond_chance_as_counted_by_hand(found) -> None:
    """Their looks differ at three of five solutions: 6 of the 10 coincidences, of which 74 / 9 would by chance.

    Ann names the first, second and third step and none 1, 1, 1 and 2 times, bob 1, 1, 2 and 1 times.
    """
    assert found.between.alpha == pytest.approx(1 - 6 / (74 / 9))
    (pair,) = found.between.pairs
    assert (pair.common, pair.exact) == (5, 0.4)
    chance = (1 + 1 + 2 + 2) / 25
    assert pair.kappa == pytest.approx((0.4 - chance) / (1 - chance))
