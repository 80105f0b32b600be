"""Requests are taken at their word: a field that nobody knows is refused, and not passed over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

# What a form of the browser sends beside its fields.
NO_FIELDS = {"csrfmiddlewaretoken"}


class OnlyKnownFields(serializers.Serializer[Any]):
    """Refuses unknown fields: work would run with the defaults of those that were meant."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown(data)
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            if unknown and isinstance(error.detail, dict):
                raise ValidationError({**unknown, **error.detail}) from error
            raise
        if unknown:
            raise ValidationError(unknown)
        return value

    def _unknown(self, data: Any) -> dict[str, list[str]]:
        if not isinstance(data, Mapping):
            return {}
        names = [str(name) for name in data if name not in self.fields and name not in NO_FIELDS]
        return {name: [complaint(name, self.fields)] for name in names}


class Choice(serializers.ChoiceField):
    """One of a few words, whose refusal says which they are."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return super().to_internal_value(data)
        except ValidationError as error:
            known = ", ".join(map(str, self.choices))
            text = _("%(found)s, expected one of %(known)s") % {"found": f"{data!r:.60}", "known": known}
            raise ValidationError(text, code="invalid_choice") from error


def complaint(name: str, known: Iterable[str]) -> str:
    """What to say of a name that is not known: the nearest one that is, or all of them."""
    nearest = get_close_matches(name, list(known), n=1)
    if nearest:
        return _("no such field, expected %(field)s") % {"field": nearest[0]}
    return _("no such field, expected some of %(fields)s") % {"fields": ", ".join(known)}
