"""Test-time methods: votes and aggregations by hand, and that each method pays off and pays honestly."""

import re
from collections import Counter
from dataclasses import replace

import pytest

from ml.aggregation import AGGREGATIONS, product
from ml.evaluation.best_of_n import aggregate
from ml.execution import sandbox
from ml.policies.protocol import Continuation
from ml.search import beam, best_of_n, several_trees
from ml.search.completing import best_open
from ml.search.cost import Cost
from ml.search.metered import metered
from ml.search.solving import METHODS
from ml.search.tree import Tree
from ml.search.voting import Candidate, best_candidate, score_of, vote
from ml.search.walk import Walk
from tests.ml.search.toy import ChainPolicy, chain_problem

PROBLEMS = [chain_problem(*[(5 * i + 3 * j) % 9 + 1 for j in range(6)], name=f"p{i}") for i in range(20)]


class TrueValues:
    """A reward model that knows: 1 while every claimed total is right, else `low`."""

    name = "true"

    def __init__(self, low=0.0):
        self.low = low
        self.asked = 0

    def values(self, prefixes):
        self.asked += len(prefixes)
        return [1.0 if self._is_right(prefix) else self.low for prefix in prefixes]

    def _is_right(self, prefix):
        numbers = [int(part) for part in prefix.problem.text.split(" + ")]
        claims = [int(found[1]) for step in prefix.steps if (found := re.search(r"gives (-?\d+)", step))]
        return claims == [sum(numbers[: k + 2]) for k in range(len(claims))]


def answers(make, error=0.12, values=None):
    """Which share of the problems is answered rightly, and the walk with its cost."""
    walk = Walk(ChainPolicy(error), sandbox(), values or TrueValues())
    right = 0
    for done in walk.drive((p.id, make(p)) for p in PROBLEMS):
        problem = next(p for p in PROBLEMS if p.id == done.key)
        right += done.result.answer == problem.answer
    return right / len(PROBLEMS), walk


def test_aggregations_by_hand():
    one = Candidate(("a", "b"), "1", (0.5, 0.8))
    assert score_of(one, "product") == pytest.approx(0.4)
    assert score_of(one, "minimum") == 0.5
    assert score_of(one, "mean") == pytest.approx(0.65)
    assert score_of(one, "last") == 0.8
    assert score_of(one, "maximum") == 0.8
    assert product([1e-300, 1e-300]) == pytest.approx(1e-24)


def test_search_chooses_among_two_solutions_as_evaluation_does_by_every_aggregation():
    steady, rising = (0.6, 0.6, 0.6), (0.5, 0.9, 0.7)
    for how in AGGREGATIONS:
        searched = best_candidate([Candidate((), "1", steady), Candidate((), "2", rising)], how).answer
        evaluated = max(("1", steady), ("2", rising), key=lambda pair: aggregate(pair[1], how))[0]
        assert searched == evaluated == ("1" if how == "minimum" else "2")


def test_a_vote_groups_equal_answers_and_weights_can_turn_it():
    candidates = [
        Candidate((), "0.5", (0.1,)),
        Candidate((), "7", (0.9,)),
        Candidate((), "1/2", (0.1,)),
        Candidate((), None, (1.0,)),
    ]
    assert vote(candidates).answer == "0.5"
    assert vote(candidates, weighted=True).answer == "7"
    assert best_candidate(candidates).answer == "7"
    assert vote([]).answer is None and best_candidate([]).answer is None


def test_a_weighted_vote_counts_no_score_below_nothing_and_no_product_too_small_for_a_float():
    # Summed as they are, -0.1 - 0.1 + 0.15 < 0.02: an answer would lose by being given often.
    often = [Candidate((), "3", (score,)) for score in (-0.1, -0.1, 0.15)]
    assert vote([Candidate((), "7", (0.02,)), *often], weighted=True).answer == "3"
    # 1e-360 and 1e-348 are both 0 as floats, and their ratio is not.
    poor, better = Candidate((), "7", (1e-12,) * 30), Candidate((), "3", (1e-12,) * 29)
    assert vote([poor, better], "product", weighted=True).answer == "3"
    assert vote([Candidate((), "7"), Candidate((), "3"), Candidate((), "3")], "product", True).answer == "3"


