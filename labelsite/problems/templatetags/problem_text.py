"""Problem texts in lists."""

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
