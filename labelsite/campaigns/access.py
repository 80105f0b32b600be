"""Fetch a campaign and check the right to it in one call."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef
from django.shortcuts import get_object_or_404

from labelsite.accounts.models import User
from labelsite.campaigns.models import Campaign, Membership, MemberState


def campaign_or_404(user: User, pk: int) -> Campaign:
    """The campaign, for its members and for reviewers and admins; for others it does not exist.

    An archived one exists for its members no more.
    """
    return get_object_or_404(Campaign.objects.visible_to(user), pk=pk)


def takes_changes(user: User, campaigns: Iterable[int]) -> dict[int, bool]:
    """Which of the campaigns exist for the person, and whether what they said there is still theirs to change.

    Not where they were not admitted, or they or their membership are paused. A pause of the campaign stops only what is
    new.
    """
    stopped = Membership.objects.filter(
        campaign=OuterRef("pk"), user=user, state__in=(MemberState.REFUSED, MemberState.PAUSED)
    )
    seen = Campaign.objects.visible_to(user).filter(pk__in=campaigns).annotate(is_stopped=Exists(stopped))
    rows = seen.values_list("pk", "is_stopped")
    return {pk: not (is_stopped or user.is_paused) for pk, is_stopped in rows}
