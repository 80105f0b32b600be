"""A run's settings in the reader's language, the same on the form, on the run's page and where runs are compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.snapshots.forms import MIXTURES, NEUTRAL, TARGETS

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise as Words

CLASSES: Mapping[int, Words] = {
    2: gettext_lazy("two: wrong, right"),
    3: gettext_lazy("three: neutral is its own"),
}
TREES: Mapping[str, Words] = {
    "solution": gettext_lazy("one solution"),
    "problem": gettext_lazy("a problem with all of its solutions"),
}
OPTIMIZER_NAMES: Mapping[str, Words] = {
    "adamw": gettext_lazy("AdamW for everything"),
    "muon": gettext_lazy("Muon for the layers, AdamW for the rest"),
}
# What the command's options are called on its card.
ON_THE_CARD = {"classes": "outputs", "label_rule": "mixture", "lora": "lora_rank"}
NAMES: Mapping[str, Words] = {
    "steps": gettext_lazy("Updates"),
    "epochs": gettext_lazy("Passes over the data"),
    "batch_size": gettext_lazy("Examples in an update"),
    "trees": gettext_lazy("One example is"),
    "optimizer": gettext_lazy("Optimizer"),
    "learning_rate": gettext_lazy("Learning rate"),
    "lora_rank": gettext_lazy("LoRA rank"),
    "head": gettext_lazy("Head"),
    "outputs": gettext_lazy("Classes"),
    "neutral": gettext_lazy("A neutral step counts as"),
    "target": gettext_lazy("Rollouts give"),
    "threshold": gettext_lazy("Right above this share of right rollouts"),
    "mixture": gettext_lazy("Where people and rollouts both spoke"),
}
VALUES: Mapping[str, Mapping[Any, Words]] = {
    "neutral": dict(NEUTRAL),
    "target": dict(TARGETS),
    "mixture": dict(MIXTURES),
    "trees": TREES,
    "optimizer": OPTIMIZER_NAMES,
}


def said(name: str, value: object) -> tuple[str, object]:
    """One setting and its value in words; what has no words of its own stays as the command calls it."""
    name = ON_THE_CARD.get(name, name)
    words = VALUES.get(name, {}).get(value)
    return str(NAMES.get(name, name.replace("_", " "))), value if words is None else str(words)


def said_all(settings: Mapping[str, object]) -> list[tuple[str, object]]:
    return [said(name, value) for name, value in settings.items()]


def listed(settings: Iterable[tuple[str, object]]) -> str:
    """Settings as one line."""
    return " · ".join(_("%(name)s: %(value)s") % {"name": name, "value": value} for name, value in settings)
