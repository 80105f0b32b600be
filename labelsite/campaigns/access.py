"""Fetch a campaign and check the right to it in one call."""

from __future__ import annotations

from django.http import Http404

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign


def campaign_or_404(user: User, pk: int) -> Campaign:
    """The campaign, for its members and for reviewers and admins; for others it does not exist.

    An archived one exists for its members no more.
    """
    campaign = Campaign.objects.filter(pk=pk).first()
    if campaign is None or not (user.is_reviewer or _is_for(user, campaign)):
        raise Http404
    return campaign


def _is_for(user: User, campaign: Campaign) -> bool:
    return not campaign.is_archived and campaign.memberships.filter(user=user).exists()
