"""Taking out of a campaign what came into it by mistake: one solution, or what one import brought."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from labelsite.accounts.access import admin_required, person
from labelsite.campaigns import removal
from labelsite.campaigns.imports import Import, brought_in, import_at, imports_of
from labelsite.campaigns.models import Campaign, Task
from labelsite.jobs.models import Job
from labelsite.wording import counted


@admin_required
def imports(request: HttpRequest, pk: int) -> HttpResponse:
    campaign = get_object_or_404(Campaign, pk=pk)
    context = {"campaign": campaign, "imports": imports_of(campaign)}
    return render(request, "campaigns/imports.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@admin_required
def undo_import(request: HttpRequest, pk: int, moment: str) -> HttpResponse:
    """Says what would go and what would stay, and why, before anything is done."""
    campaign = get_object_or_404(Campaign, pk=pk)
    found = import_at(campaign, moment)
    if found is None:
        raise Http404("nothing of such an import")
    if request.method == "POST":
        return _undo(request, campaign, found)
    context = {
        "campaign": campaign,
        "import": found,
        "found": removal.look_at(brought_in(campaign, found.imported_at)),
    }
    return render(request, "campaigns/undo_import.html", context)


def _undo(request: HttpRequest, campaign: Campaign, found: Import) -> HttpResponse:
    taken = removal.undo(campaign, found, person(request))
    if isinstance(taken, Job):
        messages.success(request, _("This job takes the solutions out of the campaign."))
        return redirect("jobs:detail", taken.pk)
    text = ngettext(
        "%(count)s solution was taken out of the campaign.",
        "%(count)s solutions were taken out of the campaign.",
        taken,
    )
    messages.success(request, text % {"count": counted(taken)})
    return redirect("campaigns:imports", campaign.pk)


@require_POST
@admin_required
def remove_task(request: HttpRequest, pk: int, task_id: int) -> HttpResponse:
    """Takes one solution out, and goes to the queue; back to its page, where it stays."""
    task = get_object_or_404(Task.objects.select_related("campaign"), pk=task_id, campaign=pk)
    try:
        removal.take_out(task, person(request))
    except removal.TaskKept as refusal:
        messages.error(request, str(refusal))
        return redirect("comparison:task", pk, task_id)
    messages.success(request, _("The solution was taken out of the campaign."))
    return redirect("campaigns:tasks", pk)
