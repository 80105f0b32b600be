"""Fetch a campaign and check the right to it in one call."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign


def campaign_or_404(user: User, pk: int) -> Campaign:
    """The campaign, for its members and for reviewers and admins; for others it does not exist.

    An archived one exists for its members no more.
    """
    return get_object_or_404(Campaign.objects.visible_to(user), pk=pk)
