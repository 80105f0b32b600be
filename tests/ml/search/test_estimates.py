"""Estimates of given solutions: what each method says of a solution whose truth is known."""

import pytest

from ml.execution import Execution, Verdict
from ml.policies.protocol import Continuation
from ml.search import math_shepherd, omegaprm, rest_mcts, rstar
from ml.search.estimates import Evidence, mistakes
from ml.search.intervals import lower_bound, rollouts_to_refute, upper_bound
from ml.search.recipes import RECIPES
from tests.ml.search.toy import ChainPolicy, chain_problem, prose_solution, run, solution_of

PROBLEM = chain_problem(3, 4, 5, 6)
WRONG_AT_ONE = prose_solution(PROBLEM, [7, 13, 19], 19)
RIGHT = prose_solution(PROBLEM, [7, 12, 18], 18)


# More steps than the usual depth of a tree has.
LONG = chain_problem(*range(1, 21))
LONG_AND_RIGHT = prose_solution(LONG, [sum(range(1, n + 1)) for n in range(2, 21)], 210)


class HastyPolicy(ChainPolicy):
    """Gives up on one step of twenty, with a wrong answer."""

    def _step(self, prefix, before, generator):
        if generator.random() < 0.05:
            return "The answer is 7.", True
        return super()._step(prefix, before, generator)


def code(*lines):
    return [f"Do it.\n```python\n{line}\n```" for line in lines]


def estimate(method, solution, policy, **options):
    recipe = RECIPES[method]
    return run(recipe.estimate(solution, recipe.with_options(options), 0), policy)


@pytest.mark.parametrize("method", RECIPES)
def test_every_method_finds_the_first_mistake_with_a_faultless_policy(method):
    assert estimate(method, WRONG_AT_ONE, ChainPolicy(0.0)).first_mistake == 1
    assert estimate(method, RIGHT, ChainPolicy(0.0)).first_mistake is None


@pytest.mark.parametrize("method", RECIPES)
def test_every_method_finds_the_first_mistake_with_a_careless_policy(method):
    assert estimate(method, WRONG_AT_ONE, ChainPolicy(0.2), rollouts=32).first_mistake == 1


@pytest.mark.parametrize("method", RECIPES)
def test_a_slip_in_the_last_step_is_found_there(method):
    slip = prose_solution(PROBLEM, [7, 12, 18], 17)
    assert estimate(method, slip, ChainPolicy(0.1)).first_mistake == 3


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_a_right_solution_of_more_steps_than_a_tree_is_deep_has_no_mistake(method):
    faultless = estimate(method, LONG_AND_RIGHT, ChainPolicy(0.0))
    assert faultless.first_mistake is None
    assert all(step.hard == 1 for step in faultless.steps)
    assert estimate(method, LONG_AND_RIGHT, HastyPolicy(), rollouts=16).first_mistake is None


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_what_follows_a_long_prefix_may_have_as_many_steps_as_a_fresh_solution(method):
    # The rest of a problem of seven numbers, behind eighteen steps that add nothing.
    prefix = [f"Let me look at number {n}." for n in range(18)]
    found = estimate(method, solution_of(chain_problem(*range(1, 8)), prefix), ChainPolicy(0.0), depth=8)
    assert all(step.hard == 1 for step in found.steps)


def test_hard_and_soft_estimates_count_the_rollouts_of_each_prefix():
    found = estimate("math-shepherd", WRONG_AT_ONE, ChainPolicy(0.2), rollouts=64)
    assert [step.visits for step in found.steps] == [64] * 4
    assert [step.hard for step in found.steps] == [1, 0, 0, 0]
    # Two more additions, each right with probability 0.8.
    assert found.steps[0].soft == pytest.approx(0.64, abs=0.15)
    assert found.steps[0].q_value == found.steps[0].soft == found.steps[0].correct / 64


