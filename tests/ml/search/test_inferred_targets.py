"""ReST-MCTS*'s targets on any tree: the boundedness theorem, and an independent reading of the definition."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.records import Problem
from ml.search.rest_mcts import infer_targets
from ml.search.tree import CORRECT, INVALID, WRONG, Node, Tree


@st.composite
def trees(draw) -> Tree:
    """Any shape; leaves end rightly, wrongly, without an answer, are cut off, or do not end at all."""
    tree = Tree(Problem("p", "A problem.", "1"))
    for _ in range(draw(st.integers(1, 25))):
        tree.add(tree.nodes[draw(st.integers(0, len(tree.nodes) - 1))], "a step")
    for node in tree.nodes[1:]:
        if not node.children:
            node.terminal = draw(st.sampled_from([CORRECT, WRONG, INVALID, None]))
            node.finished = node.terminal in (CORRECT, WRONG) or (
                node.terminal == INVALID and draw(st.booleans())
            )
    infer_targets(tree)
    return tree


def steps_to_a_right_end(tree: Tree, node: Node) -> int | None:
    ends = [tree.path(end) for end in tree.nodes if end.terminal == CORRECT]
    return min((len(path) - 1 - path.index(node) for path in ends if node in path), default=None)


def has_wrong_end(tree: Tree, node: Node) -> bool:
    wrong = (end for end in tree.nodes if end.finished and end.terminal != CORRECT)
    return any(node in tree.path(end) for end in wrong)


def value_by_definition(tree: Tree, node: Node) -> Fraction | None:
    """v_k = max(v_(k-1) + (1 - v_(k-1)) (1 - 2 r_k) / (m_k + 1), 0), read off the paths of the tree."""
    if node.parent is None:
        return Fraction(0)
    before = value_by_definition(tree, tree.nodes[node.parent])
    missing, sign = steps_to_a_right_end(tree, node), 1
    if missing is None and has_wrong_end(tree, node):
        above = [steps_to_a_right_end(tree, step) for step in reversed(tree.path(node))]
        missing, sign = next((m for m in above if m is not None), None), -1
    if missing is None or before is None:
        return None
    return max(before + (1 - before) * Fraction(sign, missing + 1), Fraction(0))


@given(trees())
def test_values_are_bounded_and_no_reward_exceeds_what_is_missing(tree):
    for node in tree.nodes[1:]:
        if node.quality_value is None:
            continue
        before = tree.nodes[node.parent].quality_value
        assert 0.0 <= node.quality_value <= 1.0
        assert node.quality_value - before <= 1.0 - before + 1e-12
        assert (node.quality_value == pytest.approx(1.0)) == (node.terminal == CORRECT)


@given(trees())
def test_every_node_has_the_value_that_the_definition_gives_it(tree):
    for node in tree.nodes:
        expected = value_by_definition(tree, node)
        assert node.quality_value == (expected if expected is None else pytest.approx(float(expected)))
