"""The reviewer's list of reported problems and give-ups, and the way to ask somebody else."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from labelsite.accounts.access import person, reviewer_required
from labelsite.annotations.exits import PAGE, exits_of
from labelsite.annotations.models import EXITS
from labelsite.asked import page_below
from labelsite.campaigns.models import Campaign, Task, TaskKind, TaskState
from labelsite.campaigns.services import ask_one_more
from labelsite.wording import translated
from ml.errors import MisstepError


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


@require_POST
@reviewer_required
def one_more(request: HttpRequest, campaign_id: int, task_id: int) -> HttpResponse:
    """Gives a finished solution to one more person, and goes back to the page on which the button stood."""
    task = get_object_or_404(Task.objects.select_related("campaign"), pk=task_id, campaign=campaign_id)
    try:
        if ask_one_more(task, person(request)):
            messages.success(request, _("The task is open for one more person."))
        else:
            messages.info(request, _why_not(Task.objects.get(pk=task_id)))
    except MisstepError as error:
        messages.error(request, translated(error.as_said))
    is_among_opinions = "opinions" in request.POST
    page = (
        reverse("comparison:task", args=[campaign_id, task_id])
        if is_among_opinions
        else reverse("annotations:exits", args=[campaign_id])
    )
    return redirect(f"{page}?{request.GET.urlencode()}")


def _why_not(task: Task) -> str:
    """What stands in the way of opening a task, such as that it is open since somebody pressed the button before."""
    if task.kind != TaskKind.WORK or task.state == TaskState.SET_ASIDE:
        return _("Only work that is done is opened for one more person.")
    if task.remaining:
        return _("The task is open already, and a place is free.")
    return _("The task is open already, and in somebody's hands.")
