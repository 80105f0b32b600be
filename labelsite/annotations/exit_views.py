"""The reviewer's list of reported problems and give-ups."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labelsite.accounts.access import reviewer_required
from labelsite.annotations.exits import PAGE, exits_of
from labelsite.annotations.models import EXITS
from labelsite.asked import page_below
from labelsite.campaigns.models import Campaign


@reviewer_required
def exits(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Who reported or gave up what, when and why; a page at a time by id."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    kind = request.GET.get("kind", "")
    kind = kind if kind in EXITS else ""
    page = page_below(exits_of(campaign, kind), request.GET.get("before", ""), PAGE)
    context = {
        "campaign": campaign,
        "kind": kind,
        "kinds": [(reason.value, reason.label) for reason in EXITS],
        "rows": page.rows,
        "further": page.further,
    }
    return render(request, "annotations/exits.html", context)