def test_quality_values_of_a_right_solution_grow_to_one():
    found = estimate("math-shepherd", RIGHT, ChainPolicy(0.0))
    assert [step.quality_value for step in found.steps] == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_a_threshold_calls_unlikely_prefixes_mistaken():
    found = estimate("math-shepherd", RIGHT, ChainPolicy(0.5), rollouts=64, threshold=0.4)
    assert found.first_mistake == 0


def test_rstar_rewards_lie_between_minus_one_and_one():
    found = estimate("rstar", WRONG_AT_ONE, ChainPolicy(0.2))
    assert found.steps[1].q_value == -1.0
    assert -1.0 < found.steps[0].q_value <= 1.0


def test_stopping_at_the_first_mistake_leaves_the_rest_without_estimates():
    found = estimate("math-shepherd", WRONG_AT_ONE, ChainPolicy(0.2), stop_at_first_mistake=True)
    assert found.first_mistake == 1
    assert [step.visits for step in found.steps] == [8, 8, 0, 0]


class LuckyPolicy(ChainPolicy):
    """Is right behind one step, and once behind more."""

    def complete(self, prefixes, count, temperature, seed):
        return [
            [self._end(len(prefix.steps) == 1 or not draw) for draw in range(count)] for prefix in prefixes
        ]

    def _end(self, is_right):
        return Continuation((f"The answer is {PROBLEM.answer if is_right else 7}.",), True, 1)


def test_a_mistake_that_one_lucky_rollout_survives_is_stopped_at_too():
    def found(luck):
        options = {"rollouts": 16, "stop_at_first_mistake": True, "luck": luck}
        return estimate("math-shepherd", WRONG_AT_ONE, LuckyPolicy(), **options)

    assert (found(0.1).first_mistake, [step.visits for step in found(0.1).steps]) == (1, [16, 16, 0, 0])
    assert [step.visits for step in found(0.0).steps] == [16] * 4


def test_a_step_that_does_not_run_has_no_right_rollouts():
    solution = solution_of(PROBLEM, code("x = 3", "x = x + y", "print(x)"))
    found = estimate("math-shepherd", solution, ChainPolicy(0.0))
    assert found.first_mistake == 1
    assert [(step.visits, step.correct) for step in found.steps] == [(8, 8), (8, 0), (8, 0)]


@pytest.mark.parametrize("method", RECIPES)
def test_rollouts_that_the_sandbox_failed_on_are_no_evidence(method):
    class Broken:
        level = "broken"

        def execute(self, codes, keep_states=True):
            return Execution(Verdict.INFRASTRUCTURE, "", self.level, 0, "no worker")

    recipe = RECIPES[method]
    options = recipe.with_options({"rollouts": 4, "style": "code"})
    found = run(recipe.estimate(WRONG_AT_ONE, options, 0), ChainPolicy(0.0), Broken())
    # Only the prose end, which needs no sandbox, is judged.
    assert [step.visits for step in found.steps[:-1]] == [0, 0, 0]
    assert [step.hard for step in found.steps[:-1]] == [None, None, None]
    assert found.steps[-1].hard == 0


def test_an_infrastructure_verdict_never_becomes_an_estimate():
    class Broken:
        level = "broken"

        def execute(self, codes, keep_states=True):
            return Execution(Verdict.INFRASTRUCTURE, "", self.level, 0, "no worker")

    solution = solution_of(PROBLEM, code("x = 3", "print(x)"))
    recipe = RECIPES["math-shepherd"]
    found = run(recipe.estimate(solution, recipe.with_options({}), 0), ChainPolicy(0.0), Broken())
    assert found.first_mistake is None
    assert all(step.visits == 0 and step.hard is None and step.q_value is None for step in found.steps)


def test_prose_can_be_continued_in_code():
    opening = ["Take 3.\n```python\nx = 3\n```", *code("x = x + 4")]
    found = estimate("math-shepherd", solution_of(PROBLEM, opening), ChainPolicy(0.0), style="code")
    assert [step.soft for step in found.steps] == [1.0, 1.0]


