"""A search tree as a MATH-APS tree: everything that has a value is in it, and it reads back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ml.formats import math_aps
from ml.formats.lines import Unreadable
from ml.policies.protocol import Prefix
from ml.search import omegaprm, rest_mcts
from ml.search.tree import CORRECT, Tree
from tests.ml.search.toy import ChainPolicy, chain_problem, run

PROBLEM = chain_problem(*range(1, 10))


def search(error: float, **options: Any) -> Tree:
    return run(omegaprm.search(PROBLEM, omegaprm.OmegaPrm(**options), 0), ChainPolicy(error))


def values(written: dict[str, Any]) -> list[tuple[tuple[str, ...], float | None]]:
    """Each node's path in steps, which blank lines part, and its value."""
    found, waiting = [], [(written["reasoning_steps"], ())]
    while waiting:
        node, path = waiting.pop()
        found.append((path, node["mc_value"]))
        waiting += [(child, path + tuple(child["text"].split("\n\n"))) for child in node["children"]]
    return sorted(found)


def read_back(written: dict[str, Any]) -> list[tuple[tuple[str, ...], list[float | None]]]:
    parsed = list(math_aps.parse(json.loads(json.dumps(written)), 1))
    return [(found.solution.steps, found.solution.extra["soft"]) for found in parsed]


def test_every_probe_of_an_omegaprm_tree_is_in_its_export_with_its_value():
    tree = search(0.1)
    seen = [node for node in tree.nodes if node.graded]
    unseen = [node for node in tree.nodes if not node.graded]
    assert len(seen) > 10 and any(tree.nodes[child].graded for node in unseen for child in node.children)
    written = math_aps.write_record(tree.as_json())
    assert values(written) == sorted((tree.steps(node), node.correct / node.graded) for node in seen)
    # Every end can be read again, word for word.
    steps = {"\n\n".join(path) for path, _ in read_back(written)}
    assert {"\n\n".join(tree.steps(end)) for end in tree.terminals()} <= steps


def test_the_right_path_of_a_problem_that_is_always_solved_is_in_the_export():
    tree = search(0.0)
    (end,) = tree.terminals()
    assert end.terminal == CORRECT
    ((steps, soft),) = read_back(math_aps.write_record(tree.as_json()))
    assert steps == tree.steps(end)
    assert soft == [*[None] * (len(steps) - 1), 1.0]


@pytest.mark.parametrize("by_model", [False, True])
def test_the_values_of_an_mcts_star_tree_are_shares_of_what_was_graded_and_no_guesses(by_model):
    options = rest_mcts.RestMcts(rollouts=6, use_value_model=by_model)
    tree = run(
        rest_mcts.search(chain_problem(1, 2, 3, 4), options, 0), ChainPolicy(0.3), value_model=HalfSure()
    )
    seen = [node for node in tree.nodes if node.graded]
    # Without a model each new step is rolled out from, and the search comes back to few of them.
    assert by_model or any(not node.visits for node in seen)
    found = values(math_aps.write_record(tree.as_json()))
    assert found == sorted((tree.steps(node), node.correct / node.graded) for node in seen)


class HalfSure:
    """A value model that says the same of every prefix."""

    name = "half"

    def values(self, prefixes: Sequence[Prefix]) -> list[float]:
        return [0.4321 for _ in prefixes]


def test_steps_that_nothing_was_graded_through_stand_in_front_of_each_graded_step_below_them():
    tree = Tree(PROBLEM)
    a = tree.add(tree.root, "a")
    b, c = tree.add(a, "b"), tree.add(a, "c")
    d = tree.add(c, "d")
    tree.add(tree.add(d, "e"), "f")
    for node, value in ((b, 1.0), (d, 0.0)):
        node.graded, node.correct = 1, int(value)
    written = math_aps.write_record(tree.as_json())
    root = {"text": PROBLEM.text, "mc_value": None, "children": [
        {"text": "a\n\nb", "mc_value": 1.0, "children": []},
        {"text": "a\n\nc\n\nd", "mc_value": 0.0, "children": []},
    ]}  # fmt: skip
    assert written["reasoning_steps"] == root
    assert read_back(written) == [(("a", "b"), [None, 1.0]), (("a", "c", "d"), [None, None, 0.0])]


def test_an_end_at_once_adds_no_node_to_the_export():
    tree = Tree(PROBLEM)
    step = tree.add(tree.root, "a")
    tree.backup(tree.add(step, "", finished=True), 1.0, correct=True)
    assert read_back(math_aps.write_record(tree.as_json())) == [(("a",), [1.0])]


@pytest.mark.parametrize("value", ["n/a", [0.5], 7, -0.5, True])
def test_a_root_s_value_that_is_no_share_is_refused(value):
    root = {"text": "q", "mc_value": value, "children": [{"text": "a", "mc_value": 1.0}]}
    with pytest.raises(Unreadable, match="mc_value"):
        list(math_aps.parse({"question": "q", "reasoning_steps": root}, 1))


@pytest.mark.parametrize("root", [{"text": "q"}, {"text": "q", "mc_value": None}])
def test_a_root_may_have_no_value(root):
    leaf = {"text": "a", "mc_value": 1.0}
    (found,) = math_aps.parse({"question": "q", "reasoning_steps": root | {"children": [leaf]}}, 1)
    assert found.solution.extra["soft"] == [1.0]
