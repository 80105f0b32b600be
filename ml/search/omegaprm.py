"""OmegaPRM: find the first mistake of wrong rollouts by binary search (arXiv 2406.06592).

A state is a prefix with MC(s) = correct / rollouts. A fresh problem grows a pool: the wrong rollouts of
states that are neither hopeless nor safe. The one with the highest Q(s, r) + U(s) is searched: probe its
middle; a right end from there means that the mistake comes later. Every probe becomes a state with rollouts
of its own.

The public reimplementation's traps are avoided: N(s) grows on selection, a searched rollout leaves the pool,
priorities are computed when popped, and the root's first rollouts count.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

from ml.policies.protocol import Continuation
from ml.records import Problem
from ml.search.grading import code_of
from ml.search.math_shepherd import grade_completions
from ml.search.named_options import (
    GIVEN,
    Amount,
    BelowOne,
    Count,
    Fresh,
    Given,
    Inside,
    Kind,
    Length,
    Share,
    Style,
    With,
)
from ml.search.probing import ASKED_AGAIN, next_probe, seed_of_try
from ml.search.requests import Completions, Graded, Search
from ml.search.selection import best, rollout_bonus, rollout_value
from ml.search.tree import CORRECT, WRONG, Node, Tree
from ml.seeds import generator_of

Adaptive = Annotated[Kind, GIVEN, With("adaptive")]


@dataclass(frozen=True, slots=True)
class OmegaPrm:
    """rollouts: k. searches: binary searches on one problem at most. alpha, beta, scale, c_puct: as in the
    paper.

    For given solutions, sampling stops early (`adaptive`): once `needed_right` rollouts are right, or when
    `confidence` says that the success rate is below `hopeless`. `first_draw` rollouts come first, then as many again
    each time. needed_right: of a prefix without a mistake so many rollouts are right; the paper's MC > 0 is 1, and 2
    is the more careful rule, by which one lucky rollout proves nothing. luck: see `estimates.mistakes`; 0, so that
    the first mistake is the first step whose hard estimate is 0.
    verify: give the step that was found the full k; a right rollout then sends the search on behind it.
    search_correct: also search solutions whose answer is right (by default a right answer proves its
    prefixes). most_steps, most_repeats: a rollout that is longer, or says one step more often, has lost its way: it
    counts as evidence of where it began, but none of its steps becomes a state.
    """

    rollouts: Count = 8
    searches: Fresh[Count] = 100
    alpha: Fresh[Share] = 0.5
    beta: Fresh[Share] = 0.9
    scale: Fresh[Length] = 500.0
    c_puct: Fresh[Amount] = 0.125
    temperature: Amount = 0.8
    adaptive: Given[bool] = True
    hopeless: Adaptive[Share] = 0.25
    confidence: Adaptive[Inside] = 0.95
    first_draw: Adaptive[Count] = 2
    needed_right: Given[Count] = 1
    verify: Given[bool] = False
    search_correct: Given[bool] = False
    most_steps: Fresh[Count] = 64
    most_repeats: Fresh[Count] = 3
    threshold: BelowOne = 0.0
    luck: BelowOne = 0.0
    style: Style = None


Rollout = tuple[Continuation, Graded]


@dataclass(slots=True)
class _State:
    """A prefix in the pool: its node, and its wrong rollouts that nobody has searched yet."""

    node: Node
    selected: int = 0
    wrong: list[Rollout] = field(default_factory=list)

    @property
    def mc(self) -> float:
        return self.node.correct / self.node.graded if self.node.graded else 0.0


def search(problem: Problem, options: OmegaPrm, seed: int, style: str = "prose") -> Search[Tree]:
    """Grow the tree of a fresh problem; a question that is always or never solved ends at once (the
    paper's filter).
    """
    tree = Tree(problem, (), style, "omegaprm")
    generator = generator_of(seed, problem.id)
    states = [(yield from _estimate_state(tree, tree.root, options, seed))]
    for _ in range(options.searches):
        chosen = choose(states, options, generator)
        if chosen is None:
            break
        state, rollout = chosen
        yield from _search_rollout(tree, state, rollout, states, options, seed)
    return tree


def choose(
    states: Sequence[_State], options: OmegaPrm, generator: random.Random
) -> tuple[_State, Rollout] | None:
    """Take the wrong rollout with the highest Q + U out of the pool; its state counts one selection more."""
    pool = [(state, rollout) for state in states if 0.0 < state.mc < 1.0 for rollout in state.wrong]
    if not pool:
        return None
    total = sum(state.selected for state in states)
    scores = [
        rollout_value(state.mc, rollout[0].tokens, options.alpha, options.beta, options.scale)
        + rollout_bonus(state.selected, total, options.c_puct)
        for state, rollout in pool
    ]
    state, rollout = pool[best(scores, generator)]
    state.wrong.remove(rollout)
    state.selected += 1
    return state, rollout


def _search_rollout(
    tree: Tree, state: _State, rollout: Rollout, states: list[_State], options: OmegaPrm, seed: int
) -> Search[None]:
    """Binary search on one wrong rollout: the first step after which no rollout is right.

    Around a step whose rollouts nothing could grade the search goes on: it says nothing of where the mistake stands.
    """
    path = _insert(tree, state.node, rollout[0])
    _end(tree, path[-1], rollout[1])
    low, high, lost = 0, len(path) - 1, set[int]()
    while (probed := next_probe(low, high, lost)) is not None:
        node = path[probed]
        if not node.graded:
            found = yield from _estimate_state(tree, node, options, seed)
            if not node.graded:
                lost.add(probed)
                continue
            states.append(found)
        if node.correct > options.threshold * node.graded:
            low = probed + 1
        else:
            high = probed


def _estimate_state(tree: Tree, node: Node, options: OmegaPrm, seed: int) -> Search[_State]:
    """k graded rollouts from a node, asked for again where nothing could grade one. One right rollout is kept in the
    tree, its steps without evidence of their own.
    """
    prefix, graded = tree.prefix(node), list[Rollout]()
    for attempt in range(1 + ASKED_AGAIN):
        request = Completions(prefix, options.rollouts, options.temperature, seed_of_try(seed, attempt))
        completions = yield [request]
        graded = (yield from grade_completions([prefix], completions))[0]
        node.lost += len(completions[0]) - len(graded)
        if graded:
            break
    state = _State(node)
    right = [rollout for rollout in graded if rollout[1].is_correct]
    # Equal rollouts are one: searching the second would probe what is known.
    once = {end.steps: (end, verdict) for end, verdict in graded if _is_sane(end, options)}
    state.wrong = [rollout for rollout in once.values() if not rollout[1].is_correct]
    node.visits = node.graded = len(graded)
    node.correct, node.value_sum = len(right), float(len(right))
    node.nearest = min((len(end.steps) for end, _ in right), default=None)
    shown = next((rollout for rollout in right if _is_sane(rollout[0], options)), None)
    if shown and node is tree.root:
        _end(tree, _insert(tree, node, shown[0])[-1], shown[1])
    return state


def _is_sane(end: Continuation, options: OmegaPrm) -> bool:
    """Whether a rollout came to an end in steps that may become states."""
    repeats = max(Counter(end.steps).values(), default=0)
    return end.finished and 0 < len(end.steps) <= options.most_steps and repeats <= options.most_repeats


def _end(tree: Tree, node: Node, verdict: Graded) -> None:
    """A rollout's own end: the one graded rollout that reached it."""
    tree.note_execution(node, verdict.execution)
    node.terminal = CORRECT if verdict.is_correct else WRONG
    node.final_answer = verdict.answer
    node.visits, node.graded, node.correct = 1, 1, int(verdict.is_correct)
    node.value_sum = float(verdict.is_correct)


def _insert(tree: Tree, node: Node, rollout: Continuation) -> list[Node]:
    """The nodes of a finished rollout's steps below `node`, made where they are missing."""
    nodes = []
    for missing, text in zip(range(len(rollout.steps) - 1, -1, -1), rollout.steps, strict=True):
        node = tree.step(node, text, finished=not missing)
        node.code = code_of(text)
        nodes.append(node)
    return nodes