def test_every_method_beats_a_single_sample():
    alone, _ = answers(lambda p: best_of_n.search(p, best_of_n.BestOfN(n=1), 0))
    methods = {
        "best of n": lambda p: best_of_n.search(p, best_of_n.BestOfN(n=16, aggregation="minimum"), 0),
        "self-consistency": lambda p: best_of_n.search(p, best_of_n.BestOfN(n=16, choice="vote"), 0),
        "weighted": lambda p: best_of_n.search(p, best_of_n.BestOfN(n=16, choice="weighted"), 0),
        "beam": lambda p: beam.search(p, beam.Beam(beams=8, width=4), 0),
        "dvts": lambda p: beam.search(p, beam.Beam(beams=8, width=4, diverse=True), 0),
        "tree of thought": lambda p: beam.tree_of_thought(p, beam.TreeOfThought(candidates=4), 0),
        "rstar": lambda p: several_trees.rstar_trajectories(
            p, several_trees.RStarTrees(rollouts=6, candidates=3), 2, 0
        ),
        "mcts*": lambda p: several_trees.mcts_star_trajectories(
            p, several_trees.MctsStarTrees(rollouts=40), 2, 0
        ),
    }
    for name, make in methods.items():
        share, walk = answers(make)
        assert share > alone, name
        assert walk.cost.tokens > 0, name
    assert alone < 0.75


SMALL_TREES = {
    "mcts*": lambda p: several_trees.mcts_star_trajectories(p, several_trees.MctsStarTrees(rollouts=2), 1, 0),
    "two trees of mcts*": lambda p: several_trees.mcts_star_trajectories(
        p, several_trees.MctsStarTrees(rollouts=1), 2, 0
    ),
    "rstar": lambda p: several_trees.rstar_trajectories(
        p, several_trees.RStarTrees(rollouts=2, depth=3), 1, 0
    ),
}


@pytest.mark.parametrize("name", SMALL_TREES)
def test_trees_too_small_to_meet_an_end_answer_by_completing_their_best_open_node(name):
    # Nothing but a slip in what the policy completes is in the way of the right answer.
    assert answers(SMALL_TREES[name])[0] > 0.4


def test_the_completion_of_an_open_node_is_counted_in_what_the_search_costs():
    problem, cost = PROBLEMS[0], Cost()
    search = several_trees.mcts_star_trajectories(problem, several_trees.MctsStarTrees(rollouts=1), 1, 0)
    walk = Walk(ChainPolicy(), sandbox(), TrueValues())
    texts = Counter()
    chosen = next(iter(walk.drive([("only", metered(search, cost, texts))]))).result
    (candidate,) = chosen.candidates
    assert chosen.answer == problem.answer and len(candidate.step_scores) == 1
    # The first step three times, one step more to look ahead, and what completes it.
    assert texts["completions"] == 1 and cost.tokens == walk.cost.tokens
    assert cost.tokens > sum(len(step.split()) for step in candidate.steps)


class Silent(ChainPolicy):
    """Ends every text before its first step."""

    def _continue(self, prefix, seed, index, steps):
        return Continuation((), True, 1)


@pytest.mark.parametrize("name", SMALL_TREES)
def test_a_policy_that_has_nothing_to_say_leaves_the_problem_without_an_answer(name):
    search = SMALL_TREES[name](PROBLEMS[0])
    chosen = next(iter(Walk(Silent(), sandbox(), TrueValues()).drive([("only", search)]))).result
    assert (chosen.answer, chosen.candidates) == (None, ())


