"""Test-time search by name: what each method of `python -m ml solve` takes, and how it searches one problem.

A method answers from its policy and its reward model alone. `trajectories` is its size: sampled solutions, beams,
thoughts at each depth, or trees. Sizes of different methods compare by what they cost, which `solve` counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from ml.records import Problem
from ml.search import beam, best_of_n
from ml.search.cost import Cost
from ml.search.metered import metered
from ml.search.named_options import NamedOption, options_of
from ml.search.requests import Search
from ml.search.several_trees import (
    MctsStarTrees,
    RStarTrees,
    mcts_star_trajectories,
    rstar_trajectories,
)
from ml.search.voting import Chosen

NOTHING_CHOSEN: Mapping[str, Any] = MappingProxyType({})
# Problem, options of this size, trajectories, seed, style.
Start = Callable[[Problem, Any, int, int, str], Search[Chosen]]


@dataclass(frozen=True, slots=True)
class Method:
    """options: with the method's own defaults. takes: which of them a caller may set. resize: the options for so many
    trajectories. needs_values: whether a reward model guides it or chooses. is_signed: from -1 to 1, as rStar's are.
    """

    search: Start
    options: Any
    takes: frozenset[str]
    resize: Callable[[Any, int], Any]
    needs_values: bool = True
    is_signed: bool = False

    @property
    def named_options(self) -> dict[str, NamedOption]:
        """What a caller may set, by name."""
        known = options_of(self.options)
        return {name: option for name, option in known.items() if name in self.takes}

    def sized(self, trajectories: int, chosen: Mapping[str, Any] = NOTHING_CHOSEN) -> Any:
        """The options for so many trajectories, with those that were `chosen`; None stands for the default."""
        given = {name: value for name, value in chosen.items() if name in self.takes and value is not None}
        return self.resize(replace(self.options, **given), trajectories)


@dataclass(frozen=True, slots=True)
class Solved:
    """What was chosen from what, what that cost, and how the policy's texts ended (see `texts.py`)."""

    chosen: Chosen
    cost: Cost
    texts: Counter[str]


def solve(
    problem: Problem, method: Method, options: Any, trajectories: int, seed: int, style: str
) -> Search[Solved]:
    """Search one problem. Its reference is left out, so that no method can look at it."""
    blind = replace(problem, answer=None, reference_solution=None)
    cost, texts = Cost(), Counter[str]()
    search = method.search(blind, options, trajectories, seed, style)
    chosen = yield from metered(search, cost, texts)
    return Solved(chosen, cost, texts)


def _sized_by_options(search: Callable[[Problem, Any, int, str], Search[Chosen]]) -> Start:
    return lambda problem, options, trajectories, seed, style: search(problem, options, seed, style)


def _sized_by(option: str) -> Callable[[Any, int], Any]:
    return lambda options, trajectories: replace(options, **{option: trajectories})


def _with_thoughts(options: beam.TreeOfThought, trajectories: int) -> beam.TreeOfThought:
    # How many go on stays as in the paper's baseline; the budget goes into candidates.
    return replace(options, candidates=max(2, round(trajectories / options.kept)))


def _one_by_one(options: Any, trajectories: int) -> Any:
    """Trees are no part of one tree's options."""
    return options


_with_samples, _with_beams = _sized_by("n"), _sized_by("beams")
_sampled, _beams = _sized_by_options(best_of_n.search), _sized_by_options(beam.search)
_SAMPLES = frozenset({"temperature", "aggregation"})
_BEAMS = frozenset({"width", "depth", "temperature", "aggregation", "weighted"})
_THOUGHTS = frozenset({"kept", "depth", "temperature", "aggregation"})
_TREES = frozenset({"rollouts", "candidates", "depth", "temperature", "c", "voters"})
_MCTS_STAR = _TREES | {
    "unvisited_bonus", "end_gate", "look_ahead", "look_ahead_candidates", "look_ahead_weight"
}  # fmt: skip
_RSTAR = _TREES | {"unvisited", "grade_all_terminals", "finished_candidates", "errors_threshold"}

METHODS: Mapping[str, Method] = {
    "self-consistency": Method(
        _sampled,
        best_of_n.BestOfN(choice="vote"),
        frozenset({"temperature"}),
        _with_samples,
        needs_values=False,
    ),
    "best-of-n": Method(_sampled, best_of_n.BestOfN(choice="best"), _SAMPLES, _with_samples),
    "weighted-vote": Method(_sampled, best_of_n.BestOfN(choice="weighted"), _SAMPLES, _with_samples),
    "beam": Method(_beams, beam.Beam(), _BEAMS, _with_beams),
    "dvts": Method(_beams, beam.Beam(diverse=True), _BEAMS, _with_beams),
    "tree-of-thought": Method(
        _sized_by_options(beam.tree_of_thought), beam.TreeOfThought(), _THOUGHTS, _with_thoughts
    ),
    "mcts-star": Method(mcts_star_trajectories, MctsStarTrees(), _MCTS_STAR, _one_by_one),
    "rstar": Method(rstar_trajectories, RStarTrees(), _RSTAR, _one_by_one, is_signed=True),
}
