"""What the page of a campaign tells of looks without a verdict."""

from __future__ import annotations

from django import template

from labelsite.annotations.exits import exits_of
from labelsite.campaigns.models import Campaign

register = template.Library()


@register.simple_tag
def exit_count(campaign: Campaign) -> int:
    """How many reported problems and give-ups stand in the campaign."""
    return exits_of(campaign).count()
