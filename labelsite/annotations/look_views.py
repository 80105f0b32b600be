"""The reviewer's list of what one person said in a campaign."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labelsite.accounts.access import reviewer_required
from labelsite.accounts.models import User
from labelsite.annotations.looks import PAGE, compared, looks_of
from labelsite.asked import page_below
from labelsite.campaigns.models import Campaign


@reviewer_required
def looks(request: HttpRequest, campaign_id: int, user_id: int) -> HttpResponse:
    """What the person said of which task, whether it is right, and when; a page at a time by id."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    labeler = get_object_or_404(User, pk=user_id)
    rows = looks_of(campaign, labeler)
    page = page_below(rows, request.GET.get("before", ""), PAGE)
    # Whoever looked at nothing here is nobody whom the campaign knows.
    if not page.rows and not rows.exists():
        raise Http404
    context = {
        "campaign": campaign,
        "labeler": labeler,
        "looks": compared(page.rows),
        "further": page.further,
    }
    return render(request, "annotations/looks.html", context)
