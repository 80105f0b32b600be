"""The methods by name, and what the command line may set of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ml.records import Problem, Solution, SolutionEstimate
from ml.said import Said
from ml.search import math_shepherd, omegaprm, omegaprm_given, rest_mcts, rstar
from ml.search.named_options import FRESH, NamedOption, idle_options, options_of, read_settings, settable
from ml.search.pairs import PairRules
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

    def named_options(self, acts_on: str) -> dict[str, NamedOption]:
        """What may be set by name where the method reads this kind of input; a fresh problem's tree has pairs, too."""
        known = options_of(self.options) | (options_of(PairRules) if acts_on == FRESH else {})
        return settable(known, acts_on)


RECIPES: dict[str, Recipe] = {
    "math-shepherd": Recipe(math_shepherd.MathShepherd, math_shepherd.estimate, math_shepherd.search),
    "rstar": Recipe(rstar.RStar, rstar.estimate, rstar.search),
    "omegaprm": Recipe(omegaprm.OmegaPrm, omegaprm_given.estimate, omegaprm.search),
    "rest-mcts": Recipe(rest_mcts.RestMcts, rest_mcts.estimate, rest_mcts.search),
}
# The option by which each method follows a value model; and those that only some methods have.
GUIDED = {"rstar": "use_preference_model", "rest-mcts": "use_value_model"}
OF_SOME_METHODS = ("candidates", "depth", "searches", "self_critic")


def usual(name: str, acts_on: str) -> dict[str, Any]:
    """What each method takes for an option where nobody says it, of those in which it acts on this kind of input."""
    made = {method: recipe.options() for method, recipe in RECIPES.items()}
    return {
        method: getattr(options, name)
        for method, options in made.items()
        if hasattr(options, name) and name not in idle_options(options, acts_on)
    }


def read_named(
    method: str, acts_on: str, settings: Sequence[str], otherwise: Collection[str] = ()
) -> dict[str, Any]:
    """What `NAME=VALUE` texts set of a method and of its pairs, checked; see `read_settings`."""
    known = RECIPES[method].named_options(acts_on)
    where = Said("%(method)s with %(input)s", method=method, input=Said(acts_on))
    return read_settings(settings, known, where, otherwise)


def pair_rules(chosen: Mapping[str, Any]) -> PairRules:
    """The rules of pairs, with those that were chosen."""
    names = {field.name for field in fields(PairRules)}
    return PairRules(**{name: value for name, value in chosen.items() if name in names})
