"""By which rule OmegaPRM calls a step of a given solution mistaken: the paper's MC > 0, and the more careful ones."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from ml.bounds import SHARE
from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.estimates import Evidence
from ml.search.named_options import options_of
from ml.search.omegaprm import OmegaPrm
from ml.search.omegaprm_given import _is_settled, _next_draw
from ml.search.recipes import RECIPES
from tests.ml.search.toy import ChainPolicy, chain_problem, prose_solution, run, solution_of

RIGHT, WRONG = "The answer is 1.", "The answer is 2."
EITHER_WAY = pytest.mark.parametrize("adaptive", [True, False])


class Counted:
    """Ends at once. `right`: by the number of steps before, which of its rollouts from there are right."""

    name = "counted"

    def __init__(self, right):
        self.right, self.asked = right, Counter()

    def complete(self, prefixes, count, temperature, seed):
        return [[self._end(len(prefix.steps)) for _ in range(count)] for prefix in prefixes]

    def _end(self, before):
        number = self.asked[before]
        self.asked[before] += 1
        return Continuation((RIGHT if number in self.right.get(before, ()) else WRONG,), True, 4)


def estimate(steps, right, **options):
    recipe = RECIPES["omegaprm"]
    given = solution_of(Problem("toy", "A toy problem.", "1"), [*steps, WRONG])
    return run(recipe.estimate(given, recipe.with_options({"rollouts": 16, **options}), 0), Counted(right))


@EITHER_WAY
@pytest.mark.parametrize(("right", "first"), [({1: [7]}, 1), ({}, 0), ({1: [7], 2: [3]}, 2)])
def test_the_first_mistake_is_the_first_step_from_which_no_rollout_is_right(right, first, adaptive):
    found = estimate("ab", right, adaptive=adaptive)
    assert found.first_mistake == first
    assert [step.hard for step in found.steps] == [1] * first + [0] * (3 - first)


@EITHER_WAY
def test_by_the_more_careful_rule_one_right_rollout_proves_nothing_and_is_counted_all_the_same(adaptive):
    found = estimate("ab", {1: [7]}, adaptive=adaptive, needed_right=2)
    assert (found.first_mistake, found.steps[0].correct, found.steps[0].hard) == (0, 1, 1)
    assert estimate("ab", {1: [4, 7]}, adaptive=adaptive, needed_right=2).first_mistake == 1


@EITHER_WAY
def test_luck_decides_where_the_search_goes_on_with_all_rollouts_that_it_may_ask_for(adaptive):
    # From the first four steps every rollout is right, from the fifth none, from the sixth one: worked by hand, the
    # probes are the fourth, the sixth, and then the fifth where one of 16 is luck, the seventh where it is not.
    right = {**dict.fromkeys(range(1, 5), range(16)), 6: [7]}
    found = estimate("abcdefg", right, adaptive=adaptive, luck=0.1)
    assert (found.first_mistake, found.steps[5].visits, found.steps[6].visits) == (4, 16, 0)
    found = estimate("abcdefg", right, adaptive=adaptive)
    assert (found.first_mistake, found.steps[4].visits) == (6, 0)
    assert [step.hard for step in found.steps] == [1] * 6 + [0] * 2


def test_sampling_stops_at_the_first_right_rollout():
    found = estimate("ab", {1: range(16), 2: [3]})
    # Two at first, then half of what is missing to 11 failures, the fourth of which is right.
    assert [step.visits for step in found.steps[:2]] == [0, 7]


@pytest.mark.parametrize("hopeless", [0.0, 1e-320, 1e-17])
def test_a_step_that_is_never_given_up_has_all_its_rollouts(hopeless):
    found = estimate("ab", {}, hopeless=hopeless)
    assert (found.first_mistake, found.steps[0].visits) == (0, 16)
    assert estimate("ab", {1: [7]}, hopeless=hopeless).steps[0].correct == 1


def test_a_step_that_is_never_given_up_is_sampled_only_until_a_rollout_is_right():
    assert estimate("ab", {1: [7]}, hopeless=0.0).steps[0].visits == 8


def test_a_step_that_is_given_up_at_once_has_only_its_first_rollouts():
    assert [step.visits for step in estimate("ab", {}, hopeless=1.0).steps[:2]] == [2, 2]


@pytest.mark.parametrize("value", [0.0, 1e-320, 1e-17, 1.0])
@pytest.mark.parametrize(
    ("method", "name"),
    [
        (method, option.name)
        for method, recipe in RECIPES.items()
        for option in options_of(recipe.options).values()
        if SHARE in option.kinds
    ],
)
def test_every_share_may_be_as_small_or_as_large_as_its_bounds_allow(method, name, value):
    recipe = RECIPES[method]
    options = recipe.with_options({"rollouts": 4, name: value})
    problem = chain_problem(3, 4, 5, 6)
    mistaken = prose_solution(problem, [7, 13, 19], 19)
    assert run(recipe.estimate(mistaken, options, 0), ChainPolicy(0.1)).first_mistake == 1
    assert run(recipe.search(problem, options, 0, "prose"), ChainPolicy(0.1)).root.visits


def given_up(rate, options, visits=0, correct=0):
    """The exact chance that sampling from a step with this success rate is stopped as hopeless below it."""
    evidence = Evidence(visits, correct)
    if visits >= options.rollouts:
        return 0.0
    if _is_settled(evidence, rate, options):
        return float(correct < options.needed_right)
    count = min(options.rollouts - visits, _next_draw(evidence, rate, options))
    return sum(
        math.comb(count, hits)
        * rate**hits
        * (1 - rate) ** (count - hits)
        * given_up(rate, options, visits + count, correct + hits)
        for hits in range(count + 1)
        if correct + hits < options.needed_right
    )


@pytest.mark.parametrize("needed", [1, 3])
def test_however_often_one_looks_a_step_is_given_up_wrongly_no_more_often_than_the_confidence_says(needed):
    assert 0.02 < given_up(0.35, OmegaPrm(rollouts=32, needed_right=needed, confidence=0.95)) <= 0.05
