"""A label rule in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy

from labelsite.snapshots.forms import GIVEN_UP, MIXTURES, NEUTRAL, TARGETS
from labelsite.snapshots.models import LabelSource
from labelsite.wording import named, value_in_words

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

RULE_NAMES: Mapping[str, Words] = {
    "neutral": gettext_lazy("A neutral step counts as"),
    "target": gettext_lazy("Rollouts give"),
    "threshold": gettext_lazy("Right above this share of right rollouts"),
    "mixture": gettext_lazy("Where people and rollouts both spoke"),
    "labels": gettext_lazy("Labels"),
    "after_mistake": gettext_lazy("Behind the first mistake"),
    "minimum_visits": gettext_lazy("Fewest rollouts of a step that counts"),
    "given_up": gettext_lazy("Rated before giving up"),
    "automatic_weight": gettext_lazy("People that the search counts for"),
}
RULE_VALUES: Mapping[str, Mapping[Any, Words]] = {
    "neutral": dict(NEUTRAL),
    "given_up": dict(GIVEN_UP),
    "target": dict(TARGETS),
    "mixture": dict(MIXTURES),
    "labels": dict(LabelSource.choices),
    "after_mistake": {
        "none": gettext_lazy("no label"),
        "wrong": gettext_lazy("wrong"),
        "keep": gettext_lazy("as rated"),
    },
}


def rule_in_words(rule: Mapping[str, object]) -> list[tuple[str, object]]:
    """A manifest's rule; what has no words of its own stays as it is written."""
    return [
        (called, value_in_words(name, value, RULE_VALUES)) for name, called, value in named(rule, RULE_NAMES)
    ]
