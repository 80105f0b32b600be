"""What a script asks of a search: the same settings as the forms, with the same limits, and refused alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError as Refused
from django.utils.translation import gettext as _
from rest_framework import serializers

from labelsite.api.known_fields import Choice, OnlyKnownFields
from labelsite.autolabels.named_options import refuse_elsewhere
from labelsite.autolabels.parameters import VALUES
from labelsite.autolabels.refusals import refusals
from labelsite.autolabels.requests import LIMITS, refuse_policy
from labelsite.problems.models import Problem
from ml.commands.autolabel_options import VOTERS
from ml.errors import MisstepError
from ml.search.named_options import FRESH, GIVEN, as_text
from ml.search.recipes import RECIPES, usual

# What a request says besides a method's settings.
NO_SETTINGS = ("method", "policy", "rollouts", "seed", "is_pilot", "options", "source", "limit")
MOST_PROBLEMS = 100_000
# The most of each setting that is no whole number.
AMOUNTS = {"temperature": LIMITS["temperature"][1], "threshold": 0.999, "luck": 0.999}


def no_option(value: str) -> None:
    """A value that begins with a dash would be taken for an option of the command."""
    if value.startswith("-"):
        raise serializers.ValidationError(f"{value!r} begins with a dash, expected a name, path or URL")


def refused_by(refuse: Callable[[str], None]) -> Callable[[str], None]:
    """The validator that refuses at its field what `refuse` raises MisstepError for."""

    def validate(value: str) -> None:
        try:
            refuse(value)
        except MisstepError as refusal:
            raise serializers.ValidationError(str(refusal)) from None

    return validate


def _usual(name: str, acts_on: str) -> str:
    told = ", ".join(f"{method} {as_text(value)}" for method, value in usual(name, acts_on).items())
    return f"default: {told}"


def _count(name: str, help_text: str) -> Any:
    least, most = LIMITS[name]
    return serializers.IntegerField(
        required=False, allow_null=True, min_value=least, max_value=most, help_text=help_text
    )


def _amount(most: float, help_text: str) -> Any:
    return serializers.FloatField(
        required=False, allow_null=True, min_value=0, max_value=most, help_text=help_text
    )


def _choice(name: str, help_text: str, choices: Sequence[str] = ()) -> Any:
    return Choice(choices=list(choices or VALUES[name]), required=False, allow_null=True, help_text=help_text)


class MethodRequest(OnlyKnownFields):
    """Method, policy and budget, and what else the methods can be told, whatever they are let loose on."""

    ACTS_ON = GIVEN

    policy = serializers.CharField(
        max_length=200, default="pocket", validators=[no_option, refused_by(refuse_policy)]
    )
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    value_model = serializers.CharField(
        max_length=200,
        required=False,
        allow_null=True,
        validators=[no_option],
        help_text="a checkpoint's sha256, or its folder on the worker (rstar and rest-mcts)",
    )
    options = serializers.DictField(
        required=False,
        help_text='the method\'s other options by name, as --set takes them: {"adaptive": false}',
    )

    def get_fields(self) -> dict[str, Any]:
        """What a method takes where nobody says it depends on what it acts on."""
        told = {name: _usual(name, self.ACTS_ON) for name in ("rollouts", "candidates", "depth", *AMOUNTS)}
        return {
            **super().get_fields(),
            **{name: _count(name, told[name]) for name in ("rollouts", "candidates", "depth")},
            **{name: _amount(most, told[name]) for name, most in AMOUNTS.items()},
            "self_critic": _choice("self_critic", _usual("self_critic", self.ACTS_ON)),
        }

    def validate_options(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            refuse_elsewhere(options)
        except Refused as refusal:
            raise serializers.ValidationError(refusal.messages) from None
        return options

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        found = list(refusals(given["method"], given["policy"], self.ACTS_ON, _settings(given)))
        if found:
            raise serializers.ValidationError({name: [words] for name, words in found})
        return given


class EstimatesRequest(MethodRequest):
    method = Choice(choices=list(RECIPES), default="math-shepherd")
    continuation_style = _choice(
        "continuation_style", "default: as-given; for the pocket policy code, also after prose"
    )
    reference = _choice("reference", "what rollouts are graded against (default: answer)")
    voters = _count("voters", f"solutions that vote with reference self-consistency (default: {VOTERS})")
    is_pilot = serializers.BooleanField(
        default=False, help_text="only measure the cost on a few of the solutions, and keep no estimates"
    )


class SearchRequest(MethodRequest):
    """A search of the first `limit` problems of a source that have a reference answer."""

    ACTS_ON = FRESH

    method = Choice(choices=list(RECIPES), default="rstar")
    source = serializers.CharField(  # type: ignore[assignment]
        max_length=80,
        help_text="where the problems come from; a wrong name is answered with those that there are",
    )
    limit = serializers.IntegerField(min_value=1, max_value=MOST_PROBLEMS, default=60)
    style = _choice("style", "default: code", choices=("prose", "code"))
    searches = _count("searches", _usual("searches", FRESH))
    is_pilot = serializers.BooleanField(
        default=False, help_text="only measure the cost on a few of the problems, and keep no trees"
    )

    def validate_source(self, source: str) -> str:
        known = Problem.objects.filter(answer__isnull=False).order_by("source")
        sources = list(known.values_list("source", flat=True).distinct())
        if source not in sources:
            raise serializers.ValidationError(
                _("no problems with reference answers come from %(source)s, expected one of: %(known)s")
                % {"source": repr(source), "known": ", ".join(sources)}
            )
        return source


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
