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
        return {name: [_complaint(name, self.fields)] for name in names}


def _complaint(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), n=1)
    if nearest:
        return _("no such field, expected %(field)s") % {"field": nearest[0]}
    return _("no such field, expected some of %(fields)s") % {"fields": ", ".join(known)}
