"""A job's result for people."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def in_words(value: Any) -> Any:
    """Counts by name as `name (count)`, and everything else as it is."""
    if not isinstance(value, dict):
        return value
    return ", ".join(f"{name} ({count})" for name, count in value.items()) or "–"
