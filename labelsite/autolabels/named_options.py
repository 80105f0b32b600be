"""The options of a method that have no field of their own, as the command's `--set` takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from labelsite.autolabels.requests import OPTIONS

# What has a field of its own; said twice, one of the two would be passed over.
ELSEWHERE = {"rollouts", *OPTIONS, *(name.replace("-", "_") for name in OPTIONS)}


class NamedOptions(forms.CharField):
    """NAME=VALUE texts with blanks between them, as a mapping. What they mean, only the method knows."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=1000, **options)

    def to_python(self, value: object) -> Any:
        return read(super().to_python(value) or "")


def read(text: str) -> dict[str, str]:
    """What the text sets; raises ValidationError."""
    found: dict[str, str] = {}
    for setting in text.split():
        name, equals, value = setting.partition("=")
        if not (name and equals and value):
            raise forms.ValidationError(_("%(text)s: NAME=VALUE, please.") % {"text": setting})
        if name in found:
            raise forms.ValidationError(_("%(name)s is set twice.") % {"name": name})
        found[name] = value
    refuse_elsewhere(found)
    return found


def refuse_elsewhere(options: Mapping[str, object]) -> None:
    """Raises ValidationError for an option that has a field of its own."""
    for name in options:
        if name in ELSEWHERE:
            raise forms.ValidationError(_("%(name)s has a field of its own.") % {"name": name})
