"""A label rule in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy

from labelsite.snapshots.forms import MIXTURES, NEUTRAL, TARGETS
from labelsite.snapshots.models import LabelSource

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
    "automatic_weight": gettext_lazy("People that the search counts for"),
}
RULE_VALUES: Mapping[str, Mapping[Any, Words]] = {
    "neutral": dict(NEUTRAL),
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
    """A manifest's rule, in a fixed order (the database keeps none); what has no words stays as it is written."""
    order = [*(name for name in RULE_NAMES if name in rule), *sorted(set(rule) - set(RULE_NAMES))]
    return [(str(RULE_NAMES.get(name, name.replace("_", " "))), _value(name, rule[name])) for name in order]


def _value(name: str, value: object) -> object:
    words = RULE_VALUES.get(name, {}).get(value) if isinstance(value, str) else None
    return value if words is None else str(words)
