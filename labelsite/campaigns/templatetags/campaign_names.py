"""What pages of every app ask about a campaign: which one has a name, and what somebody is in it."""

from __future__ import annotations

from django import template

from labelsite.accounts.models import User
from labelsite.campaigns import gold_turns, progress
from labelsite.campaigns.models import Campaign, Membership

register = template.Library()


@register.filter
def campaign_called(name: str) -> Campaign | None:
    """The campaign of that name; None before an import has made it."""
    return Campaign.objects.filter(name=name).first()


@register.simple_tag
def membership_of(campaign: Campaign, user: User) -> Membership | None:
    """The person's membership; None for a reviewer who only looks on."""
    return campaign.memberships.filter(user=user).first()


@register.simple_tag
def missing_screening(campaign: Campaign) -> int:
    """How many of the screening items that the settings ask for do not exist."""
    return progress.missing_screening(campaign)


@register.simple_tag
def missing_for_gold(campaign: Campaign) -> str:
    """What keeps gold from being mixed in: the "share" or the "items"; "" where nothing does."""
    return gold_turns.missing(campaign)