def test_the_best_open_node_is_the_end_of_the_most_visited_path():
    tree = Tree(PROBLEMS[0], style="prose", by_value=True)
    often, rarely = (tree.add(tree.root, text) for text in ("often", "rarely"))
    below, better, wrong = (tree.add(often, text) for text in ("below", "better", "wrong"))
    tree.root.expanded = often.expanded = True
    often.visits, often.value, rarely.visits, rarely.value = 5, 0.4, 1, 0.9
    below.value, better.value, wrong.value = 0.3, 0.5, 0.7
    wrong.pruned = "does not run"
    assert best_open([tree]).steps == ("often", "better")
    # What is only too deep may be completed, and neither an end without an answer nor what does not run.
    better.terminal = below.terminal = "invalid"
    assert best_open([tree]).steps == ("often", "better")
    better.finished, below.verdict = True, "program_error"
    assert best_open([tree]).steps == ("rarely",)
    rarely.terminal = "correct"
    assert best_open([tree]).steps == ()


def test_self_consistency_never_asks_the_reward_model():
    values = TrueValues()
    answers(lambda p: best_of_n.search(p, best_of_n.BestOfN(n=4, choice="vote"), 0), values=values)
    assert values.asked == 0


def test_no_method_looks_at_the_reference_answer():
    """The same problems with false references get the same answers."""
    lied = [replace(problem, answer="-1") for problem in PROBLEMS[:6]]
    makes = [
        lambda p: best_of_n.search(p, best_of_n.BestOfN(n=4), 0),
        lambda p: beam.search(p, beam.Beam(beams=4, width=2), 0),
        lambda p: several_trees.rstar_trajectories(
            p, several_trees.RStarTrees(rollouts=4, candidates=3), 2, 0
        ),
        lambda p: several_trees.mcts_star_trajectories(p, several_trees.MctsStarTrees(rollouts=20), 1, 0),
    ]
    for make in makes:
        found = []
        for problems in (PROBLEMS[:6], lied):
            walk = Walk(ChainPolicy(0.25), sandbox(), TrueValues(low=0.2))
            found.append({d.key: d.result.answer for d in walk.drive((p.id, make(p)) for p in problems)})
        assert found[0] == found[1]


def test_diverse_subtrees_start_from_different_draws():
    _, walk = answers(lambda p: beam.search(p, beam.Beam(beams=4, width=2, diverse=True), 0))
    _, plain = answers(lambda p: beam.search(p, beam.Beam(beams=4, width=2), 0))
    # The same draws would be written once for both subtrees, and cost half.
    assert walk.cost.tokens > 0.75 * plain.cost.tokens


def test_only_the_best_trees_vote():
    trees = [Candidate((), answer, (value,)) for answer, value in [("7", 0.9), ("8", 0.5), ("8", 0.45)]]
    assert several_trees.vote_of_the_best(trees, top=1) == "7"
    assert several_trees.vote_of_the_best(trees, top=3) == "8"
    # A preference model's values lie between -1 and 1: the better of two doubted answers still wins.
    doubted = [Candidate((), "7", (-0.2,)), Candidate((), "8", (-0.9,))]
    assert several_trees.vote_of_the_best(doubted, top=2) == "7"
    assert several_trees.vote_of_the_best([], top=4) is None


@pytest.mark.parametrize("name", ["mcts-star", "rstar"])
def test_so_many_trees_vote_as_a_caller_says(name, monkeypatch):
    asked, judged = [], several_trees.vote_of_the_best

    def noted(candidates, top):
        asked.append(top)
        return judged(candidates, top)

    monkeypatch.setattr(several_trees, "vote_of_the_best", noted)
    method = METHODS[name]
    for chosen in ({}, {"voters": 2}):
        options = method.sized(3, {"rollouts": 20, "candidates": 3, **chosen})
        search = method.search(PROBLEMS[0], options, 3, 0, "prose")
        next(iter(Walk(ChainPolicy(), sandbox(), TrueValues()).drive([("only", search)])))
    assert asked == [4, 2]
