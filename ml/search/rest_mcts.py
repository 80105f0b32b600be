"""ReST-MCTS*: search guided by a value of partial solutions, and the values inferred from its tree
(2406.03816).

Search (`search`): select by V + c sqrt(2 ln N / n), expand, look ahead greedily from the best child, back up
the visit-weighted mean. Inference (`infer_targets`): from the ended branches of the tree, how far each step
is from a right answer (m_k), whether it is wrong (r_k), and so its quality value v_k. Written from the paper;
where the public code has other constants for its own evaluation, those are the defaults.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Literal

from ml.policies.protocol import Continuation
from ml.quality_value import next_value
from ml.records import Problem, Solution, SolutionEstimate
from ml.search.estimates import LUCK, Evidence, conclude, depth_for, examine, search_from_each
from ml.search.expansion import expand
from ml.search.math_shepherd import roll_out
from ml.search.named_options import (
    Amount,
    BelowOne,
    By,
    ByModel,
    Count,
    Kind,
    Number,
    Share,
    Style,
    Whole,
    With,
)
from ml.search.requests import NextSteps, Search, Value, gather
from ml.search.selection import best, mcts_star
from ml.search.self_critic import ASK, PHRASE, ends_here
from ml.search.tree import CORRECT, INVALID, WRONG, Node, Tree
from ml.seeds import generator_of, seed_of

Guided = Annotated[Kind, With("use_value_model")]


@dataclass(frozen=True, slots=True)
class RestMcts:
    """rollouts: iterations. candidates: proposals at a node. end_gate: how good an end must be for
    `stop_at_answer` (the code looks past no node this good: a value model's V is that high at ends only, a
    classifier's long before).

    use_value_model: V of a new node is the value model's. Without one, V is the share of right ends among
    `value_rollouts` completions from it (an ended node: 1 or 0), and the greedy look-ahead, which would ask
    the same question again, is left out. look_ahead, look_ahead_candidates, look_ahead_weight: the greedy
    rollout's length, samples a step, and a in V <- (1 - a) V + a V_max. stop_at_answer: end the search at the
    first ended node with V >= end_gate (test time); for labels the whole budget is spent.

    self_critic: what says that a solution ends where the policy itself marks no end. "phrase": a step that states an
    answer. "ask": the policy, asked before a node is expanded, and about each node at the depth limit.
    """

    rollouts: Count = 100
    candidates: Count = 3
    depth: Count = 16
    c: Amount = 0.4
    unvisited_bonus: Amount = 0.8
    end_gate: Annotated[Number, With("stop_at_answer")] = 0.9
    temperature: Amount = 0.7
    use_value_model: ByModel[bool] = False
    value_rollouts: Annotated[Count, With("use_value_model", False)] = 4
    look_ahead: Guided[Whole] = 2
    look_ahead_candidates: Guided[Count] = 1
    look_ahead_weight: Guided[Share] = 0.5
    self_critic: Annotated[Literal["phrase", "ask"], By("--self-critic")] = PHRASE
    stop_at_answer: bool = False
    threshold: BelowOne = 0.0
    luck: BelowOne = LUCK
    style: Style = None


def search(
    problem: Problem, options: RestMcts, seed: int, style: str = "prose", given: tuple[str, ...] = ()
) -> Search[Tree]:
    """Search a problem, or what may follow the `given` steps; every node of the tree gets its inferred
    value.
    """
    tree = Tree(problem, given, style, "rest-mcts", by_value=True)
    generator = generator_of(seed, problem.id, len(given), *given)
    for _ in range(options.rollouts):
        node = _select(tree, options, generator)
        if node.finished and options.stop_at_answer and (node.value or 0.0) >= options.end_gate:
            break
        if node.terminal is None and not node.expanded:
            yield from _end_or_expand(tree, node, options, seed, generator)
        _back_up(tree, node)
    tree.add_up()
    infer_targets(tree)
    return tree


def estimate(solution: Solution, options: RestMcts, seed: int) -> Search[SolutionEstimate]:
    """Estimate a given solution: one search rooted at each of its prefixes.

    A prefix's evidence is every graded end met below it; its distance m_k is the shallowest right one.
    """
    given = yield from examine(solution, options.style)
    deep = replace(options, depth=depth_for(solution, options.depth))
    grow = partial(search, solution.problem, deep, seed, given.style)
    yield from search_from_each(given, grow, root_evidence)
    return conclude(given, options.rollouts, options.threshold, luck=options.luck)


def root_evidence(tree: Tree) -> Evidence:
    """Every graded end below the root: the ended nodes, and the completions by which nodes were valued."""
    root = tree.root
    return Evidence(root.graded, root.correct, float(root.correct), root.nearest)


def _select(tree: Tree, options: RestMcts, generator: random.Random) -> Node:
    """Walk down by the rule, to a node that is not expanded, or has nothing below to go on with."""
    node = tree.root
    while node.expanded:
        children = [child for child in tree.children(node) if child.pruned is None]
        if not children:
            return node
        scores = mcts_star(
            _values(children),
            [child.visits for child in children],
            node.visits,
            options.c,
            options.unvisited_bonus,
        )
        node = children[best(scores, generator, [child.drawn for child in children])]
    return node


def _values(children: list[Node]) -> list[float]:
    """V of each child; where our own failure left one without, the mean of its siblings', so that the exploration
    term alone decides when it is looked at.
    """
    known = [child.value for child in children if child.value is not None]
    neutral = sum(known) / len(known) if known else 0.0
    return [neutral if child.value is None else child.value for child in children]


def _end_or_expand(
    tree: Tree, node: Node, options: RestMcts, seed: int, generator: random.Random
) -> Search[None]:
    """First the self-critic, where it is one that asks; a node that it does not end is expanded."""
    if options.self_critic == ASK and (yield from ends_here(tree, node, seed)):
        if not options.use_value_model:
            node.value = 1.0 if node.terminal == CORRECT else 0.0
        return
    yield from _expand(tree, node, options, seed)
    if options.use_value_model and node.children:
        yield from _look_ahead(tree, node, options, seed, generator)


def _expand(tree: Tree, node: Node, options: RestMcts, seed: int) -> Search[None]:
    """Propose next steps, drop doubles and what does not run, and value what is new."""
    children = yield from expand(
        tree,
        node,
        options.candidates,
        options.temperature,
        seed,
        options.depth,
        phrases_end=options.self_critic == PHRASE,
    )
    children = [child for child in children if child.pruned is None]
    if options.self_critic == ASK:
        # At the depth limit there is no later expansion before which it would be asked.
        cut_off = [child for child in children if child.terminal == INVALID and not child.finished]
        yield from gather([ends_here(tree, child, seed) for child in cut_off])
    for child in children:
        if child.finished:
            child.graded, child.correct = 1, int(child.terminal == CORRECT)
            child.nearest = 0 if child.terminal == CORRECT else None
    if options.use_value_model:
        values = yield [Value(tree.prefix(child)) for child in children]
        for child, value in zip(children, values, strict=True):
            child.value = child.prior = value
        return
    open_children = [child for child in children if child.terminal is None]
    # Other draws than those of the expansion: with its seed, a node's candidates would be the first steps of the very
    # completions that valued it, and an end that was counted here would be met and counted again below.
    evidence = yield from roll_out(
        [tree.prefix(child) for child in open_children],
        options.value_rollouts,
        options.temperature,
        seed_of(seed, "value"),
    )
    for child, found in zip(open_children, evidence, strict=True):
        child.graded, child.correct, child.nearest = found.visits, found.correct, found.distance
        child.lost = found.lost
        child.value = found.correct / found.visits if found.visits else None
    for child in children:
        if child.terminal is not None:
            child.value = 1.0 if child.terminal == CORRECT else 0.0


def _look_ahead(
    tree: Tree, node: Node, options: RestMcts, seed: int, generator: random.Random
) -> Search[None]:
    """Greedy rollout from the best child: V <- (1 - a) V + a V_max, the highest value among the steps ahead,
    which may lie below V; the child's visits + 1. An ended child has none ahead and keeps its V.
    """
    children = [child for child in tree.children(node) if child.pruned is None]
    if not children:
        return
    child = children[
        best([child.value or 0.0 for child in children], generator, [child.drawn for child in children])
    ]
    child.visits += 1
    prefix, ahead_values = tree.prefix(child), list[float]()
    # Other draws than those of the expansion, which would be its candidates once more, and than the next seed's.
    own = seed_of(seed, "ahead")
    for _ in range(0 if child.finished else options.look_ahead):
        request = NextSteps(prefix, options.look_ahead_candidates, options.temperature, own)
        found: list[Continuation] = (yield [request])[0]
        ahead = [one for one in found if not one.cut and (one.steps or one.finished)]
        if not ahead:
            break
        prefixes = [replace(prefix, steps=prefix.steps + one.steps) for one in ahead]
        values = yield [Value(one) for one in prefixes]
        chosen = best(values, generator)
        prefix = prefixes[chosen]
        ahead_values.append(values[chosen])
        if ahead[chosen].finished:
            break
    if ahead_values:
        weight = options.look_ahead_weight
        child.value = (1 - weight) * (child.value or 0.0) + weight * max(ahead_values)


def _back_up(tree: Tree, node: Node) -> None:
    """From the node to the root: N += 1, and V becomes the visit-weighted mean of those of the children that have
    one.
    """
    for step in reversed(tree.path(node)):
        step.visits += 1
        known = [(c.value, c.visits) for c in tree.children(step) if c.visits and c.value is not None]
        if known:
            step.value = sum(value * visits for value, visits in known) / sum(visits for _, visits in known)


def infer_targets(tree: Tree) -> None:
    """Write v_k onto every node that the tree can tell it of: top-down from v_0 = 0, by m_k and r_k."""
    distance, wrong = reasoning_distances(tree)
    for node in tree.nodes:
        parent = tree.nodes[node.parent] if node.parent is not None else None
        if parent is None:
            node.quality_value = 0.0
        elif node.id in distance and parent.quality_value is not None:
            node.quality_value = next_value(parent.quality_value, distance[node.id], node.id in wrong)
        else:
            node.quality_value = None


def reasoning_distances(tree: Tree) -> tuple[dict[int, int], set[int]]:
    """m_k of each node that has one, and the nodes that are wrong (r_k = 1), inferred from the pruned tree.

    1. A right end misses no step; upwards, the distance is the nearest child's plus one. 2. From a wrong end
    upwards, the nodes below the nearest ancestor with a distance are wrong and take that ancestor's distance.
    3. Branches that never ended, or have no such ancestor, are pruned: no distance.
    """
    distance: dict[int, int] = {}
    wrong: set[int] = set()
    for node in reversed(tree.nodes):
        nearest = [distance[c.id] + bool(c.text) for c in tree.children(node) if c.id in distance]
        if node.terminal == CORRECT:
            distance[node.id] = 0
        elif nearest:
            distance[node.id] = min(nearest)
    for node in tree.nodes:
        # An end without an answer that one could read is a wrong one; a path that was cut off has not ended.
        if node.terminal == WRONG or (node.terminal == INVALID and node.finished):
            _mark_wrong(tree, node, distance, wrong)
    return distance, wrong


def _mark_wrong(tree: Tree, end: Node, distance: dict[int, int], wrong: set[int]) -> None:
    below: list[Node] = []
    for node in reversed(tree.path(end)):
        if node.id in distance:
            for step in below:
                distance[step.id] = distance[node.id]
                wrong.add(step.id)
            return
        below.append(node)
