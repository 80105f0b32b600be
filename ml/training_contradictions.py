"""What was asked of a training and would do nothing, or could not be had, beside what else was asked.

Every door refuses the same: the command tells the first in its options' names, the site tells all of them at its
fields. No torch is loaded to know them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ml.said import Said
from ml.targets.rules import CHOICES, MEANS, LabelRule
from ml.training_choices import CLASSIFYING, DOUBTFUL, FROM_SCRATCH, NAMED_BASES, SURE

OF_PREFERENCES = ("least_margin", "least_edit_distance", "no_final_pairs", "fill_pairs", "preference_output")
OF_CLASSIFIERS = ("second_opinion", "classes", "class_weights", "smoothing")
OF_ADAPTERS = ("lora_alpha", "lora_dropout", "lora_targets")
OF_OPINIONS = ("second_opinion_sure", "second_opinion_doubtful")


@dataclass(frozen=True, slots=True)
class Contradiction:
    """option: what is refused. other, wanted: the option that it needs, and which values of that; without any it has to
    be given. words: why, where there is more to say than that.
    """

    option: str
    other: str = ""
    wanted: Sequence[Any] = ()
    words: str = ""


def acting(chosen: Mapping[str, Any], default: Callable[[str], Any]) -> dict[str, Any]:
    """The options that are asked for, and for what would not happen anyway. A 0 may be asked for."""
    return {
        name: value
        for name, value in chosen.items()
        if not (value is None or value is False or value in ("", [])) and value != default(name)
    }


def contradictions(objective: str, base: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    """All that objective and base, and the acting options by their names, leave no room for."""
    yield from _of_the_head(objective, chosen)
    yield from _of_the_objective(objective, chosen)
    yield from _of_outcome_tokens(objective, chosen)
    yield from _of_shared_steps(objective, chosen)
    yield from _of_others(chosen)
    yield from _of_the_base(base, chosen)
    yield from _of_frozen_draws(base, chosen)


def contradictions_with_labels(rule: LabelRule, objective: str, classes: int) -> Iterator[Contradiction]:
    """All that labels by this rule leave no room for."""
    if classes == 3 and rule.labels != "automatic" and rule.neutral != "positive":
        # A dropped neutral has no label on the trajectory, and behind one that counts as a mistake nothing is
        # supervised, so that the class would hold alternatives alone.
        words = Said("a neutral step has to count as correct where neutral is a class of its own")
        yield Contradiction("classes", "neutral", ("positive",), words)
    if classes == 3 and rule.averages_neutrals:
        words = Said(
            "a mean of people's and rollouts' words is never neutral: the third class would stay empty"
        )
        others = [name for name in CHOICES["mixture"] if name not in MEANS]
        yield Contradiction("classes", "mixture", others, words)
    if objective == "classifier" and rule.has_quality_values:
        words = Said(
            "a quality value says how far a solution has come: the step classifier needs another label from rollouts"
        )
        others = [name for name in CHOICES["target"] if name != rule.target]
        yield Contradiction("objective", "target", others, words)


def _of_the_head(objective: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    head = chosen.get("head", "linear")
    if head != "linear" and objective not in CLASSIFYING:
        yield Contradiction("head", "objective", CLASSIFYING)
    if head == "likelihood" and objective == "classifier" and "classes" in chosen:
        words = Said("The tokens that came need two classes of steps, or the outcome objective.")
        yield Contradiction("head", "classes", (2,), words)
    for name in ("tolerance", "outcomes"):
        if name in chosen and head != "likelihood":
            yield Contradiction(name, "head", ("likelihood",))
    # A weight of 0 is what other heads have.
    if chosen.get("language_weight") and head != "likelihood":
        yield Contradiction("language_weight", "head", ("likelihood",))
    if "outcomes" in chosen and objective != "classifier":
        yield Contradiction("outcomes", "objective", ("classifier",))
    if "target_tokens" in chosen and head != "tokens":
        yield Contradiction("target_tokens", "head", ("tokens",))
    elif "target_tokens" in chosen:
        yield from _one_for_each_class("target_tokens", chosen)


def _one_for_each_class(name: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    classes = chosen.get("classes", 2)
    if len(chosen[name]) != classes:
        yield Contradiction(
            name, words=Said("One for each of %(classes)s classes is expected.", classes=classes)
        )


def _of_the_objective(objective: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    for name in OF_CLASSIFIERS:
        if name in chosen and objective != "classifier":
            yield Contradiction(name, "objective", ("classifier",))
    if "class_weights" in chosen and objective == "classifier":
        yield from _one_for_each_class("class_weights", chosen)
    for name in OF_PREFERENCES:
        if name in chosen and objective != "preference":
            yield Contradiction(name, "objective", ("preference",))
    if "no_alternatives" in chosen and objective not in ("classifier", "preference"):
        yield Contradiction("no_alternatives", "objective", ("classifier", "preference"))


def _of_outcome_tokens(objective: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    tokens = chosen.get("outcome_tokens")
    if tokens is None:
        return
    if objective != "outcome":
        yield Contradiction("outcome_tokens", "objective", ("outcome",))
    elif chosen.get("head") == "likelihood" and tokens == "all":
        words = Said("The tokens that came are read as whole steps: at the last token, or at each step's.")
        yield Contradiction("outcome_tokens", words=words)
    elif "trees" in chosen and tokens != "last" and "weighting" not in chosen:
        # A token that stands once for several solutions would weigh as one of them.
        words = Said(
            "In trees of problems a shared step has to count as often as solutions go through it then."
        )
        yield Contradiction("outcome_tokens", "weighting", ("path",), words)


def _of_shared_steps(objective: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    if "trees" in chosen and objective == "preference":
        yield Contradiction(
            "trees", "objective", words=Said("Preferences are learned from problems already.")
        )
    if "weighting" in chosen and objective == "preference":
        words = Said("A preference model weighs pairs and not steps.")
        yield Contradiction("weighting", "objective", words=words)
    elif "weighting" in chosen and objective != "classifier" and "trees" not in chosen:
        words = Said("Only the step classifier and trees of problems have shared steps.")
        yield Contradiction("weighting", "trees", ("problem",), words)


def _of_others(chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    for name in OF_ADAPTERS:
        if name in chosen and "lora" not in chosen:
            yield Contradiction(name, "lora")
    for name in OF_OPINIONS:
        if name in chosen and "second_opinion" not in chosen:
            yield Contradiction(name, "second_opinion")
    sure, doubtful = chosen.get("second_opinion_sure", SURE), chosen.get("second_opinion_doubtful", DOUBTFUL)
    if "second_opinion" in chosen and not doubtful < sure:
        words = Said("Doubt has to begin below %(sure)s, where it is sure.", sure=f"{sure:g}")
        yield Contradiction("second_opinion_doubtful", words=words)


def _of_the_base(base: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    if "from_scratch" in chosen and base not in FROM_SCRATCH:
        yield Contradiction("from_scratch", "base", FROM_SCRATCH)
    if "unpacked" in chosen and base in NAMED_BASES:
        words = Said("Only a model's folder can be read path by path.")
        yield Contradiction("unpacked", "base", words=words)
    if chosen.get("extra_layers") and ("unpacked" in chosen or "from_scratch" in chosen or base == "small"):
        # Layers that begin as the identity keep what weights know, and random ones know nothing.
        words = Said("Layers are added to given weights, read in packed rows.")
        yield Contradiction("extra_layers", words=words)


def _of_frozen_draws(base: str, chosen: Mapping[str, Any]) -> Iterator[Contradiction]:
    """What LoRA would freeze although it was only drawn."""
    if "lora" not in chosen:
        return
    is_deepened = base in NAMED_BASES and chosen.get("head") != "likelihood"
    if base == "small" or "from_scratch" in chosen:
        words = Said("Random weights would stay random beside LoRA: choose given ones.")
        yield Contradiction("lora", "base", words=words)
    elif chosen.get("extra_layers", is_deepened):
        words = Said("Added layers would stay random beside LoRA: 0 here, please.")
        yield Contradiction("extra_layers", words=words)
