"""Candidates that are no draws of the policy: counted, and asked for again where nothing else came."""

from __future__ import annotations

import pytest

from ml.execution import sandbox
from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search import rest_mcts, rstar
from ml.search.probing import ASKED_AGAIN
from ml.search.walk import Walk

PROBLEM = Problem("p", "What is 2 + 3?", "5")
LOST = Continuation((), False, 1, lost=True)
END = Continuation(("The answer is 5.",), True, 5)


class Loses:
    """Its first `tries` answers are lost, and of every other one candidate is."""

    name = "losing"

    def __init__(self, tries: int) -> None:
        self.tries = tries
        self.seeds: list[int] = []

    def next_steps(self, prefixes, count, temperature, seed):
        self.seeds.append(seed)
        rest = LOST if len(self.seeds) <= self.tries else END
        return [[LOST, *[rest] * (count - 1)] for _ in prefixes]

    def complete(self, prefixes, count, temperature, seed):
        return [[END] * count for _ in prefixes]


def tree_of(method: str, policy: Loses):
    if method == "rstar":
        search = rstar.search(PROBLEM, rstar.RStar(rollouts=2, candidates=3), 0)
    else:
        search = rest_mcts.search(PROBLEM, rest_mcts.RestMcts(rollouts=2, candidates=3), 0)
    return next(iter(Walk(policy, sandbox()).drive([("only", search)]))).result


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
@pytest.mark.parametrize("tries", [0, 1, ASKED_AGAIN])
def test_a_node_all_of_whose_candidates_were_lost_asks_again_with_other_seeds(method, tries):
    policy = Loses(tries)
    tree = tree_of(method, policy)
    assert [node.terminal for node in tree.nodes[1:]] == ["correct"]
    assert tree.root.lost == 3 * tries + 1 and tree.nodes[1].drawn == 2
    assert policy.seeds[0] == 0 and len(set(policy.seeds)) == len(policy.seeds) == tries + 1


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_a_node_whose_candidates_are_always_lost_is_given_up_and_tells_how_many(method):
    policy = Loses(100)
    tree = tree_of(method, policy)
    assert len(tree.nodes) == 1 and tree.root.lost == 3 * (1 + ASKED_AGAIN) == 3 * len(policy.seeds)
    assert tree.as_json()["nodes"][0]["lost"] == tree.root.lost


class Silent(Loses):
    def next_steps(self, prefixes, count, temperature, seed):
        self.seeds.append(seed)
        return [[Continuation((), False, 1)] * count for _ in prefixes]


@pytest.mark.parametrize("method", ["rstar", "rest-mcts"])
def test_a_policy_that_says_nothing_has_lost_nothing_and_is_asked_once(method):
    policy = Silent(0)
    assert tree_of(method, policy).root.lost == 0 and len(policy.seeds) == 1
