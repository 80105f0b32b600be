"""Beam search over steps and diverse verifier tree search, guided by a process reward model.

Beam: of all continuations of the kept prefixes the best go on. DVTS: the beams are parted into independent
subtrees, each of which keeps its own best, so that one early favourite cannot crowd out the others. Tree of
thought: breadth first with a fixed number of branches kept at each depth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ml.policies.protocol import Prefix
from ml.records import Problem
from ml.search.best_of_n import as_candidates
from ml.search.requests import NextSteps, Search, Value, gather
from ml.search.voting import Candidate, Chosen, best_candidate, vote
from ml.seeds import seed_of


@dataclass(frozen=True, slots=True)
class Beam:
    """beams: prefixes in all. width: candidates of each kept prefix, so beams // width are kept at each
    depth.

    diverse: DVTS, beams // width subtrees of one kept prefix each. depth: steps at most. weighted: end in a
    score-weighted vote instead of the best solution. search-and-learn's defaults: 4, 4, 40 iterations, T 0.8.
    """

    beams: int = 16
    width: int = 4
    depth: int = 16
    diverse: bool = False
    weighted: bool = False
    aggregation: str = "last"
    temperature: float = 0.8


@dataclass(frozen=True, slots=True)
class TreeOfThought:
    """candidates: proposals from each kept prefix. kept: how many go on at each depth (the paper's
    baseline: 2).
    """

    candidates: int = 3
    kept: int = 2
    depth: int = 8
    temperature: float = 0.7
    aggregation: str = "last"


def search(problem: Problem, options: Beam, seed: int, style: str = "prose") -> Search[Chosen]:
    """Search and choose among the finished solutions."""
    kept = max(1, options.beams // options.width)
    trees, keep = (kept, 1) if options.diverse else (1, kept)
    parts = yield from gather(
        [
            _breadth_first(
                problem,
                style,
                first=options.width if options.diverse else options.beams,
                width=options.width,
                keep=keep,
                depth=options.depth,
                temperature=options.temperature,
                seed=seed_of(seed, "subtree", tree) if options.diverse else seed,
            )
            for tree in range(trees)
        ]
    )
    return (
        yield from _choose(
            problem, [steps for part in parts for steps in part], style, options.aggregation, options.weighted
        )
    )


def tree_of_thought(
    problem: Problem, options: TreeOfThought, seed: int, style: str = "prose"
) -> Search[Chosen]:
    """Breadth-first tree of thought with a value for each thought."""
    solutions = yield from _breadth_first(
        problem,
        style,
        first=options.candidates,
        width=options.candidates,
        keep=options.kept,
        depth=options.depth,
        temperature=options.temperature,
        seed=seed,
    )
    return (yield from _choose(problem, solutions, style, options.aggregation, weighted=False))


def _breadth_first(
    problem: Problem, style: str, first: int, width: int, keep: int, depth: int, temperature: float, seed: int
) -> Search[list[tuple[str, ...]]]:
    """The finished solutions of one tree, best `keep` prefixes going on at each depth."""
    going: list[tuple[str, ...]] = [()]
    finished: list[tuple[str, ...]] = []
    for level in range(depth):
        prefixes = [Prefix(problem, steps, style) for steps in going]
        count = first if level == 0 else width
        answers = yield [NextSteps(prefix, count, temperature, seed) for prefix in prefixes]
        grown: dict[tuple[str, ...], bool] = {}
        for prefix, continuations in zip(prefixes, answers, strict=True):
            for one in continuations:
                if one.steps:
                    grown.setdefault(prefix.steps + one.steps, one.finished)
        ranked = yield from _ranked(problem, style, list(grown), keep)
        finished += [steps for steps in ranked if grown[steps]]
        going = [steps for steps in ranked if not grown[steps]]
        if not going or len(finished) >= keep:
            break
    return finished


def _ranked(
    problem: Problem, style: str, solutions: Sequence[tuple[str, ...]], keep: int
) -> Search[list[tuple[str, ...]]]:
    """The `keep` prefixes that the reward model likes best, the earlier first among equals."""
    values = yield [Value(Prefix(problem, steps, style)) for steps in solutions]
    order = sorted(range(len(solutions)), key=lambda index: (-values[index], index))
    return [solutions[index] for index in order[:keep]]


def _choose(
    problem: Problem, solutions: Sequence[tuple[str, ...]], style: str, aggregation: str, weighted: bool
) -> Search[Chosen]:
    candidates: list[Candidate] = yield from as_candidates(problem, solutions, style)
    if weighted:
        return vote(candidates, aggregation, weighted=True)
    return best_candidate(candidates, aggregation)
