"""An end is no inner step, a step without evidence is neither good nor bad, and no path grows too long."""

from __future__ import annotations

import pytest

from ml.execution import sandbox
from ml.policies.protocol import Continuation, Prefix
from ml.records import Problem
from ml.search import rest_mcts
from ml.search.expansion import expand
from ml.search.math_shepherd import grade_completions
from ml.search.pairs import preference_pairs
from ml.search.trajectory import best_trajectory, mean_q
from ml.search.tree import CORRECT, INVALID, WRONG, Node, Tree
from ml.search.walk import Walk
from tests.ml.search.scripted import ScriptedPolicy, grow
from tests.ml.search.toy import ChainPolicy, chain_problem, run

FAILS = "Divide.\n```python\nprint(1 / 0)\n```"
OK, NO = "The answer is 1.", "The answer is 2."


def script(method, completions, **options):
    """Completions by path; what no path is given for ends wrongly."""
    problem = Problem("toy", "A toy problem.", "1")
    return {
        "method": method,
        "problem": problem,
        "completions": Otherwise(completions),
        "options": options,
        "values": {},
    }


class Otherwise(dict):
    def __missing__(self, path):
        return [[NO]] * 8


def named(tree: Tree, path: str) -> list[Node]:
    return [node for node in tree.nodes if "/".join(tree.steps(node)) == path]


def test_omegaprm_keeps_an_end_and_the_step_that_others_go_on_from_apart(monkeypatch):
    completions = {
        "": [["a", "b", "c", NO], ["a", "b"], [OK], [OK]],
        "a": [["b", OK], ["b", OK], [NO], [NO]],
        "a/b": [[OK], [OK], [OK], [NO]],
    }
    tree, policy = grow(script("omegaprm", completions, rollouts=4, searches=6), monkeypatch)
    inner, end = sorted(named(tree, "a/b"), key=lambda node: node.finished)
    assert (inner.graded, inner.correct, inner.terminal) == (4, 3, None)
    assert (end.graded, end.correct, end.terminal, end.children) == (1, 0, WRONG, [])
    assert "a/b" in policy.asked


def test_omegaprm_searches_equal_rollouts_once_and_those_that_lost_their_way_never(monkeypatch):
    completions = {"": [["a", "b", NO], ["a", "b", NO], ["x"] * 4 + [NO], ["y"] * 4 + [OK]]}
    tree, policy = grow(script("omegaprm", completions, rollouts=4, searches=6), monkeypatch)
    assert policy.asked == ["", "a/b", "a"]
    assert {node.text for node in tree.nodes[1:]} == {"a", "b", NO}
    # All four are evidence of the question all the same.
    assert (tree.root.graded, tree.root.correct) == (4, 1)
    short = {"": [["a", NO], ["b", OK]]}
    tree, policy = grow(script("omegaprm", short, rollouts=2, most_steps=1), monkeypatch)
    assert policy.asked == [""] and len(tree.nodes) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_math_shepherd_grades_an_end_whose_words_another_solution_goes_on_from(order, monkeypatch):
    sampled = [["a", OK, "more"], ["a", OK]]
    completions = {"": [sampled[index] for index in order]}
    tree, _ = grow(script("math-shepherd", completions, rollouts=2, candidates=2), monkeypatch)
    assert sorted(str(node.terminal) for node in named(tree, f"a/{OK}")) == ["None", CORRECT]


def branch(tree: Tree, text: str, end: str, visits: int, correct: int) -> Node:
    """A first step with this evidence, and the end below it."""
    first = tree.add(tree.root, text)
    first.visits = first.graded = visits
    first.correct, first.value_sum = correct, float(correct)
    last = tree.add(first, OK if end == CORRECT else NO, finished=True)
    last.terminal, last.final_answer, last.visits = end, "1" if end == CORRECT else "2", 1
    last.graded, last.correct, last.value_sum = 1, int(end == CORRECT), float(end == CORRECT)
    return last


def test_a_step_that_nothing_came_back_through_is_in_no_pair():
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    branch(tree, "known", CORRECT, visits=4, correct=3)
    branch(tree, "never probed", WRONG, visits=0, correct=0)
    assert [
        pair for pair in preference_pairs(tree) if ("never probed",) in (pair.chosen, pair.rejected)
    ] == []


def test_the_mean_of_a_trajectory_leaves_out_steps_without_evidence():
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    assert mean_q(tree, branch(tree, "never probed", CORRECT, visits=0, correct=0)) == 1.0
    assert mean_q(tree, branch(tree, "known", CORRECT, visits=4, correct=2)) == 0.75


@pytest.mark.parametrize(("threshold", "luck", "first"), [(0.0, 0.0, None), (0.5, 0.0, 0), (0.0, 0.1, None)])
def test_a_trajectory_s_first_mistake_goes_by_the_run_s_threshold(threshold, luck, first):
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    branch(tree, "one of sixteen", CORRECT, visits=16, correct=1)
    assert best_trajectory(tree, threshold, luck)["first_mistake"] == first


