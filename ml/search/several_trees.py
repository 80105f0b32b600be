"""MCTS at test time: several whole searches, the best answer of each, and a vote of the best of these
(rStar-Math, section 4; MCTS*). Where no tree has an end with an answer, the best open node is completed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from ml.policies.protocol import Prefix
from ml.records import Problem
from ml.search import rest_mcts, rstar
from ml.search.completing import best_open, completed
from ml.search.named_options import ByModel, Count, With
from ml.search.requests import Aside, Grade, Graded, Search, Value, gather
from ml.search.tree import Node, Tree
from ml.search.voting import Candidate, Chosen, vote
from ml.seeds import seed_of

# Of how many trees the best answers vote: rStar's public default, of 4 to 8.
TOP = 4


@dataclass(frozen=True, slots=True)
class RStarTrees(rstar.RStar):
    """Options of each of several trees, and how many of their best answers vote at the end. At test time the preference
    model stands in place of the reference, also at the ends.
    """

    use_preference_model: ByModel[bool] = True
    ends_by_model: Annotated[bool, With("use_preference_model")] = True
    voters: Count = TOP


@dataclass(frozen=True, slots=True)
class MctsStarTrees(rest_mcts.RestMcts):
    """As `RStarTrees`, for MCTS*: each tree is stopped at its first ended node that is good enough."""

    use_value_model: ByModel[bool] = True
    stop_at_answer: bool = True
    voters: Count = TOP


def rstar_trajectories(
    problem: Problem, options: RStarTrees, trajectories: int, seed: int, style: str = "prose"
) -> Search[Chosen]:
    """`trajectories` searches by rStar; the best answers vote."""
    return _vote_of_trees(rstar.search, problem, options, trajectories, seed, style)


def mcts_star_trajectories(
    problem: Problem, options: MctsStarTrees, trajectories: int, seed: int, style: str = "prose"
) -> Search[Chosen]:
    """`trajectories` searches by MCTS*; the best answers vote."""
    return _vote_of_trees(rest_mcts.search, problem, options, trajectories, seed, style)


def _vote_of_trees(
    grow: Callable[..., Search[Tree]],
    problem: Problem,
    options: RStarTrees | MctsStarTrees,
    trajectories: int,
    seed: int,
    style: str,
) -> Search[Chosen]:
    seeds = [seed_of(seed, "trajectory", number) for number in range(trajectories)]
    trees = yield from gather([grow(problem, options, one, style=style) for one in seeds])
    return (yield from _vote_over(trees, options.voters, options.temperature, seed))


def _vote_over(trees: list[Tree], top: int, temperature: float, seed: int) -> Search[Chosen]:
    """Each tree's best end by the model's own value there, then a vote of the `top` of them, weighted by that
    value. `candidates` of the result are all trees' ends, the best first, or the completion of the best open node
    where there are none.
    """
    candidates = list[Candidate]()
    for tree in trees:
        ends = [node for node in tree.terminals() if node.final_answer is not None]
        if not ends:
            continue
        values = yield [Value(Prefix(tree.problem, tree.steps(end), tree.style)) for end in ends]
        candidates.append(_best(tree, ends, values))
    if not candidates:
        return (yield from _completed(best_open(trees), temperature, seed))
    candidates.sort(key=lambda candidate: -candidate.step_scores[-1])
    answer = (yield [Aside(lambda: vote_of_the_best(candidates, top))])[0]
    return Chosen(answer, tuple(candidates))


def _completed(prefix: Prefix, temperature: float, seed: int) -> Search[Chosen]:
    """The answer of the completed prefix, if it came to one."""
    solutions = yield from completed(prefix, temperature, seed)
    graded: Sequence[Graded] = yield [Grade(prefix.problem, steps) for steps in solutions]
    values: Sequence[float] = yield [Value(replace(prefix, steps=steps)) for steps in solutions]
    found = [
        Candidate(steps, grade.answer, (value,), grade.is_evidence)
        for steps, grade, value in zip(solutions, graded, values, strict=True)
    ]
    return Chosen(found[0].answer if found else None, tuple(found))


def vote_of_the_best(candidates: Sequence[Candidate], top: int) -> str | None:
    """The vote of the first `top` candidates, weighted by their last score."""
    voters = candidates[:top]
    # Values of a preference model may be negative; shifted, they still rank and add up as weights.
    lowest = min((candidate.step_scores[-1] for candidate in voters), default=0.0)
    shifted = [
        replace(candidate, step_scores=(candidate.step_scores[-1] - min(lowest, 0.0) + 1e-6,))
        for candidate in voters
    ]
    return vote(shifted, "last", weighted=True).answer


def _best(tree: Tree, ends: Sequence[Node], values: Sequence[float]) -> Candidate:
    value, end = max(zip(values, ends, strict=True), key=lambda pair: (pair[0], -pair[1].id))
    return Candidate(tree.steps(end), end.final_answer, (value,))
