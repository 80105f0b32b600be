"""The methods by name, and what the command line may set of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ml.records import Problem, Solution, SolutionEstimate
from ml.search import math_shepherd, omegaprm, omegaprm_given, rest_mcts, rstar
from ml.search.requests import Search
from ml.search.tree import Tree


@dataclass(frozen=True, slots=True)
class Recipe:
    """A method: its options, how it estimates a given solution, and how it searches a fresh problem."""

    options: Callable[..., Any]
    estimate: Callable[[Solution, Any, int], Search[SolutionEstimate]]
    search: Callable[[Problem, Any, int, str], Search[Tree]]

    def with_options(self, chosen: Mapping[str, Any]) -> Any:
        """The method's options; what is None, or not an option of this method, keeps the method's default."""
        names = {field.name for field in fields(self.options)}  # type: ignore[arg-type]
        return self.options(
            **{key: value for key, value in chosen.items() if key in names and value is not None}
        )


RECIPES: dict[str, Recipe] = {
    "math-shepherd": Recipe(math_shepherd.MathShepherd, math_shepherd.estimate, math_shepherd.search),
    "rstar": Recipe(rstar.RStar, rstar.estimate, rstar.search),
    "omegaprm": Recipe(omegaprm.OmegaPrm, omegaprm_given.estimate, omegaprm.search),
    "rest-mcts": Recipe(rest_mcts.RestMcts, rest_mcts.estimate, rest_mcts.search),
}
