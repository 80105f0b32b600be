"""Problem texts in lists, and what a step's code printed."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import stringfilter

from labelsite import formulas

register = template.Library()


@register.filter(is_safe=False)
@stringfilter
def shortened(text: str, length: int) -> str:
    """The text in about `length` characters, with no formula cut in two."""
    return formulas.shortened(text, length)


@register.filter(is_safe=False)
@stringfilter
def both_ends(text: str, length: int) -> str:
    """The text's beginning and its end, `length` characters of it: what code prints last is mostly its result."""
    half = length // 2
    return text if len(text) <= length else f"{text[:half]}\n…\n{text[-half:]}"
