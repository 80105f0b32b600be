"""What a policy is asked twice of one problem is drawn once; what is to be another look is another draw."""

from dataclasses import replace

import pytest

from ml.execution import sandbox
from ml.search import consensus, math_shepherd, omegaprm_given, rest_mcts
from ml.search.omegaprm import OmegaPrm
from ml.search.walk import Walk
from tests.ml.search.toy import ChainPolicy, chain_problem, prose_solution

PROBLEM = chain_problem(3, 4, 5, 6)
WRONG = [(7, 12, 19), (7, 13, 19), (8, 13, 19)]


class Asked(ChainPolicy):
    """Remembers with which seed it was asked what of which prefix."""

    def __init__(self, error=0.3):
        super().__init__(error)
        self.steps, self.completions = set(), set()

    def next_steps(self, prefixes, count, temperature, seed):
        self.steps |= {(prefix.steps, seed) for prefix in prefixes}
        return super().next_steps(prefixes, count, temperature, seed)

    def complete(self, prefixes, count, temperature, seed):
        self.completions |= {(prefix.steps, seed) for prefix in prefixes}
        return super().complete(prefixes, count, temperature, seed)


def solutions(with_own_ids):
    """Three solutions of one problem; their problem has one id, or the id of each solution, as in `records`."""
    for number, totals in enumerate(WRONG):
        problem = replace(PROBLEM, id=f"s{number}") if with_own_ids else PROBLEM
        yield prose_solution(problem, totals, totals[-1], f"s{number}")


def shepherd(solution):
    return math_shepherd.estimate(solution, math_shepherd.MathShepherd(rollouts=4), 0)


def against_the_majority(solution):
    def probes(given):
        return omegaprm_given.estimate(given, OmegaPrm(rollouts=4), 0)

    return consensus.estimate_by_consensus(solution, probes, 16, 0, "prose")


@pytest.mark.parametrize("method", [shepherd, against_the_majority])
def test_solutions_of_one_problem_share_their_draws_whatever_ids_their_file_gives_it(method):
    found = []
    for with_own_ids in (False, True):
        walk = Walk(Asked(), sandbox())
        searches = [(one.id, method(one)) for one in solutions(with_own_ids)]
        estimates = {done.key: done.result for done in walk.drive(searches)}
        found.append((estimates, walk.cost.tokens, walk.cost.model_calls))
    assert found[0] == found[1]


def test_the_completions_that_value_a_node_of_rest_mcts_are_not_its_candidates():
    policy = Asked()
    list(Walk(policy, sandbox()).drive([("p", rest_mcts.search(PROBLEM, rest_mcts.RestMcts(rollouts=8), 0))]))
    both = {steps for steps, _ in policy.steps} & {steps for steps, _ in policy.completions}
    assert both and not policy.steps & policy.completions


class Knows:
    """A value model that takes every path for equally good."""

    name = "knows"

    def values(self, prefixes):
        return [0.5 for _ in prefixes]


@pytest.mark.parametrize(
    "search",
    [
        lambda seed: rest_mcts.search(PROBLEM, rest_mcts.RestMcts(rollouts=8, use_value_model=True), seed),
        lambda seed: math_shepherd.search(PROBLEM, math_shepherd.MathShepherd(rollouts=4), seed),
    ],
    ids=["look-ahead", "math-shepherd"],
)
def test_the_next_seed_is_another_look_at_every_prefix(search):
    asked = []
    for seed in (0, 1):
        policy = Asked()
        list(Walk(policy, sandbox(), Knows()).drive([("p", search(seed))]))
        asked.append({seed for _, seed in policy.steps | policy.completions})
    assert len(asked[0]) == 2 and not asked[0] & asked[1]
