"""How pages write a training's settings."""

from __future__ import annotations

from django import template

from labelsite.training.wording import said

register = template.Library()


@register.filter
def in_words(value: object, name: str) -> object:
    """The value of the setting `name` in the reader's language; what has no words stays as it is."""
    return said(name, value)[1]
