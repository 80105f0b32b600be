"""Campaigns that another page knows by name only."""

from __future__ import annotations

from django import template

from labelsite.campaigns.models import Campaign

register = template.Library()


@register.filter
def campaign_called(name: str) -> Campaign | None:
    """The campaign of that name; None before an import has made it."""
    return Campaign.objects.filter(name=name).first()
