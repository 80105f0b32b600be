"""What a training would not look at, or could not have: every door refuses it, and none passes it over.

These are the refusals of `python -m ml train` that need nothing but its arguments, in the reader's language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.translation import gettext as _

from labelsite.jobs.model_folders import may_be_a_folder
from labelsite.training.options import options
from ml.errors import MisstepError
from ml.training_choices import CLASSIFYING, DOUBTFUL, FROM_SCRATCH, NAMED_BASES, SURE

Refusal = tuple[str, str]
OF_PREFERENCES = ("least_margin", "least_edit_distance", "no_final_pairs", "fill_pairs", "preference_output")
OF_CLASSES = ("class_weights", "smoothing")
OF_ADAPTERS = ("lora_alpha", "lora_dropout", "lora_targets")
OF_OPINIONS = ("second_opinion_sure", "second_opinion_doubtful")


def refusals(objective: str, base: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    """Each option that has nothing to do with what else was chosen, by its name, and why in words."""
    acting = {name: value for name, value in chosen.items() if name in options() and _acts(name, value)}
    yield from _of_the_head(objective, acting)
    yield from _of_the_objective(objective, acting)
    yield from _of_others(acting)
    yield from _of_the_base(base, acting)
    yield from _of_frozen_draws(base, acting)


def _acts(name: str, value: object) -> bool:
    """Whether an option is asked for, and is not what happens anyway. A 0 may be asked for."""
    is_given = not (value is None or value is False or value in ("", []))
    return is_given and value != options()[name].default


def _of_the_head(objective: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    head = chosen.get("head")
    is_binary = objective in CLASSIFYING and chosen.get("classes") != 3
    if head == "tokens" and objective not in CLASSIFYING:
        yield "head", _("Target tokens need the step classifier or the outcome objective.")
    if head == "likelihood" and not is_binary:
        yield "head", _("The tokens that came need two classes of steps, or the outcome objective.")
    if "tolerance" in chosen and head != "likelihood":
        yield "tolerance", _("Only the tokens that came are read with a tolerance.")
    if chosen.get("language_weight") and head != "likelihood":
        yield (
            "language_weight",
            _("Only a head at the tokens that came has a next-token loss."),
        )
    if chosen.get("outcomes") and (head != "likelihood" or objective != "classifier"):
        yield "outcomes", _("This needs the step classifier that reads the tokens that came.")
    if chosen.get("target_tokens") and head != "tokens":
        yield "target_tokens", _("Only the head at target tokens has any.")
    elif chosen.get("target_tokens") and len(chosen["target_tokens"]) != chosen.get("classes", 2):
        yield "target_tokens", _("One for each class, please.")


def _of_the_objective(objective: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    if chosen.get("trees") and objective == "preference":
        yield "trees", _("Preferences are learned from problems already.")
    if chosen.get("second_opinion") and objective != "classifier":
        yield "second_opinion", _("Only the step classifier's labels get a second opinion.")
    if chosen.get("classes") and objective != "classifier":
        yield "classes", _("Only the step classifier has three classes.")
    for name in OF_CLASSES:
        if name in chosen and objective != "classifier":
            yield name, _("Only the step classifier is trained with this.")
        elif name == "class_weights" and name in chosen and len(chosen[name]) != chosen.get("classes", 2):
            yield name, _("One for each class, please.")
    for name in OF_PREFERENCES:
        if name in chosen and objective != "preference":
            yield name, _("Only a preference model is trained with this.")
    if "no_alternatives" in chosen and objective not in ("classifier", "preference"):
        yield "no_alternatives", _("Only the step classifier and a preference model learn from alternatives.")
    if "weighting" in chosen and objective == "preference":
        yield "weighting", _("A preference model weighs pairs and not steps.")
    elif "weighting" in chosen and objective != "classifier" and not chosen.get("trees"):
        yield "weighting", _("Only the step classifier and trees of problems have shared steps.")
    if "outcome_tokens" in chosen:
        yield from _of_outcome_tokens(objective, chosen)


def _of_outcome_tokens(objective: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    tokens = chosen["outcome_tokens"]
    if objective != "outcome":
        yield "outcome_tokens", _("Only the outcome objective reads an outcome.")
    elif chosen.get("head") == "likelihood" and tokens == "all":
        yield (
            "outcome_tokens",
            _("The tokens that came are read as whole steps: at the last token, or at each step's."),
        )
    elif chosen.get("trees") and tokens != "last" and "weighting" not in chosen:
        yield (
            "outcome_tokens",
            _("In trees of problems a shared step has to count as often as solutions go through it then."),
        )


def _of_others(chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    for name in OF_ADAPTERS:
        if name in chosen and not chosen.get("lora"):
            yield name, _("Only LoRA has this: give it a rank.")
    for name in OF_OPINIONS:
        if name in chosen and not chosen.get("second_opinion"):
            yield name, _("Nobody is asked for a second opinion.")
    sure, doubtful = chosen.get("second_opinion_sure", SURE), chosen.get("second_opinion_doubtful", DOUBTFUL)
    if chosen.get("second_opinion") and not doubtful < sure:
        yield "second_opinion_doubtful", _("Doubt has to begin below where it is sure.")


def _of_frozen_draws(base: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    """What LoRA would freeze although it was only drawn."""
    if not chosen.get("lora"):
        return
    is_deepened = base in NAMED_BASES and chosen.get("head") != "likelihood"
    if base == "small" or "from_scratch" in chosen:
        yield "lora", _("Random weights would stay random beside LoRA: choose given ones.")
    elif chosen.get("extra_layers", is_deepened):
        yield "extra_layers", _("Added layers would stay random beside LoRA: 0 here, please.")


def refuse_base(base: str) -> None:
    """Raises MisstepError for what can be no base, wherever the worker is."""
    if base not in NAMED_BASES and not may_be_a_folder(base):
        names = ", ".join(NAMED_BASES)
        raise MisstepError(_("%(names)s, or a model's folder by its whole path, please.") % {"names": names})


def _of_the_base(base: str, chosen: Mapping[str, Any]) -> Iterator[Refusal]:
    is_folder = base not in NAMED_BASES
    if "from_scratch" in chosen and base not in FROM_SCRATCH:
        yield "from_scratch", _("Only pocket and pocket-reader have weights that could be left out.")
    if "unpacked" in chosen and not is_folder:
        yield "unpacked", _("Only a model's folder can be read path by path.")
    if chosen.get("extra_layers") and ("unpacked" in chosen or "from_scratch" in chosen or base == "small"):
        yield "extra_layers", _("Layers are added to given weights, read in packed rows.")
