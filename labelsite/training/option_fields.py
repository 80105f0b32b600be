"""Fields for the options of a training that few people touch: made from what the command says of each."""

from __future__ import annotations

import argparse
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from labelsite.training.options import FLAGS, LISTS, kind_of, limits_of, options
from labelsite.training.wording import VALUES, label_of
from ml.commands.train_options import TARGET_TOKENS
from ml.training_choices import DOUBTFUL, SURE

# What an empty field means where the command's own default says it badly, or not at all.
EMPTY = {
    "lora_alpha": gettext_lazy("empty: twice the rank"),
    "lora_targets": gettext_lazy(
        "empty: every linear layer of the base's blocks; names with blanks between them"
    ),
    "class_weights": gettext_lazy("wrong, right, and neutral where it is a class; empty: 1 each"),
    "target_tokens": gettext_lazy("for wrong, right, and neutral where it is a class; empty: %(tokens)s"),
    "maximum_length": gettext_lazy("empty: what the base model can hold"),
    "limit": gettext_lazy("empty: all"),
    "extra_layers": gettext_lazy("empty: 2 on pocket bases, else none"),
    "validate_every": gettext_lazy("empty: only at the end"),
    "validation_limit": gettext_lazy("empty: all"),
    "separator": gettext_lazy("with \\n, \\t, \\\\ as in C; empty: the base model's own, or \\n"),
    "problem_end": gettext_lazy("with \\n, \\t, \\\\ as in C; empty: the base model's own, or \\n"),
    "least_margin": gettext_lazy("Q from −1 to 1; empty: 0; rStar-Math's code: 0.5"),
    "least_edit_distance": gettext_lazy("edits of a letter; empty: 0; rStar-Math's code: 20"),
    "automatic_weight": gettext_lazy("of a weighted mean; empty: as it was frozen"),
    "outcome_tokens": gettext_lazy(
        "as usual: every one; the last one where tokens that came or trees are read"
    ),
}
# Where the command finds the usual value only later.
USUAL = {"second_opinion_sure": SURE, "second_opinion_doubtful": DOUBTFUL, "language_weight": 1}
# Parts of the label rule: nothing said leaves them as the snapshot has them.
AS_FROZEN = ("given_up", "after_mistake")


class Listed(forms.CharField):
    """Texts or numbers with blanks between them, each as the command would take it."""

    def __init__(self, name: str, **more: Any) -> None:
        super().__init__(max_length=500, **more)
        least, most = limits_of(name)
        is_number = kind_of(name) in (int, float)
        self.each = _number(least, most) if is_number else forms.CharField(validators=[_refuse_options])

    def to_python(self, value: object) -> Any:
        return [self.each.clean(text) for text in (super().to_python(value) or "").split()]


def _number(least: float | None, most: float | None) -> forms.Field:
    told = {"invalid": gettext_lazy("Numbers with blanks between them, please.")}
    return forms.FloatField(min_value=least, max_value=most, error_messages=told)


def _refuse_options(text: str) -> None:
    if text.startswith("-") and text != "-":
        raise forms.ValidationError(
            _("“%(text)s” begins with a dash: the command would take it for an option."),
            params={"text": text},
        )


def field_of(name: str) -> forms.Field:
    """The field of an option; nobody has to fill it in."""
    action = options()[name]
    common: dict[str, Any] = {"label": label_of(name), "required": False, "help_text": _help(name, action)}
    if name in FLAGS:
        return forms.BooleanField(**common)
    if name in LISTS:
        return Listed(name, **common)
    if action.choices:
        nothing = _("as it was frozen") if name in AS_FROZEN else _("as usual")
        words = VALUES[name]
        return forms.ChoiceField(
            choices=[("", nothing), *((one, words[one]) for one in action.choices)], **common
        )
    if (kind := kind_of(name)) in (int, float):
        least, most = limits_of(name)
        field: Any = forms.IntegerField if kind is int else forms.FloatField
        return field(min_value=least, max_value=most, **common)
    # A blank may be just what ends a step.
    return forms.CharField(max_length=100, strip=False, **common)


def _help(name: str, action: argparse.Action) -> str:
    if name in EMPTY:
        words = str(EMPTY[name])
        return words % {"tokens": " ".join(TARGET_TOKENS)} if name == "target_tokens" else words
    if action.choices:
        return (
            ""
            if action.default is None
            else _("as usual: %(value)s") % {"value": VALUES[name][action.default]}
        )
    usual = None if name in FLAGS else USUAL.get(name, action.default)
    return _("empty: %(defaults)s") % {"defaults": f"{usual:g}"} if isinstance(usual, float | int) else ""
