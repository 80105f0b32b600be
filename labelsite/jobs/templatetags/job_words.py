"""What a job reports, on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import template

from labelsite.jobs import wording

register = template.Library()


@register.filter
def amount(progress: Mapping[str, Any] | None) -> str:
    return wording.amount(progress or {})


@register.filter
def message(progress: Mapping[str, Any] | None) -> str:
    return wording.message(progress or {})
