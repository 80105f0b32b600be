"""The annotation page and its small requests."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.gzip import gzip_page

from labelsite.accounts.access import person
from labelsite.annotations import services
from labelsite.annotations.json_requests import Body, json_post, uuid_in, whole_in
from labelsite.annotations.page import page_configuration
from labelsite.annotations.payload import next_payload, submitted
from labelsite.campaigns import queue
from labelsite.campaigns.access import campaign_or_404
from labelsite.campaigns.models import Campaign


@gzip_page
@never_cache
@login_required
@ensure_csrf_cookie
def annotate(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The page on which people work; the task stands in it as JSON, so that the first one needs no request."""
    campaign = campaign_or_404(person(request), campaign_id)
    payload = _next_payload(request, campaign_id, besides=None)
    member = campaign.memberships.filter(user=person(request))
    context = {
        "campaign": campaign,
        "section": member.values_list("chosen_section", flat=True).first(),
        "payload": payload,
        "configuration": page_configuration(person(request), campaign),
    }
    return render(request, "annotations/annotate.html", context)


@json_post
def next_task(request: HttpRequest, body: Body, campaign_id: int) -> dict[str, Any]:
    """The next task, or why there is none. `besides` is the one in hand while the page prepares another."""
    return _next_payload(request, campaign_id, besides=body.get("besides"))


def _next_payload(request: HttpRequest, campaign_id: int, besides: object) -> dict[str, Any]:
    user = person(request)
    in_hand = besides if isinstance(besides, int) else None
    try:
        return next_payload(campaign_id, user, besides=in_hand)
    except Campaign.DoesNotExist as error:
        raise Http404 from error


@json_post
def draft(request: HttpRequest, body: Body, assignment_id: int) -> dict[str, Any]:
    """Keeps a draft; says whether the lease still stands."""
    token, version = uuid_in(body, "token"), whole_in(body, "version")
    saved, held = services.save_draft(assignment_id, person(request), token, version, body.get("draft", {}))
    return {"version": saved, "held": held}


@json_post
def heartbeat(request: HttpRequest, body: Body, assignment_id: int) -> dict[str, Any]:
    until = queue.heartbeat(assignment_id, person(request), uuid_in(body, "token"))
    return {"held": until is not None}


@json_post
def submit(request: HttpRequest, body: Body, assignment_id: int) -> dict[str, Any]:
    """Stores the judgement. Repeating the request with the same key gives the same answer."""
    annotation = services.submit(
        assignment_id,
        uuid_in(body, "token"),
        uuid_in(body, "key"),
        body.get("judgement", {}),
        annotator=person(request).pk,
    )
    return submitted(annotation)
