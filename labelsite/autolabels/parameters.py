"""A search's method and settings in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.wording import named, value_in_words

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

# Proper names, the same in every language.
METHOD_NAMES = {
    "math-shepherd": "Math-Shepherd",
    "omegaprm": "OmegaPRM",
    "rstar": "rStar-Math",
    "rest-mcts": "ReST-MCTS*",
    "math_aps": "MATH-APS",
}
NAMES: Mapping[str, Words] = {
    "rollouts": gettext_lazy("Rollouts"),
    "candidates": gettext_lazy("Next steps at a node"),
    "depth": gettext_lazy("Most steps on a path"),
    "searches": gettext_lazy("Most binary searches on a problem"),
    "temperature": gettext_lazy("Sampling temperature"),
    "threshold": gettext_lazy("Mistaken up to this share of right rollouts"),
    "luck": gettext_lazy("Mistaken up to this part of the best share before"),
    "style": gettext_lazy("Solutions are written in"),
    "continuation_style": gettext_lazy("Rollouts are written in"),
    "value_model": gettext_lazy("Value model"),
    "reference": gettext_lazy("Rollouts are graded against"),
    "voters": gettext_lazy("Solutions that vote on the answer"),
    "stop_at_first_mistake": gettext_lazy("Stops at the first mistake"),
    "c": gettext_lazy("Weight of exploration"),
    "c_puct": gettext_lazy("Weight of exploration"),
    "alpha": gettext_lazy("Base for the share of right rollouts (alpha)"),
    "beta": gettext_lazy("Base for the length of a rollout (beta)"),
    "scale": gettext_lazy("Length that a rollout is measured by"),
    "unvisited": gettext_lazy("Value of a node before its first visit"),
    "unvisited_bonus": gettext_lazy("Bonus of a node before its first visit"),
    "grade_all_terminals": gettext_lazy("Grades every end when it is made"),
    "finished_candidates": gettext_lazy("Ends kept among the next steps"),
    "errors_threshold": gettext_lazy("Failing steps in a row that end a path"),
    "use_preference_model": gettext_lazy("Begins with the preference model's values"),
    "ends_by_model": gettext_lazy("The model's value is the reward of an end"),
    "adaptive": gettext_lazy("Stops sampling when the outcome is clear"),
    "hopeless": gettext_lazy("Hopeless below this success rate"),
    "confidence": gettext_lazy("Confidence that it is hopeless"),
    "first_draw": gettext_lazy("Rollouts at first"),
    "needed_right": gettext_lazy("Right rollouts that prove a step"),
    "verify": gettext_lazy("Verifies the step found with all rollouts"),
    "search_correct": gettext_lazy("Searches solutions with a right answer too"),
    "most_steps": gettext_lazy("Most steps of a rollout that is followed"),
    "most_repeats": gettext_lazy("Most repeats of a step in it"),
    "end_gate": gettext_lazy("Value from which an end is good enough"),
    "use_value_model": gettext_lazy("Asks the value model"),
    "value_rollouts": gettext_lazy("Rollouts for a node's value"),
    "look_ahead": gettext_lazy("Steps of look-ahead"),
    "look_ahead_candidates": gettext_lazy("Samples for a step of look-ahead"),
    "look_ahead_weight": gettext_lazy("Weight of look-ahead"),
    "stop_at_answer": gettext_lazy("Stops at a good answer"),
    "self_critic": gettext_lazy("What ends a solution"),
    "fill": gettext_lazy("Pairs: up to four where the other side has one"),
    "descend": gettext_lazy("Pairs: which steps they go down into"),
    "final": gettext_lazy("Pairs: the last steps are compared as"),
    "least_margin": gettext_lazy("Pairs: least difference of Q"),
    "least_edit_distance": gettext_lazy("Pairs: least difference in letters"),
}
_STYLES: Mapping[Any, Words] = {
    "prose": gettext_lazy("prose"),
    "code": gettext_lazy("Python"),
    "as-given": gettext_lazy("the style of the steps before"),
}
VALUES: Mapping[str, Mapping[Any, Words]] = {
    "style": _STYLES,
    "continuation_style": _STYLES,
    "reference": {
        "answer": gettext_lazy("the reference answer"),
        "self-consistency": gettext_lazy("what most of the policy's own solutions say"),
    },
    "unvisited": {"infinite": gettext_lazy("infinite"), "zero": gettext_lazy("zero")},
    "self_critic": {
        "phrase": gettext_lazy("a step that states an answer"),
        "ask": gettext_lazy("the policy, which is asked"),
    },
    "finished_candidates": {"all": gettext_lazy("all"), "first": gettext_lazy("the first")},
    "descend": {"all": gettext_lazy("all"), "vis_count": gettext_lazy("the most visited")},
    "final": {
        "trajectories": gettext_lazy("whole trajectories"),
        "siblings": gettext_lazy("siblings"),
    },
}
# How `python -m ml autolabel` notes that solutions voted on the answer; their number follows.
VOTE = "self-consistency of "


def method_in_words(method: str) -> str:
    return METHOD_NAMES.get(method, method)


def in_words(parameters: Mapping[str, object]) -> list[tuple[str, object]]:
    """What was asked and what the method chose itself; what has no words of its own stays as the command calls it."""
    told = {name.replace("-", "_"): value for name, value in parameters.items() if value not in (None, "")}
    return [(called, _value(name, value)) for name, called, value in named(told, NAMES)]


def _value(name: str, value: object) -> object:
    if name == "reference" and str(value).startswith(VOTE):
        return _("what most of %(count)s solutions say") % {"count": str(value).removeprefix(VOTE)}
    return value_in_words(name, value, VALUES)