def test_binary_search_asks_for_far_fewer_tokens_than_every_prefix():
    problem = chain_problem(*range(1, 14))
    totals = [sum(range(1, n + 2)) + (n >= 7) for n in range(1, 13)]
    solution = prose_solution(problem, totals, totals[-1])
    brute, binary = ChainPolicy(0.05), ChainPolicy(0.05)
    assert estimate("math-shepherd", solution, brute).first_mistake == 6
    assert estimate("omegaprm", solution, binary).first_mistake == 6
    assert sum(binary.batches) <= 12 and sum(brute.batches) == 12


def test_unprobed_steps_have_only_the_hard_label_that_monotony_gives_them():
    found = estimate("omegaprm", WRONG_AT_ONE, ChainPolicy(0.0))
    assert [step.hard for step in found.steps] == [1, 0, 0, 0]
    assert found.steps[2].visits == 0 and found.steps[2].q_value is None


def test_verifying_gives_the_found_step_the_full_number_of_rollouts():
    found = estimate("omegaprm", WRONG_AT_ONE, ChainPolicy(0.2), verify=True, rollouts=40)
    assert found.first_mistake == 1
    assert found.steps[1].visits == 40


def test_the_bounds_are_those_of_the_binomial_distribution():
    assert upper_bound(0, 11) == pytest.approx(1 - 0.05 ** (1 / 11), abs=1e-6)
    assert lower_bound(11, 11) == pytest.approx(0.05 ** (1 / 11), abs=1e-6)
    assert upper_bound(5, 5) == 1.0 and lower_bound(0, 5) == 0.0
    # Clopper-Pearson for 3 of 10, one-sided 95 %: (0.0873, 0.6066), from the beta distribution.
    assert (lower_bound(3, 10), upper_bound(3, 10)) == (
        pytest.approx(0.08726, abs=1e-4),
        pytest.approx(0.60662, abs=1e-4),
    )
    assert rollouts_to_refute(0.25) == 11


@pytest.mark.parametrize("module", [math_shepherd, omegaprm])
def test_fresh_problems_are_searched_too(module):
    options = {math_shepherd: math_shepherd.MathShepherd, omegaprm: omegaprm.OmegaPrm}[module]()
    tree = run(module.search(PROBLEM, options, 0), ChainPolicy(0.3))
    assert {end.terminal for end in tree.terminals()} == {"correct", "wrong"}
    assert tree.root.visits == 8


@pytest.mark.parametrize("module", [rstar, rest_mcts])
def test_a_searched_tree_never_selects_what_does_not_run(module):
    class Breaking(ChainPolicy):
        def _code_step(self, numbers, before, slip):
            text, done = super()._code_step(numbers, before, 0)
            return (text.replace("x = x", "x = missing") if slip else text), done

    options = (rstar.RStar if module is rstar else rest_mcts.RestMcts)(rollouts=8, candidates=6)
    tree = run(module.search(PROBLEM, options, 0, style="code"), Breaking(0.4))
    broken = [node for node in tree.nodes if node.pruned]
    assert broken and all("does not run: NameError" in node.pruned for node in broken)
    assert all(node.visits == 0 and not node.children for node in broken)
    assert any(end.terminal == "correct" for end in tree.terminals())


def evidence(*counts, visits=16):
    return [Evidence(visits, correct, float(correct)) for correct in counts]


def test_one_lucky_rollout_after_a_mistake_does_not_move_the_first_mistake():
    assert mistakes(evidence(13, 1, 0), 0.0, luck=0.1) == [False, True, True]
    assert mistakes(evidence(13, 1, 0), 0.0, luck=0.0) == [False, False, True]
    # Where hardly any rollout was right before, one right rollout is all that can be asked.
    assert mistakes(evidence(2, 1, 1), 0.0, luck=0.1) == [False, False, False]
    assert mistakes([Evidence(), *evidence(5)], 0.0, luck=0.1) == [None, False]
