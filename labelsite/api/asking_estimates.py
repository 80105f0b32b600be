"""What a script asks of a search: the same settings as the form, with the same limits, and refused alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as Refused
from rest_framework import serializers

from labelsite.api.known_fields import OnlyKnownFields
from labelsite.autolabels.named_options import refuse_elsewhere
from labelsite.autolabels.parameters import VALUES
from labelsite.autolabels.refusals import refusals
from labelsite.autolabels.requests import LIMITS
from ml.commands.autolabel_options import VOTERS
from ml.search.named_options import GIVEN, as_text
from ml.search.recipes import RECIPES, usual

# What a request for estimates says besides a method's settings.
NO_SETTINGS = ("method", "policy", "rollouts", "seed", "is_pilot", "options")


def no_option(value: str) -> None:
    """A value that begins with a dash would be taken for an option of the command."""
    if value.startswith("-"):
        raise serializers.ValidationError(f"{value!r} begins with a dash, expected a name, path or URL")


def _usual(name: str) -> str:
    told = ", ".join(f"{method} {as_text(value)}" for method, value in usual(name, GIVEN).items())
    return f"default: {told}"


def _count(name: str) -> Any:
    least, most = LIMITS[name]
    return serializers.IntegerField(
        required=False, allow_null=True, min_value=least, max_value=most, help_text=_usual(name)
    )


def _amount(name: str, most: float) -> Any:
    return serializers.FloatField(
        required=False, allow_null=True, min_value=0, max_value=most, help_text=_usual(name)
    )


def _choice(name: str, help_text: str) -> Any:
    return serializers.ChoiceField(
        choices=list(VALUES[name]), required=False, allow_null=True, help_text=help_text
    )


class EstimatesRequest(OnlyKnownFields):
    method = serializers.ChoiceField(choices=list(RECIPES), default="math-shepherd")
    policy = serializers.CharField(max_length=200, default="pocket", validators=[no_option])
    rollouts = _count("rollouts")
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    value_model = serializers.CharField(
        max_length=200,
        required=False,
        allow_null=True,
        validators=[no_option],
        help_text="a checkpoint's sha256, or its folder on the worker (rstar and rest-mcts)",
    )
    candidates = _count("candidates")
    depth = _count("depth")
    temperature = _amount("temperature", LIMITS["temperature"][1])
    threshold = _amount("threshold", 0.999)
    luck = _amount("luck", 0.999)
    self_critic = _choice("self_critic", _usual("self_critic"))
    continuation_style = _choice(
        "continuation_style", "default: as-given; for the pocket policy code, also after prose"
    )
    reference = _choice("reference", "what rollouts are graded against (default: answer)")
    voters = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=LIMITS["voters"][0],
        max_value=LIMITS["voters"][1],
        help_text=f"solutions that vote with reference self-consistency (default: {VOTERS})",
    )
    options = serializers.DictField(
        required=False,
        help_text='the method\'s other options by name, as --set takes them: {"adaptive": false}',
    )
    is_pilot = serializers.BooleanField(
        default=False, help_text="only measure the cost on a few of the solutions, and keep no estimates"
    )

    def validate_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            refuse_elsewhere(options)
        except Refused as refusal:
            raise serializers.ValidationError(refusal.messages) from None
        return options

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        found = list(refusals(given["method"], given["policy"], GIVEN, _settings(given)))
        if found:
            raise serializers.ValidationError({name: [words] for name, words in found})
        return given


def as_asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """A checked request as arguments of what starts the estimates."""
    settings = {name.replace("_", "-"): value for name, value in _settings(given).items()}
    return {
        **{name: given.get(name) for name in ("method", "policy", "rollouts", "seed", "is_pilot")},
        "parameters": settings | given.get("options", {}),
    }


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """What was said of the method; the reference answer is what is meant anyway."""
    said = {name: value for name, value in given.items() if name not in NO_SETTINGS}
    return {name: value for name, value in said.items() if value not in (None, "answer")}
