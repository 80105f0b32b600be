"""The reviewer's list of reported problems and give-ups."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from labelsite.accounts.access import reviewer_required
from labelsite.annotations.exits import PAGE, exits_of
from labelsite.annotations.models import EXITS
from labelsite.campaigns.models import Campaign


@reviewer_required
def exits(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """Who reported or gave up what, when and why; a page at a time by id."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    kind = request.GET.get("kind", "")
    kind = kind if kind in EXITS else ""
    rows = exits_of(campaign, kind)
    if (before := request.GET.get("before", "")).isdecimal():
        rows = rows.filter(pk__lt=int(before))
    page = list(rows[: PAGE + 1])
    context = {
        "campaign": campaign,
        "kind": kind,
        "kinds": [(reason.value, reason.label) for reason in EXITS],
        "rows": page[:PAGE],
        "further": page[PAGE - 1].pk if len(page) > PAGE else None,
    }
    return render(request, "annotations/exits.html", context)
