"""Looking back: undo, corrections, the second look, and "my day"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie

from labelsite.accounts.access import person, reviewer_required
from labelsite.annotations import history, services
from labelsite.annotations import quality as gold_quality
from labelsite.annotations.json_requests import Body, json_post, uuid_in, whole_in
from labelsite.annotations.models import Annotation
from labelsite.annotations.page import page_configuration
from labelsite.annotations.payload import machine_labels, revision_payload, submitted
from labelsite.campaigns.models import Campaign, Exposure
from labelsite.problems.models import Step


def own_annotation_or_404(request: HttpRequest, pk: int) -> Annotation:
    """The person's own live annotation that `pk` stands for; a later revision answers for an earlier one.

    In a campaign that no longer exists for the person, it does not exist either.
    """
    user = person(request)
    campaigns = Campaign.objects.visible_to(user)
    asked = Annotation.objects.filter(pk=pk, annotator=user, task__campaign__in=campaigns).first()
    if asked is None:
        raise Http404
    live = Annotation.objects.select_related("task__campaign", "task__solution__problem")
    return live.get(task=asked.task_id, annotator=asked.annotator_id, is_live=True)


@json_post
def undo(request: HttpRequest, body: Body, pk: int) -> dict[str, Any]:
    """Opens the last submission again; it stands until it is submitted anew."""
    annotation = own_annotation_or_404(request, pk)
    services.undo(annotation)
    return revision_payload(annotation.task.campaign, annotation)


@json_post
def revise(request: HttpRequest, body: Body, pk: int) -> dict[str, Any]:
    annotation = own_annotation_or_404(request, pk)
    new = services.revise(
        annotation, whole_in(body, "revision"), uuid_in(body, "key"), body.get("judgement", {})
    )
    return submitted(new)


@never_cache
@login_required
@ensure_csrf_cookie
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """The annotation page with one of the person's own finished annotations in it."""
    annotation = own_annotation_or_404(request, pk)
    campaign = annotation.task.campaign
    if not services.may_revise(annotation):
        return render(request, "annotations/closed.html", status=409)
    context = {
        "campaign": campaign,
        "payload": revision_payload(campaign, annotation),
        "configuration": page_configuration(person(request), campaign),
    }
    return render(request, "annotations/annotate.html", context)


@never_cache
@login_required
def second_look(request: HttpRequest, pk: int) -> HttpResponse:
    """The person's ratings beside the machines', after the judgement is in. Asking for it is noted by a POST.

    The first request shows what will happen; the button on it reveals. So a link that a browser fetches in
    advance never spoils a blind label.
    """
    annotation = own_annotation_or_404(request, pk)
    if annotation.exposure == Exposure.NEVER:
        raise Http404
    labels = machine_labels(annotation.task.campaign, annotation.task.solution_id)
    # Where there is nothing to see, the label stays a blind one.
    if request.method == "POST" and labels:
        services.reveal(annotation)
    annotation.refresh_from_db(fields=["changed_after_reveal"])
    context: dict[str, Any] = {
        "annotation": annotation,
        "seen": annotation.has_seen_machines,
        "verdict": history.verdict_text(annotation),
        "has_labels": bool(labels),
    }
    if annotation.has_seen_machines:
        context |= {"rows": _rows(annotation, labels), "can_edit": services.may_revise(annotation)}
    return render(request, "annotations/second_look.html", context)


def _rows(annotation: Annotation, labels: Mapping[int, Any]) -> list[dict[str, Any]]:
    """The trajectory's steps with both opinions; steps of the person's own are none of them."""
    task, mistake = annotation.task, annotation.first_mistake
    ratings = annotation.trajectory if mistake is None else [*annotation.trajectory[:mistake], -1]
    steps = Step.objects.filter(solution=task.solution_id, is_chosen=True).order_by("position")
    return [
        {
            "step": step,
            "rating": ratings[index] if index < len(ratings) else None,
            "machine": labels.get(step.pk),
        }
        for index, step in enumerate(steps)
    ]


@login_required
def my_day(request: HttpRequest) -> HttpResponse:
    """What I did, how fast, and how gold items and others saw it."""
    user = person(request)
    entries, further = history.entries(user, request.GET.get("before", ""))
    context = {
        "today": history.today(user),
        "days": history.days(user),
        "gold": history.gold_standing(user),
        "others": history.agreement_with_others(user),
        "entries": entries,
        "further": further,
    }
    return render(request, "annotations/my_day.html", context)


@reviewer_required
def quality(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """How each person does on gold lately, with an alarm where somebody drifts."""
    campaign = get_object_or_404(Campaign, pk=campaign_id)
    standings = gold_quality.standings(campaign)
    context = {
        "campaign": campaign,
        "standings": standings,
        "has_items": any(row.items for row in standings),
        "last": gold_quality.LAST,
    }
    return render(request, "annotations/quality.html", context)
