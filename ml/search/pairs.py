"""Preference pairs from a searched tree: what rStar-Math's process preference model learns from.

The paper's rules (arXiv 2501.04519, section 3.3), and where it is silent its public code's; the comments below name
them by number:
  1  Right and wrong ends are counted at and under each node.
  2  At each node up to two children that led to a right end, by highest Q, stand against up to two that led to a wrong
     one, by lowest Q.
  3  Where one side has a single member, up to four are taken from the other (the code; `fill`).
  4  Of a pair the better child has the higher Q, and its best completion the higher mean Q than the other's worst.
  5  Below, the same in every child with both outcomes, or in the most visited of them (the code; `descend`).
  6  Pairs that are close, in Q or in letters, are dropped (the code; `least_margin`, `least_edit_distance`).
  7  For the final step whole right trajectories are paired with whole wrong ones, by mean Q.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ml.edit_distance import is_far
from ml.records import Problem
from ml.search.named_options import Amount, Fresh, Whole
from ml.search.trajectory import mean_q
from ml.search.tree import CORRECT, WRONG, Node, Tree

PER_SIDE = 2
FILLED_SIDE = 4


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two continuations after the same prefix. margin: difference of their Q (of mean Q for trajectories).

    positives, negatives: how many of each the prefix gave, for the weight 1 / (positives * negatives).
    """

    prefix: tuple[str, ...]
    chosen: tuple[str, ...]
    rejected: tuple[str, ...]
    margin: float
    positives: int
    negatives: int

    def as_json(self, problem: Problem) -> dict[str, Any]:
        """One line of `pairs.jsonl`: the public code's record, with the margin, so that filters can come later."""
        return {
            "id": problem.id,
            "prompt": "\n".join((problem.text, *self.prefix)),
            "pos": "\n".join(self.chosen),
            "neg": "\n".join(self.rejected),
            "margin": self.margin,
            "pos_count": self.positives,
            "neg_count": self.negatives,
        }


@dataclass(frozen=True, slots=True)
class PairRules:
    """The public code's variants; the paper's rules are the defaults.

    fill: with one member on a side, take up to four from the other (3). descend: "all" children with both
    outcomes, or "vis_count", only the most visited (5). final: the last steps are compared as whole "trajectories" (7),
    or as "siblings" where they hang off one node, like all others. least_margin, least_edit_distance: drop closer pairs
    (6; the code: 0.5 and 20).
    """

    fill: Fresh[bool] = False
    descend: Fresh[Literal["all", "vis_count"]] = "all"
    final: Fresh[Literal["trajectories", "siblings"]] = "trajectories"
    least_margin: Fresh[Amount] = 0.0
    least_edit_distance: Fresh[Whole] = 0


def preference_pairs(tree: Tree, rules: PairRules | None = None) -> list[PreferencePair]:
    """Every pair of a tree: siblings first, top-down, then whole trajectories."""
    rules = rules or PairRules()
    counts = _count_ends(tree)
    pairs = list(_below(tree, tree.root, counts, rules))
    if rules.final == "trajectories":
        pairs += _trajectories(tree)
    return [pair for pair in pairs if _is_far_enough(pair, rules)]


def _count_ends(tree: Tree) -> list[tuple[int, int]]:
    """(right, wrong) ends at or under each node (1); an end without an answer is neither."""
    counts = [(0, 0)] * len(tree.nodes)
    for node in reversed(tree.nodes):
        right, wrong = int(_is_end(node, CORRECT)), int(_is_end(node, WRONG))
        for child in node.children:
            right, wrong = right + counts[child][0], wrong + counts[child][1]
        counts[node.id] = (right, wrong)
    return counts


def _is_end(node: Node, kind: str) -> bool:
    """A graded end that was backed up with a pure reward: unvisited ends have no Q to order them by."""
    return node.terminal == kind and node.visits > 0 and node.final_answer is not None


def _q(node: Node) -> float:
    assert node.q_value is not None, "only nodes that something came back through are compared"
    return node.q_value


def _below(
    tree: Tree, node: Node, counts: list[tuple[int, int]], rules: PairRules
) -> Iterator[PreferencePair]:
    children = tree.children(node)
    # A step without evidence (OmegaPRM probes few) is neither good nor bad, wherever its end led.
    # An end at once (a node without text) is no step that one could prefer.
    known = [child for child in children if child.q_value is not None and child.text]
    positives = sorted((c for c in known if counts[c.id][0]), key=lambda c: (-_q(c), c.id))
    negatives = sorted((c for c in known if counts[c.id][1]), key=lambda c: (_q(c), c.id))
    tops = positives[: FILLED_SIDE if rules.fill and len(negatives) == 1 else PER_SIDE]  # 2, 3
    bottoms = negatives[: FILLED_SIDE if rules.fill and len(positives) == 1 else PER_SIDE]
    kept = [
        (top, bottom)
        for top in tops
        for bottom in bottoms
        if not (rules.final == "trajectories" and top.terminal and bottom.terminal)
        and _q(top) > _q(bottom)
        and _greedy_mean(tree, top, counts, CORRECT) > _greedy_mean(tree, bottom, counts, WRONG)  # 4
    ]
    sides = len({top.id for top, _ in kept}), len({bottom.id for _, bottom in kept})
    prefix = tree.steps(node)
    for top, bottom in kept:
        yield PreferencePair(prefix, (top.text,), (bottom.text,), _q(top) - _q(bottom), *sides)
    mixed = [child for child in children if counts[child.id][0] and counts[child.id][1]]
    if rules.descend == "vis_count" and mixed:
        mixed = [max(mixed, key=lambda child: (child.visits, -child.id))]
    for child in mixed:  # 5
        yield from _below(tree, child, counts, rules)


def _greedy_mean(tree: Tree, node: Node, counts: list[tuple[int, int]], kind: str) -> float:
    """Mean Q of the greedy completion: always the child with the highest Q that has a right end, or with the lowest
    that has a wrong one; one without evidence last.
    """
    side, sign = (0, 1) if kind == CORRECT else (1, -1)
    while not _is_end(node, kind):
        ahead = (child for child in tree.children(node) if counts[child.id][side])
        node = max(ahead, key=lambda c: (c.q_value is not None, sign * (c.q_value or 0.0), -c.id))
    return mean_q(tree, node)


def _trajectories(tree: Tree) -> Iterator[PreferencePair]:
    """The final step (7): the right trajectories with the highest mean Q against the wrong with the
    lowest.
    """
    right = sorted((n for n in tree.nodes if _is_end(n, CORRECT)), key=lambda n: (-mean_q(tree, n), n.id))
    wrong = sorted((n for n in tree.nodes if _is_end(n, WRONG)), key=lambda n: (mean_q(tree, n), n.id))
    kept = [
        (top, bottom)
        for top in right[:PER_SIDE]
        for bottom in wrong[:PER_SIDE]
        if mean_q(tree, top) > mean_q(tree, bottom)
    ]
    sides = len({top.id for top, _ in kept}), len({bottom.id for _, bottom in kept})
    for top, bottom in kept:
        margin = mean_q(tree, top) - mean_q(tree, bottom)
        yield PreferencePair(tree.given, _texts(tree, top), _texts(tree, bottom), margin, *sides)


def _texts(tree: Tree, end: Node) -> tuple[str, ...]:
    return tree.steps(end)[len(tree.given) :]


def _is_far_enough(pair: PreferencePair, rules: PairRules) -> bool:
    if pair.margin < rules.least_margin:
        return False
    if not rules.least_edit_distance:
        return True
    return is_far("\n".join(pair.chosen), "\n".join(pair.rejected), rules.least_edit_distance)