def test_a_trajectory_s_lucky_step_is_mistaken_too():
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    end = branch(tree, "sure", CORRECT, visits=16, correct=16)
    lucky = tree.nodes[1]
    second = tree.add(lucky, "one of sixteen")
    second.visits = second.graded = 16
    second.correct, second.value_sum = 1, 1.0
    lucky.children.remove(end.id)
    end.parent, end.depth = second.id, 3
    second.children.append(end.id)
    assert best_trajectory(tree, 0.0, 0.1)["first_mistake"] == 1
    assert best_trajectory(tree, 0.0, 0.0)["first_mistake"] is None


def test_a_trajectory_states_no_first_mistake_behind_a_step_that_nothing_is_known_of():
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    branch(tree, "never probed", WRONG, visits=0, correct=0)
    found = best_trajectory(tree)
    assert [step["visits"] for step in found["steps"]] == [0, 1] and not found["is_correct"]
    assert found["first_mistake"] is None


def test_mcts_star_expands_nothing_at_its_greatest_depth():
    problem = chain_problem(*range(1, 9))
    tree = run(rest_mcts.search(problem, rest_mcts.RestMcts(rollouts=20, depth=2), 0), ChainPolicy(0.2))
    assert max(node.depth for node in tree.nodes) == 2
    assert not any(node.expanded for node in tree.nodes if node.terminal is not None)


@pytest.mark.parametrize("first", range(1, 13))
def test_mcts_star_knows_of_every_right_end_at_each_step_above_it(first):
    problem = chain_problem(*range(first, first + 6))
    tree = run(rest_mcts.search(problem, rest_mcts.RestMcts(rollouts=16), 0), ChainPolicy(0.45))
    for path in (tree.path(end) for end in tree.nodes if end.terminal == CORRECT):
        assert all(step.correct for step in path)
        assert all(step.nearest <= ahead for ahead, step in enumerate(reversed(path)))
    line = best_trajectory(tree)
    assert not line["is_correct"] or line["first_mistake"] is None


ENDS = [Continuation(("a",), False, 1), Continuation(("a",), True, 1), Continuation((), True, 1)]


class Ending(ScriptedPolicy):
    """Proposes a step that goes on, the same words as an end, and an end at once."""

    def next_steps(self, prefixes, count, temperature, seed):
        return [ENDS[:count] for _ in prefixes]


def grown(steps: tuple[str, ...], **options) -> list[Node]:
    tree = Tree(Problem("toy", "A toy problem.", "1"), given=steps)
    walk = Walk(Ending({}), sandbox())

    def recipe():
        return (yield from expand(tree, tree.root, 3, 1.0, 0, options.pop("depth", 9), **options))

    return next(iter(walk.drive([("only", recipe())]))).result


def test_equal_words_that_end_and_that_go_on_are_two_candidates():
    found = [(node.text, node.finished) for node in grown(("before",))]
    assert found == [("a", False), ("a", True), ("", True)]
    assert [(node.text, node.finished) for node in grown(("before",), finished="first")] == [("a", True)]


def test_an_end_before_the_first_step_is_no_candidate():
    assert [(node.text, node.finished) for node in grown(())] == [("a", False), ("a", True)]


def test_an_end_at_once_is_no_step_further():
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    step = tree.add(tree.root, OK)
    end = tree.add(step, "", finished=True)
    end.terminal = CORRECT
    rest_mcts.infer_targets(tree)
    assert tree.steps(end) == (OK,) and tree.distance(end) == 1
    assert (step.quality_value, end.quality_value) == (1.0, 1.0)


def test_an_end_without_an_answer_is_a_wrong_one_and_a_path_that_was_cut_off_is_pruned():
    tree = Tree(Problem("toy", "A toy problem.", "1"))
    step = tree.add(tree.root, "a")
    right, silent, cut_off = (tree.add(step, text, finished=text != "c") for text in (OK, "b", "c"))
    right.terminal, silent.terminal, cut_off.terminal = CORRECT, INVALID, INVALID
    rest_mcts.infer_targets(tree)
    assert [node.quality_value for node in (step, right, silent, cut_off)] == [0.5, 1.0, 0.25, None]


def test_a_failing_step_that_is_kept_still_counts_towards_the_depth():
    tree, _ = grow(
        {
            "method": "rstar",
            "problem": Problem("toy", "A toy problem.", "1"),
            "options": {"rollouts": 1, "candidates": 1, "depth": 2, "errors_threshold": 5},
            "next": Otherwise({}) | {"": [FAILS], FAILS: [FAILS], f"{FAILS}/{FAILS}": [FAILS]},
            "values": {},
        },
        pytest.MonkeyPatch(),
    )
    assert max(node.depth for node in tree.nodes) == 2


def test_a_completion_that_was_cut_off_does_not_borrow_the_verdict_of_an_equal_one_that_ended():
    prefix = Prefix(Problem("toy", "A toy problem.", "1"), ("before",))
    ends = [Continuation((OK,), True, 1), Continuation((OK,), False, 1)]
    walk = Walk(Ending({}), sandbox())
    (graded,) = next(iter(walk.drive([("only", grade_completions([prefix], [ends]))]))).result
    assert [verdict.is_correct for _, verdict in graded] == [True, False]
