"""rStar-Math's search over steps (arXiv 2501.04519): UCT, steps kept only if their code runs, terminal-guided
Q.

One rollout walks from the root to an end, expanding what it meets on the way; the end's reward (+1 or -1) is
added to every node on the path. The paper's rule is the default; each variant of the public code is a named
option.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

from ml.records import Problem, Solution, SolutionEstimate
from ml.search.estimates import LUCK, Evidence, conclude, depth_for, examine, search_from_each
from ml.search.expansion import expand
from ml.search.named_options import Amount, BelowOne, ByModel, Count, Style, With
from ml.search.requests import Search, Value
from ml.search.selection import best, uct
from ml.search.tree import CORRECT, INVALID, Node, Tree
from ml.seeds import generator_of


@dataclass(frozen=True, slots=True)
class RStar:
    """The paper's sizes for its 7B rounds are 16 rollouts, 8 candidates, depth 16.

    unvisited: "infinite" or "zero" (the code). grade_all_terminals: grade every finished candidate when it is
    made, so that one rollout may back up several (the code's sampling mode). finished_candidates: "all", or
    "first": where a candidate ended the solution, the first such one is kept alone (the code).
    errors_threshold: None drops a candidate that does not run (the paper); n keeps it, and ends the path at n
    failing steps in a row (the code). use_preference_model: q^0 of a new node is the preference model's value and
    counts as one visit (rounds 3-4). ends_by_model: an end's reward is the preference model's value of it, and not
    the reference's word (test time). threshold: a step is mistaken when the share of right ends through it is not
    above it.
    """

    rollouts: Count = 16
    candidates: Count = 8
    depth: Count = 16
    c: Amount = 2.0
    temperature: Amount = 0.8
    unvisited: Literal["infinite", "zero"] = "infinite"
    grade_all_terminals: bool = False
    finished_candidates: Literal["all", "first"] = "all"
    errors_threshold: Count | None = None
    use_preference_model: ByModel[bool] = False
    ends_by_model: Annotated[bool, With("use_preference_model")] = False
    threshold: BelowOne = 0.0
    luck: BelowOne = LUCK
    style: Style = None


def search(
    problem: Problem, options: RStar, seed: int, style: str = "prose", given: tuple[str, ...] = ()
) -> Search[Tree]:
    """Search a problem, or what may follow the `given` steps. The tree ends early when nothing is left to
    select.
    """
    tree = Tree(problem, given, style, "rstar")
    generator = generator_of(seed, problem.id, len(given), *given)
    for _ in range(options.rollouts):
        yield from _rollout(tree, options, seed, generator)
        if tree.root.exhausted:
            break
    return tree


def estimate(solution: Solution, options: RStar, seed: int) -> Search[SolutionEstimate]:
    """Estimate a given solution: one search rooted at each of its prefixes, read at its root.

    A root's Q is the mean reward of the rollouts that start there, so no step's estimate depends on how often
    a search from an earlier step happened to choose it.
    """
    given = yield from examine(solution, options.style)
    deep = replace(options, depth=depth_for(solution, options.depth))
    grow = partial(search, solution.problem, deep, seed, given.style)
    yield from search_from_each(given, grow, root_evidence)
    return conclude(given, options.rollouts, options.threshold, -1.0, options.luck)


def root_evidence(tree: Tree) -> Evidence:
    """What the rollouts from a tree's root showed."""
    ends = list(tree.terminals())
    evidence = Evidence(
        visits=sum(end.visits for end in ends),
        correct=sum(end.correct for end in ends),
        distance=min((tree.distance(end) for end in ends if end.terminal == CORRECT), default=None),
    )
    evidence.value_sum = float(2 * evidence.correct - evidence.visits)
    return evidence


def _rollout(tree: Tree, options: RStar, seed: int, generator: random.Random) -> Search[None]:
    """Walk from the root to an end; grade it and back it up."""
    node = tree.root
    while node.terminal is None:
        if not node.expanded:
            yield from _expand(tree, node, options, seed)
        child = _select(tree, node, options, generator)
        if child is None:
            _exhaust(tree, node)
            return
        node = child
    if not options.grade_all_terminals:
        yield from _back_up_end(tree, node, options)


def _select(tree: Tree, node: Node, options: RStar, generator: random.Random) -> Node | None:
    """The child with the highest UCT among those that may still be selected."""
    children = [child for child in tree.children(node) if child.pruned is None and not child.exhausted]
    if not children:
        return None
    scores = uct(
        [child.q_value for child in children],
        [child.visits for child in children],
        node.visits,
        options.c,
        options.unvisited,
    )
    return children[best(scores, generator, [child.drawn for child in children])]


def _back_up_end(tree: Tree, node: Node, options: RStar) -> Search[None]:
    """Back up a graded end; an invalid one is -1 on itself only.

    An end is never selected twice (as in the code).
    """
    if node.terminal == INVALID:
        node.visits, node.value_sum = node.visits + 1, node.value_sum - 1.0
    else:
        is_correct = node.terminal == CORRECT
        reward = 1.0 if is_correct else -1.0
        if options.ends_by_model:
            reward = (yield [Value(tree.prefix(node))])[0]
        tree.backup(node, reward, is_correct)
    _exhaust(tree, node)


def _exhaust(tree: Tree, node: Node) -> None:
    """Nothing is left below `node`; so it may be for what stands above."""
    for step in reversed(tree.path(node)):
        if step is not node and any(
            not child.exhausted and child.pruned is None for child in tree.children(step)
        ):
            return
        step.exhausted = True


def _expand(tree: Tree, node: Node, options: RStar, seed: int) -> Search[None]:
    """Grow a node, and give its children their first value."""
    children = yield from expand(
        tree,
        node,
        options.candidates,
        options.temperature,
        seed,
        options.depth,
        options.finished_candidates,
        options.errors_threshold,
    )
    if options.use_preference_model:
        yield from _initial_values(tree, children)
    if options.grade_all_terminals:
        for child in children:
            if child.terminal is not None and child.pruned is None:
                yield from _back_up_end(tree, child, options)


def _initial_values(tree: Tree, children: list[Node]) -> Search[None]:
    """q^0 = PPM(x, s_1 ... s_i), one visit; graded ends are still graded against the reference (rounds
    3-4).
    """
    open_children = [child for child in children if child.pruned is None and child.terminal is None]
    values = yield [Value(tree.prefix(child)) for child in open_children]
    for child, value in zip(open_children, values, strict=True):
        child.prior = value
        child.visits, child.value_sum = child.visits + 1, child.value_sum + value
