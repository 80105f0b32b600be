"""Whether a solution may be taken out of its campaign, for pages of apps that know more of it."""

from __future__ import annotations

from django import template

from labelsite.campaigns import removal
from labelsite.campaigns.models import Task

register = template.Library()


@register.simple_tag
def reason_to_stay(task: Task) -> removal.Reason | None:
    return removal.reason_to_stay(task)
